// Labelled pictures from anywhere: the same bits, the same divisions, the same errors.
#include <fovea/fovea.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "api/small_pictures.h"
#include "support/files.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Makes its pictures when they are asked for.
class Drawn : public DatasetSource {
 public:
  explicit Drawn(int count) : examples_(examples(count)) {}
  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  Image picture(int64_t index) const override { return examples_[static_cast<size_t>(index)].image; }
  Labels labels(int64_t index) const override { return int64_t{index / (size() / 3)}; }
  std::string name(int64_t index) const override { return examples_[static_cast<size_t>(index)].name; }

 private:
  const std::vector<Example> examples_;
};

class Datasets : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_dataset_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    for (const Example& one : examples(11)) {
      fs::create_directories((folder_ / "pictures" / one.name).parent_path());
      write_png((folder_ / "pictures" / one.name).string(), one.image);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Model model() { return small_colour_model(); }
  TrainOptions options(Recipe recipe, const std::string& out) const {
    TrainOptions options;
    options.recipe = recipe;
    options.optimizer.epochs = 2;
    options.optimizer.batch_size = 4;
    options.data.test = 0.2;
    options.run.seed = 5;
    if (!out.empty()) options.run.out = (folder_ / out).string();
    return options;
  }
  std::string model_of(const auto& data, TrainOptions own, const std::string& out) const {
    own.run.out = (folder_ / out).string();
    Model trained = model();
    train(trained, data, own);
    return contents_of(folder_ / out / "model.safetensors");
  }

  fs::path folder_;
};

TEST_F(Datasets, TheSamePicturesGiveTheSameBitsWhereverTheyComeFrom) {
  std::vector<Example> shuffled = examples(11);
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(3));
  const std::string pictures = (folder_ / "pictures").string();
  std::vector<std::string> listed = list_pictures({pictures});
  std::shuffle(listed.begin(), listed.end(), std::mt19937(4));
  const std::map<std::string, Dataset> sources{
      {"folder", Dataset::load(pictures)},
      {"files", Dataset::from_files(listed)},
      {"memory", Dataset::from_memory(examples(11))},
      {"shuffled", Dataset::from_memory(shuffled)},
      {"source", Dataset::from_source(std::make_shared<Drawn>(11), {.classes = kClasses})},
      {"joined",
       Dataset::from_memory({shuffled.begin(), shuffled.begin() + 9}).join(Dataset::from_memory({shuffled.begin() + 9, shuffled.end()}))},
  };
  std::map<std::string, TrainOptions> ways{{"probe", options(Recipe::probe, "")}, {"full", options(Recipe::full, "")}};
  ways["probe"].optimizer.epochs.reset();
  ways["probe"].optimizer.batch_size.reset();
  for (const FeatureCache cache : {FeatureCache::off, FeatureCache::disk}) {
    TrainOptions& frozen = ways[cache == FeatureCache::off ? "frozen" : "frozen, kept on disk"] = options(Recipe::finetune, "");
    frozen.freeze = "stem";
    frozen.data.feature_cache = cache;
    frozen.augmentation.policy = Augment::light;
    frozen.augmentation.stored_views = 2;
  }
  for (const auto& [way, own] : ways) {
    const std::string expected = model_of(pictures, own, way);
    ASSERT_FALSE(expected.empty());
    for (const auto& [from, data] : sources) EXPECT_EQ(model_of(data, own, way + " " + from) == expected, true) << way << " from " << from;
  }
}

TEST_F(Datasets, AListOfFilesHasTheFoldersThatTheyLieInAsClasses) {
  const std::vector<std::string> files = list_pictures({(folder_ / "pictures").string()});
  const Dataset data = Dataset::from_files({files.rbegin(), files.rend()});
  EXPECT_EQ(data.size(), 33);
  EXPECT_EQ(data.classes(), kClasses);
  EXPECT_FALSE(data.independent());
  for (int64_t i = 0; i < data.size(); ++i) {
    const fs::path file = data.name(i);
    EXPECT_EQ(data.name(i), files[static_cast<size_t>(i)]);  // sorted by class, then by name
    EXPECT_EQ(kClasses[static_cast<size_t>(std::get<int64_t>(data.labels(i)))], file.parent_path().filename().string());
    EXPECT_EQ(data.part(i), Part::train);
    EXPECT_EQ(data.picture(i).pixels, read_image(file.string()).pixels);
  }
  EXPECT_THAT(message_of_error([&] { Dataset::from_files({files[0], files[20], files[0]}); }), HasSubstr(files[0]));
  EXPECT_THAT(message_of_error([&] { Dataset::from_files({files[0], files[1]}); }), HasSubstr("blue"));
  EXPECT_THAT(message_of_error([&] { Dataset::from_files({}); }), Not(HasSubstr("nothing was thrown")));
}

TEST_F(Datasets, PicturesInMemoryAreShownWhenAPageIsMadeAgain) {
  TrainOptions own = options(Recipe::full, "run");
  own.optimizer.lr = 1e-9;  // a network that learns nothing makes mistakes
  const Dataset memory = Dataset::from_memory(examples(11));
  Model trained = model();
  ASSERT_LT(train(trained, memory, own).validation.accuracy, 1);
  const std::string page = contents_of(folder_ / "run" / "report.html");
  EXPECT_THAT(page, HasSubstr("class=\"mistake\""));
  EXPECT_THAT(page, Not(HasSubstr("class=\"gone\"")));
  fs::remove(folder_ / "run" / "report.html");
  write_report((folder_ / "run").string());
  EXPECT_EQ(contents_of(folder_ / "run" / "report.html"), page);
  fs::remove(folder_ / "run" / "shown" / "1.png");
  write_report((folder_ / "run").string());
  EXPECT_THAT(contents_of(folder_ / "run" / "report.html"), HasSubstr("class=\"gone\""));
}

TEST_F(Datasets, FoldsAuditAndReportTakeThem) {
  TrainOptions own = options(Recipe::probe, "run");
  own.optimizer.epochs.reset();
  own.optimizer.batch_size.reset();
  own.data.test = 0;
  own.data.folds = 3;
  const Dataset memory = Dataset::from_memory(examples(11));
  Model trained = model();
  const TrainResult result = train(trained, memory, own);
  own.run.out = (folder_ / "other").string();
  Model other = model();
  const TrainResult expected = train(other, (folder_ / "pictures").string(), own);
  ASSERT_TRUE(result.out_of_fold && expected.out_of_fold && result.folds);
  EXPECT_EQ(result.folds->values, expected.folds->values);
  EXPECT_EQ(result.out_of_fold->outcomes.size(), 33u);
  for (size_t i = 0; i < 33; ++i) EXPECT_EQ(result.out_of_fold->outcomes[i].probabilities, expected.out_of_fold->outcomes[i].probabilities);

  const Evaluation evaluation = evaluate(trained, memory);
  EXPECT_EQ(evaluation.loss, evaluate(other, (folder_ / "pictures").string()).loss);
  EXPECT_EQ(evaluation.outcomes.front().file, "blue/0.png");
  const Audit audited = audit(memory), of_folder = audit((folder_ / "pictures").string());
  EXPECT_EQ(audited.pictures, 33);
  EXPECT_EQ(audited.problems(), of_folder.problems());
  EXPECT_TRUE(audited.wrong_extensions.empty());

  // A network that knows nothing makes mistakes, which the page shows.
  const Model naive = small_colour_model(1);
  Model three = naive;
  three.replace_head(kClasses, 3);
  const Evaluation wrong = evaluate(three, memory);
  ASSERT_LT(wrong.score.accuracy, 1);
  write_report(three, wrong, (folder_ / "page.html").string(), memory);
  const std::string page = contents_of(folder_ / "page.html");
  EXPECT_THAT(page, HasSubstr("class=\"mistake\""));
  EXPECT_THAT(page, Not(HasSubstr("class=\"gone\"")));
  EXPECT_THAT(page, HasSubstr("33 pictures"));
}

TEST_F(Datasets, AnInterruptedRunGoesOnWithThemAndNotWithOthers) {
  const TrainOptions whole = options(Recipe::full, "whole");
  Model expected = model();
  train(expected, Dataset::from_memory(examples(11)), whole);
  TrainOptions own = options(Recipe::full, "parts");
  int steps = 0;
  own.run.progress = [&](const TrainProgress& progress) { return progress.phase == "check" || ++steps < 3; };
  Model trained = model();
  EXPECT_TRUE(train(trained, Dataset::from_memory(examples(11)), own).interrupted);
  own.run.progress = {};
  own.run.resume = true;
  std::vector<Example> changed = examples(11);
  changed[4].image.pixels[7] ^= 1;
  EXPECT_THAT(message_of_error([&] {
                Model again = model();
                train(again, Dataset::from_memory(changed), own);
              }),
              HasSubstr("fingerprint of the pictures"));
  Model again = model();
  EXPECT_FALSE(train(again, Dataset::from_memory(examples(11)), own).interrupted);
  EXPECT_EQ(contents_of(folder_ / "parts" / "model.safetensors"), contents_of(folder_ / "whole" / "model.safetensors"));
}

TEST_F(Datasets, LabelsComeInEveryForm) {
  std::vector<Example> indices = examples(4), several = examples(4), soft = examples(4);
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto label = static_cast<int64_t>(i / 4);
    indices[i].labels = label;
    several[i].labels = i % 4 == 0 ? std::vector<std::string>{} : std::vector<std::string>{kClasses[i / 4], "dark"};
    soft[i].labels = std::vector<float>{0.25f, 0.25f, 0.5f};
  }
  const Dataset by_index = Dataset::from_memory(indices);
  EXPECT_THAT(by_index.classes(), ElementsAre("0", "1", "2"));
  EXPECT_EQ(std::get<int64_t>(by_index.labels(5)), 1);
  const Dataset by_names = Dataset::from_memory(several);
  EXPECT_TRUE(by_names.independent());
  EXPECT_THAT(by_names.classes(), ElementsAre("blue", "dark", "green", "red"));
  EXPECT_THAT(std::get<std::vector<int64_t>>(by_names.labels(5)), ElementsAre(1, 2));
  EXPECT_TRUE(std::get<std::vector<int64_t>>(by_names.labels(4)).empty());
  EXPECT_THAT(std::get<std::vector<float>>(Dataset::from_memory(soft).labels(3)), ElementsAre(0.25f, 0.25f, 0.5f));

  // Indices without names are the model's classes.
  Model trained = model();
  trained.replace_head(kClasses, 3);
  const Evaluation evaluation = evaluate(trained, by_index);
  EXPECT_EQ(evaluation.loss, evaluate(trained, Dataset::from_memory(examples(4))).loss);
  train(trained, by_index, options(Recipe::probe, ""));
  EXPECT_EQ(trained.classes(), kClasses);
}

TEST_F(Datasets, SoftTargetsAreWhatIsLearnt) {
  // Every colour is one of two classes, with these shares.
  const std::vector<std::vector<float>> shares{{0.9f, 0.1f}, {0.5f, 0.5f}, {0.2f, 0.8f}};
  std::vector<Example> soft = examples(20);
  for (size_t i = 0; i < soft.size(); ++i) soft[i].labels = shares[i / 20];
  const Dataset data = Dataset::from_memory(soft, {.classes = {"warm", "cold"}});
  for (const Recipe recipe : {Recipe::probe, Recipe::full}) {
    TrainOptions own = options(recipe, "");
    own.optimizer = {};
    if (recipe == Recipe::full) {
      own.optimizer = {.epochs = 30, .batch_size = 10, .lr = 0.02};
      own.regularization.label_smoothing = 0;
    }
    own.data.test = own.data.validation = 0;
    own.augmentation.policy = Augment::off;
    Model trained = model();
    train(trained, data, own);
    const Evaluation evaluation = evaluate(trained, data);
    double loss = 0, entropy = 0;
    for (size_t i = 0; i < evaluation.outcomes.size(); ++i) {
      const std::string& file = evaluation.outcomes[i].file;
      const std::vector<float>& share = shares[file.starts_with("blue") ? 0 : file.starts_with("green") ? 1 : 2];
      for (size_t k = 0; k < 2; ++k) {
        EXPECT_NEAR(evaluation.outcomes[i].probabilities[k], share[k], 0.12) << file;
        loss -= static_cast<double>(share[k]) * std::log(static_cast<double>(evaluation.outcomes[i].probabilities[k]));
        entropy -= static_cast<double>(share[k]) * std::log(static_cast<double>(share[k]));
      }
    }
    EXPECT_NEAR(evaluation.loss, loss / 60, 1e-6);
    EXPECT_NEAR(evaluation.loss, entropy / 60, 0.02);
  }
}

TEST_F(Datasets, GroupsStayOnOneSideOfEveryDivision) {
  std::vector<Example> grouped = examples(12);
  for (size_t i = 0; i < grouped.size(); ++i) grouped[i].group = "patient " + std::to_string(i % 12 / 3 + 4 * (i / 12 == 2));
  const Dataset data = Dataset::from_memory(grouped);
  std::set<std::string> moved;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const Dataset divided = data.split({.validation = 0.25, .test = 0.25, .seed = seed});
    std::map<std::string, std::set<Part>> parts;
    for (int64_t i = 0; i < divided.size(); ++i) parts[divided.group(i)].insert(divided.part(i));
    EXPECT_EQ(parts.size(), 8u);
    for (const auto& [group, own] : parts) {
      EXPECT_EQ(own.size(), 1u) << group;
      if (!own.contains(Part::train)) moved.insert(group);
    }
    EXPECT_GT(divided.only(Part::validation).size(), 0);
    EXPECT_GT(divided.only(Part::test).size(), 0);
    EXPECT_EQ(divided.only(Part::train).size() + divided.only(Part::validation).size() + divided.only(Part::test).size(), 36);
  }
  EXPECT_GT(moved.size(), 4u);  // another seed, other groups
  // Those of one class in one group cannot be tested and trained on.
  const Dataset alone = data.grouped([&](int64_t i) { return i < 12 ? std::string("one") : std::string(); });
  TrainOptions own = options(Recipe::probe, "");
  own.data.test = 0;
  own.data.folds = 3;
  own.optimizer.epochs.reset();
  own.optimizer.batch_size.reset();
  Model trained = model();
  EXPECT_THAT(message_of_error([&] { train(trained, alone, own); }), HasSubstr("class \"blue\" are of one group (\"one\")"));
  own.data.folds = 4;
  train(trained, data, own);
  EXPECT_EQ(alone.split({.validation = 0.5}).filter([&](int64_t i) { return i < 12; }).only(Part::validation).size(), 0);
}

TEST_F(Datasets, DivisionsAreTheCallersOwn) {
  const Dataset data = Dataset::from_memory(examples(6));
  const std::vector<int64_t> held{0, 6, 12}, others{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17};
  const Dataset divided = data.subset(others).join(data.subset(held).as(Part::validation));
  EXPECT_EQ(divided.size(), 18);
  EXPECT_EQ(divided.only(Part::validation).name(1), "green/0.png");
  TrainOptions own = options(Recipe::full, "");
  own.data.test = 0;
  Model trained = model();
  EXPECT_EQ(train(trained, divided, own).validation.pictures, 3);
  EXPECT_EQ(data.filter([&](int64_t i) { return data.name(i).starts_with("red"); }).size(), 6);
  EXPECT_EQ(message_of_error([&] { data.subset(std::vector<int64_t>{3, 18}); }), "picture 18 of a dataset of 18");
  EXPECT_EQ(message_of_error([&] { data.subset(std::vector<int64_t>{3, 3}); }), "picture 3 is given twice");
  EXPECT_EQ(message_of_error([&] { divided.join(data.subset(held)); }), "blue/0.png: is in both datasets");
  // Of other classes.
  std::vector<Example> more{{"white/0.png", coloured(1, 99), "white"}, {"red/9.png", coloured(0, 98), "red"}};
  const Dataset both = data.join(Dataset::from_memory(more));
  EXPECT_THAT(both.classes(), ElementsAre("blue", "green", "red", "white"));
  EXPECT_EQ(std::get<int64_t>(both.labels(18)), 3);
  EXPECT_EQ(std::get<int64_t>(both.labels(19)), 2);
}

TEST_F(Datasets, WhatIsWrongIsNamed) {
  const auto with = [](auto change) {
    std::vector<Example> all = examples(2);
    change(all);
    return all;
  };
  const auto message = [&](auto change, const DatasetOptions& options = {}) {
    return message_of_error([&] { Dataset::from_memory(with(change), options); });
  };
  EXPECT_EQ(message([](auto& all) { all[1].name = all[0].name; }), "blue/0.png: two pictures have this name");
  EXPECT_EQ(message([](auto& all) { all[1].name.clear(); }), "picture 1 has no name");
  EXPECT_EQ(message([](auto& all) { all[1].image.pixels.pop_back(); }), "blue/1.png: 767 bytes for 16 x 16 pixels of 3");
  EXPECT_EQ(message([](auto& all) { all[1].labels = 2; }), "some labels are names (\"blue\"), others numbers: the classes must be given");
  EXPECT_EQ(message([](auto& all) { all[1].labels = 3; }, {.classes = kClasses}), "blue/1.png: label 3 is none of the classes 0 to 2");
  EXPECT_EQ(message([](auto& all) { all[1].labels = "pink"; }, {.classes = kClasses}),
            "blue/1.png: \"pink\" is none of the 3 known classes");
  EXPECT_EQ(message(
                [](auto& all) {
                  all[1].labels = std::vector<float>{0.5f, 0.25f, 0.5f};
                },
                {.classes = kClasses}),
            "blue/1.png: soft targets that add up to 1.25, 1 expected");
  EXPECT_EQ(message(
                [](auto& all) {
                  all[1].labels = std::vector<float>{0.5f, 0.5f};
                },
                {.classes = kClasses}),
            "blue/1.png: 2 soft targets for 3 classes");
  EXPECT_EQ(message([](auto& all) { all.erase(all.begin() + 2, all.end()); }), "one class only (\"blue\"); a classifier needs two");
  EXPECT_EQ(message([](auto& all) { all.clear(); }), "a dataset without a picture");
  EXPECT_EQ(message([](auto&) {}, {.classes = {"blue", "green", "blue"}}), "class \"blue\" is given twice");
  EXPECT_EQ(message_of_error([&] { Dataset::from_memory(examples(2)).picture(-1); }), "picture -1 of a dataset of 6");
}

TEST_F(Datasets, ASourceThatFailsIsAPictureThatCannotBeReadOrEndsTheWork) {
  class Failing final : public Drawn {
   public:
    explicit Failing(bool ends) : Drawn(11), ends_(ends) {}
    Image picture(int64_t index) const override {
      if (index == 5 && ends_) throw std::runtime_error("the archive is gone");
      if (index == 5) throw Error(ErrorKind::input, "frame 5 is missing");
      return Drawn::picture(index);
    }

   private:
    const bool ends_;
  };
  TrainOptions own = options(Recipe::full, "");
  Model trained = model();
  const TrainResult result = train(trained, Dataset::from_source(std::make_shared<Failing>(false), {.classes = kClasses}), own);
  ASSERT_EQ(result.left_out.size(), 1u);
  EXPECT_EQ(result.left_out[0].file, "blue/5.png");
  EXPECT_EQ(result.left_out[0].reason, "blue/5.png: frame 5 is missing");
  EXPECT_THROW(train(trained, Dataset::from_source(std::make_shared<Failing>(true), {.classes = kClasses}), own), std::runtime_error);
}

}  // namespace
}  // namespace fovea
