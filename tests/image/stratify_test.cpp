// Parts and folds that are alike in their classes.
#include "image/stratify.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/random.h"
#include "support.h"

namespace fovea::image {
namespace {

Dataset single(const std::vector<int>& counts) {
  Dataset dataset;
  for (size_t label = 0; label < counts.size(); ++label) {
    dataset.classes.push_back("class " + std::to_string(label));
    for (int i = 0; i < counts[label]; ++i)
      dataset.samples.push_back({std::to_string(label) + "/" + std::to_string(i), static_cast<int32_t>(label)});
  }
  return dataset;
}

Dataset several(int pictures, const std::vector<double>& often) {
  Dataset dataset;
  dataset.multi_label = true;
  const RandomStream random(3, "labels");
  for (size_t c = 0; c < often.size(); ++c) dataset.classes.push_back(std::to_string(c));
  for (int i = 0; i < pictures; ++i) {
    Sample sample{std::to_string(i), -1};
    for (size_t c = 0; c < often.size(); ++c)
      if (random.uniform(static_cast<uint64_t>(i) * often.size() + c) < often[c]) sample.labels.push_back(static_cast<int32_t>(c));
    dataset.samples.push_back(std::move(sample));
  }
  return dataset;
}

std::vector<int> class_counts(const Dataset& dataset) {
  std::vector<int> counts(dataset.classes.size());
  for (const Sample& sample : dataset.samples)
    for (int32_t label : labels_of(sample)) ++counts[static_cast<size_t>(label)];
  return counts;
}

TEST(Folds, EachPictureIsTestedOnceAndClassesAreDealtOut) {
  const Dataset dataset = single({10, 7, 23, 5});
  const std::vector<Splits> folds = make_folds(dataset, 5, 1);
  ASSERT_EQ(folds.size(), 5u);
  std::multiset<std::string> tested;
  for (const Splits& fold : folds) {
    EXPECT_EQ(fold.test.samples.size(), 9u);
    EXPECT_EQ(fold.train.samples.size(), 36u);
    EXPECT_TRUE(fold.validation.samples.empty());
    const std::vector<int> counts = class_counts(fold.test);
    EXPECT_EQ(counts[0], 2);
    EXPECT_TRUE(counts[1] == 1 || counts[1] == 2);
    EXPECT_TRUE(counts[2] == 4 || counts[2] == 5);
    EXPECT_EQ(counts[3], 1);
    for (const Sample& sample : fold.test.samples) tested.insert(sample.path);
    for (const Sample& sample : fold.train.samples)
      EXPECT_TRUE(std::ranges::none_of(fold.test.samples, [&](const Sample& other) { return other.path == sample.path; }));
  }
  EXPECT_EQ(tested.size(), 45u);
  EXPECT_EQ(std::set<std::string>(tested.begin(), tested.end()).size(), 45u);
}

TEST(Folds, FollowTheSeed) {
  const Dataset dataset = single({20, 20});
  const auto first_tested = [&](uint64_t seed) {
    std::set<std::string> paths;
    const std::vector<Splits> folds = make_folds(dataset, 4, seed);
    for (const Sample& sample : folds[0].test.samples) paths.insert(sample.path);
    return paths;
  };
  EXPECT_EQ(first_tested(1), first_tested(1));
  EXPECT_NE(first_tested(1), first_tested(2));
}

TEST(Folds, SeveralLabels) {
  const Dataset dataset = several(200, {0.5, 0.2, 0.08, 0.03});
  const std::vector<int> all = class_counts(dataset);
  for (const Splits& fold : make_folds(dataset, 5, 4)) {
    EXPECT_TRUE(fold.test.multi_label);
    EXPECT_NEAR(static_cast<double>(fold.test.samples.size()), 40, 2);
    const std::vector<int> counts = class_counts(fold.test);
    for (size_t c = 0; c < all.size(); ++c) EXPECT_NEAR(counts[c], all[c] / 5.0, 1.01) << c;
  }
  const Splits parts = split(dataset, {0.15, 0.2, 7});
  EXPECT_NEAR(static_cast<double>(parts.validation.samples.size()), 30, 2);
  EXPECT_NEAR(static_cast<double>(parts.test.samples.size()), 40, 2);
  for (size_t c = 0; c < all.size(); ++c) EXPECT_NEAR(class_counts(parts.test)[c], all[c] * 0.2, 1.5) << c;
}

TEST(Folds, GroupsStayTogetherWhereTheirClassIsElsewhereToo) {
  const Dataset dataset = single({10, 6});
  std::vector<int64_t> groups(16);
  std::iota(groups.begin(), groups.end(), int64_t{0});
  groups[3] = groups[7] = groups[1];                        // three of the first class
  for (size_t i = 10; i < 16; ++i) groups[i] = groups[10];  // all of the second
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const std::vector<double> shares(3, 1.0 / 3);
    const std::vector<size_t> parts = stratify(dataset, shares, seed, groups);
    EXPECT_EQ(parts[1], parts[3]);
    EXPECT_EQ(parts[1], parts[7]);
    EXPECT_EQ(std::set<size_t>(parts.begin() + 10, parts.end()).size(), 3u);
  }
}

TEST(Split, GroupsStayTogetherAndOtherPicturesStayWhereTheyWere) {
  const Dataset dataset = single({40, 12});
  const SplitOptions options{0.2, 0.25, 3};
  std::vector<int64_t> groups(52);
  std::iota(groups.begin(), groups.end(), int64_t{0});
  const auto paths = [](const Dataset& part) {
    std::set<std::string> paths;
    for (const Sample& sample : part.samples) paths.insert(sample.path);
    return paths;
  };
  const Splits plain = split(dataset, options), alone = split(dataset, options, groups);
  EXPECT_EQ(paths(plain.test), paths(alone.test));
  EXPECT_EQ(paths(plain.validation), paths(alone.validation));
  for (size_t i = 0; i < 40; ++i) groups[i] = static_cast<int64_t>(i / 4);  // ten pictures, four times each
  groups[45] = groups[2];                                                   // one of them under another class
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Splits parts = split(dataset, {0.2, 0.25, seed}, groups);
    std::vector<std::set<int64_t>> held;
    for (const Dataset* part : {&parts.train, &parts.validation, &parts.test}) {
      held.emplace_back();
      for (const Sample& sample : part->samples)
        held.back().insert(groups[static_cast<size_t>(std::stoi(sample.path.substr(2)) + 40 * sample.label)]);
    }
    EXPECT_EQ(held[0].size() + held[1].size() + held[2].size(), 21u);  // no group in two parts: ten, and eleven alone
    EXPECT_EQ(class_counts(parts.validation)[0], 8);
    EXPECT_TRUE(class_counts(parts.test)[0] == 12 || class_counts(parts.test)[0] == 16);  // 10 wanted; the other class may bring its four
    EXPECT_NEAR(class_counts(parts.test)[1], 3, 1);
  }
  // All of a class: they cannot stay together.
  std::fill(groups.begin() + 40, groups.end(), int64_t{99});
  EXPECT_EQ(class_counts(split(dataset, options, groups).test)[1], 3);
}

TEST(Folds, ErrorsNameBothNumbers) {
  const Dataset dataset = single({10, 4});
  EXPECT_EQ(message_of(ErrorKind::input, [&] { make_folds(dataset, 5, 0); }),
            "5 folds, but class \"class 1\" has 4 pictures: a fold would test none of them");
  EXPECT_EQ(message_of(ErrorKind::input, [&] { make_folds(dataset, 15, 0); }), "15 folds of 14 pictures: a fold would test none");
  EXPECT_EQ(message_of(ErrorKind::usage, [&] { make_folds(dataset, 1, 0); }), "1 folds, at least 2 expected");
}

}  // namespace
}  // namespace fovea::image
