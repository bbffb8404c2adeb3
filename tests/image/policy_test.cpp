// The operations and tables of augmentation policies, and mixed batches, against torchvision on Pillow's images
// (tests/data/image/generate_policies.py). Every operation is exact: all 510 answers.
#include "image/policy.h"

#include <cmath>
#include <map>
#include <set>

#include "base/json_value.h"
#include "image/augment.h"
#include "support.h"

namespace fovea::image {
namespace {

using nlohmann::json;

const json& policy_answers() {
  static const json parsed = json::parse(std::ifstream(data_folder() / "policies.json"));
  return parsed;
}

const std::map<std::string, Policy> kPolicies{{"randaugment", Policy::randaugment},
                                              {"trivialaugment", Policy::trivialaugment},
                                              {"autoaugment", Policy::autoaugment},
                                              {"autoaugment_cifar10", Policy::autoaugment_cifar10},
                                              {"autoaugment_svhn", Policy::autoaugment_svhn}};

Image flat() {
  Image image{9, 7, {}};
  for (int i = 0; i < 63; ++i) image.pixels.insert(image.pixels.end(), {10, 200, 77});
  return image;
}

TEST(Policies, OperationsEqualTorchvisions) {
  const std::map<std::string, Image> pictures{{"cat", read_image((data_folder() / "images" / "cat_palette.png").string(), Alpha::drop)},
                                              {"odd", pattern(37, 53)},
                                              {"square", pattern(24, 24)},
                                              {"line", pattern(40, 1)},
                                              {"small", pattern(2, 3)},
                                              {"flat", flat()}};
  std::set<int> seen;
  for (const json& answer : policy_answers()["operations"]) {
    Image image = pictures.at(answer[0]);
    const Change change{static_cast<Operation>(answer[1].get<int>()), answer[2]};
    apply(image, change, {parse_interpolation(answer[3]), answer[4].get<Color>()});
    EXPECT_EQ(sha256(image.pixels), answer[5].get<std::string>()) << answer.dump();
    seen.insert(answer[1].get<int>());
  }
  EXPECT_EQ(seen.size(), 14u);  // all but the identity
  EXPECT_EQ(policy_answers()["operations"].size(), 510u);
}

TEST(Policies, MagnitudesEqualTorchvisions) {
  for (const json& answer : policy_answers()["magnitudes"]) {
    const Policy policy = kPolicies.at(answer["policy"]);
    const auto operation = static_cast<Operation>(answer["operation"].get<int>());
    const Size size{answer["width"], answer["height"]};
    const int bins = answer["bins"];
    EXPECT_EQ(is_signed(operation), answer["signed"].get<bool>()) << answer.dump();
    for (int bin = 0; bin < bins; ++bin) {
      const auto magnitude = magnitude_of(policy, operation, bin, bins, size);
      ASSERT_EQ(magnitude.has_value(), !answer["magnitudes"].is_null()) << answer.dump();
      if (!magnitude) continue;
      EXPECT_FLOAT_EQ(static_cast<float>(*magnitude), answer["magnitudes"][static_cast<size_t>(bin)].get<float>()) << bin << answer.dump();
    }
  }
}

TEST(Policies, TablesEqualTorchvisions) {
  for (const auto& [name, pairs] : policy_answers()["pairs"].items()) {
    json own = json::array();
    for (const Pair& pair : pairs_of(kPolicies.at(name))) {
      json row = json::array();
      for (const Likely& l : pair) row.push_back({static_cast<int>(l.operation), l.probability, l.bin});
      own.push_back(row);
    }
    EXPECT_EQ(own, pairs) << name;
  }
  for (const char* name : {"randaugment", "trivialaugment"}) {
    std::set<int> own, theirs;
    for (Operation operation : operations_of(kPolicies.at(name))) own.insert(static_cast<int>(operation));
    for (const json& answer : policy_answers()["magnitudes"])
      if (answer["policy"] == name) theirs.insert(answer["operation"].get<int>());
    EXPECT_EQ(own, theirs);
  }
}

// How often each (operation, magnitude) is drawn, of 20000 pictures of 331 x 331: within five deviations of what the tables say.
void expect_shares(Policy policy, const std::map<std::pair<int, double>, double>& expected) {
  constexpr int kDraws = 20000;
  std::map<std::pair<int, double>, int> counts;
  for (int i = 0; i < kDraws; ++i) {
    const RandomStream random(7, static_cast<uint64_t>(i));
    for (const Change& change : draw_changes({.policy = policy}, {331, 331}, random, 400))
      ++counts[{static_cast<int>(change.operation), change.magnitude}];
  }
  for (const auto& [key, share] : expected) {
    const double mean = kDraws * share, deviation = std::sqrt(mean);
    EXPECT_NEAR(counts[key], mean, 5 * deviation) << to_string(policy) << " operation " << key.first << " magnitude " << key.second;
    counts.erase(key);
  }
  for (const auto& [key, count] : counts) ADD_FAILURE() << to_string(policy) << " drew " << key.first << " at " << key.second;
}

TEST(Policies, DrawAsOftenAsTheirTablesSay) {
  const Size size{331, 331};
  for (Policy policy : {Policy::randaugment, Policy::trivialaugment}) {
    std::map<std::pair<int, double>, double> expected;
    const int first = policy == Policy::randaugment ? 9 : 0, last = policy == Policy::randaugment ? 9 : 30;
    const double each = (policy == Policy::randaugment ? 2.0 : 1.0) / 14 / (last - first + 1);
    for (Operation operation : operations_of(policy)) {
      for (int bin = first; bin <= last; ++bin) {
        const double magnitude = magnitude_of(policy, operation, bin, 31, size).value_or(0);
        if (!is_signed(operation)) {
          expected[{static_cast<int>(operation), magnitude}] += each;
        } else {
          expected[{static_cast<int>(operation), magnitude}] += each / 2;
          expected[{static_cast<int>(operation), -magnitude}] += each / 2;
        }
      }
    }
    expect_shares(policy, expected);
  }
  for (Policy policy : {Policy::autoaugment, Policy::autoaugment_cifar10, Policy::autoaugment_svhn}) {
    std::map<std::pair<int, double>, double> expected;
    for (const Pair& pair : pairs_of(policy)) {
      for (const Likely& l : pair) {
        if (l.probability == 0) continue;
        const double magnitude = magnitude_of(policy, l.operation, l.bin, 10, size).value_or(0), each = l.probability / 25;
        expected[{static_cast<int>(l.operation), magnitude}] += is_signed(l.operation) ? each / 2 : each;
        if (is_signed(l.operation)) expected[{static_cast<int>(l.operation), -magnitude}] += each / 2;
      }
    }
    expect_shares(policy, expected);
  }
}

// What is drawn first says nothing about what is drawn second.
TEST(Policies, RandAugmentsOperationsAreIndependent) {
  std::map<std::pair<int, int>, int> counts;
  for (uint64_t i = 0; i < 19600; ++i) {
    const auto changes = draw_changes({.policy = Policy::randaugment}, {224, 224}, RandomStream(3, i), 400);
    ASSERT_EQ(changes.size(), 2u);
    ++counts[{static_cast<int>(changes[0].operation), static_cast<int>(changes[1].operation)}];
  }
  ASSERT_EQ(counts.size(), 196u);
  double chi_squared = 0;
  for (const auto& [pair, count] : counts) chi_squared += (count - 100.0) * (count - 100.0) / 100.0;
  EXPECT_NEAR(chi_squared, 195, 5 * std::sqrt(2.0 * 195));
}

TEST(Augment, CropsAndFlipsAsTorchvision) {
  const Image cat = read_image((data_folder() / "images" / "cat_palette.png").string(), Alpha::drop), odd = pattern(37, 53);
  for (const json& answer : policy_answers()["crops"]) {
    const auto [left, top, width, height] = answer["window"].get<std::array<int64_t, 4>>();
    Preprocessing p;
    p.height = answer["size"][0];
    p.width = answer["size"][1];
    p.interpolation = parse_interpolation(answer["interpolation"]);
    const Image out = resized_crop(answer["picture"] == "cat" ? cat : odd, {left, top, width, height}, p);
    EXPECT_EQ(sha256(out.pixels), answer["sha256"].get<std::string>()) << answer.dump();
  }
  Image mirrored = odd, upside_down = odd;
  flip_horizontally(mirrored);
  flip_vertically(upside_down);
  EXPECT_EQ(sha256(mirrored.pixels), policy_answers()["flips"]["horizontal"].get<std::string>());
  EXPECT_EQ(sha256(upside_down.pixels), policy_answers()["flips"]["vertical"].get<std::string>());
}

TEST(Augment, DrawsCropsAsTorchvision) {
  const json& theirs = policy_answers()["drawn_crops"];
  constexpr int kDraws = 20000;
  std::array<double, 5> sums{};
  for (int64_t i = 0; i < kDraws; ++i) {
    const Window w = draw_crop({100, 60}, {.random_resized_crop = true}, {3, i / 500, i % 500});
    const std::array<int64_t, 5> values{w.height * w.width, w.height, w.width, w.top, w.left};
    for (size_t k = 0; k < 5; ++k) sums[k] += static_cast<double>(values[k]);
  }
  for (size_t k = 0; k < 5; ++k)
    EXPECT_NEAR(sums[k] / kDraws, theirs["mean"][k].get<double>(), 5 * theirs["deviation"][k].get<double>() * std::sqrt(2.0 / kDraws)) << k;
}

TEST(Augment, FlipsTopAndBottom) {
  Preprocessing p;
  p.fit = Fit::squash;
  p.width = p.height = 2;
  const Image image{2, 2, {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4}};
  EXPECT_EQ(augment(image, {.flip = 0, .vertical_flip = 1}, p, {1, 0, 0}).pixels,
            (std::vector<uint8_t>{3, 3, 3, 4, 4, 4, 1, 1, 1, 2, 2, 2}));
}

TEST(Augment, AppliesThePolicyAfterTheFlip) {
  Preprocessing p;
  p.fit = Fit::squash;
  p.width = p.height = 24;
  const Image image = pattern(24, 24);
  int changed = 0;
  for (int64_t index = 0; index < 50; ++index) {
    const Augmentation a{.flip = 1, .policy = {.policy = Policy::trivialaugment}};
    const Image out = augment(image, a, p, {1, 0, index});
    Image by_hand = image;
    flip_horizontally(by_hand);
    changed += by_hand.pixels != out.pixels;
    EXPECT_EQ(out.pixels, augment(image, a, p, {1, 0, index}).pixels);
    bool found = by_hand.pixels == out.pixels;
    for (Operation operation : operations_of(Policy::trivialaugment)) {
      for (int bin = 0; bin < 31 && !found; ++bin) {
        for (double sign : {1.0, -1.0}) {
          Image tried = by_hand;
          apply(tried, {operation, sign * magnitude_of(Policy::trivialaugment, operation, bin, 31, {24, 24}).value_or(0)});
          found = found || tried.pixels == out.pixels;
          if (!is_signed(operation)) break;
        }
      }
    }
    EXPECT_TRUE(found) << index;
  }
  EXPECT_GT(changed, 35);
}

}  // namespace
}  // namespace fovea::image
