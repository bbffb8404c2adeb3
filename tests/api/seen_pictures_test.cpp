// Which pictures of an evaluation the model was trained on, and what is said of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "api/small_pictures.h"
#include "base/json.h"
#include "base/json_value.h"
#include "base/random.h"
#include "image/codecs.h"
#include "image/resize.h"
#include "support/files.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Soft spots at places of its own on a ground of the class's colour, so that it can be told again when it is smaller.
Image spots(uint64_t seed, size_t colour) {
  constexpr int64_t kSide = 40;
  Image image{kSide, kSide, std::vector<uint8_t>(3 * kSide * kSide)};
  const RandomStream random(seed, "spots");
  for (int64_t y = 0; y < kSide; ++y) {
    for (int64_t x = 0; x < kSide; ++x) {
      double level = 30;
      for (uint64_t k = 0; k < 6; ++k) {
        const double dx = static_cast<double>(x) / kSide - random.uniform(8 * k),
                     dy = static_cast<double>(y) / kSide - random.uniform(8 * k + 1);
        level += 150 * std::exp(-(dx * dx + dy * dy) / 0.01);
      }
      for (size_t c = 0; c < 3; ++c)
        image.pixels[static_cast<size_t>(3 * (y * kSide + x)) + c] = static_cast<uint8_t>(std::min(255.0, level + (c == colour ? 60 : 0)));
    }
  }
  return image;
}

// Of each class `count`, the first drawn from `seed`.
std::vector<Example> drawn(uint64_t seed, int count, const std::string& prefix) {
  std::vector<Example> all;
  for (size_t label = 0; label < kClasses.size(); ++label)
    for (int i = 0; i < count; ++i)
      all.push_back({prefix + kClasses[label] + std::to_string(i), spots(seed++, 2 - label), kClasses[label]});
  return all;
}

TrainOptions quick() {
  TrainOptions options;
  options.recipe = Recipe::full;
  options.optimizer.epochs = 1;
  options.optimizer.batch_size = 4;
  options.data.test = 0;
  return options;
}

Model untrained() {
  Model model = small_colour_model();
  model.replace_head(kClasses);
  return model;
}

std::vector<std::string> names_of(const SeenInTraining& seen) {
  std::vector<std::string> names;
  for (const SeenPicture& one : seen.pictures) names.push_back(one.file + (one.same_pixels ? "" : " nearly"));
  return names;
}

class SeenPictures : public testing::Test {
 protected:
  SeenPictures() { train(model_, Dataset::from_memory(learnt_), quick()); }

  const std::vector<Example> learnt_ = drawn(1, 6, "learnt "), unknown_ = drawn(100, 3, "new ");
  Model model_ = small_colour_model();
};

TEST_F(SeenPictures, AreNamedAndTheOthersHaveFiguresOfTheirOwn) {
  std::vector<Example> mixed = unknown_;
  mixed.push_back({"the same under another name", learnt_[2].image, kClasses[0]});
  mixed.push_back({"half as large", resize(learnt_[7].image, 20, 20, Interpolation::bilinear), kClasses[1]});
  mixed.push_back({"stored with losses", decode_image(encode_jpeg(learnt_[17].image, 60)), kClasses[2]});
  const std::string file = testing::TempDir() + "seen_" + std::to_string(getpid()) + ".safetensors";
  model_.save(file);
  const Model again = Model::load(file);
  fs::remove(file);
  for (const Model& model : {model_, again}) {
    const Evaluation evaluation = evaluate(model, Dataset::from_memory(mixed));
    ASSERT_TRUE(evaluation.seen);
    EXPECT_EQ(evaluation.seen->recorded, 18);
    EXPECT_TRUE(evaluation.seen->all);  // its first weights were random
    EXPECT_THAT(names_of(*evaluation.seen),
                ElementsAre("the same under another name", "half as large nearly", "stored with losses nearly"));
    const Evaluation alone = evaluate(model, Dataset::from_memory(unknown_));
    EXPECT_EQ(evaluation.score.pictures, 12);
    EXPECT_EQ(evaluation.seen->others.pictures, 9);
    EXPECT_EQ(evaluation.seen->others.accuracy, alone.score.accuracy);
    EXPECT_EQ(evaluation.seen->others_loss, alone.loss);
    EXPECT_EQ(evaluation.seen->others_top5, alone.top5);
    EXPECT_THAT(alone.seen->pictures, IsEmpty());
  }
}

TEST_F(SeenPictures, OfEarlierTrainingsStay) {
  train(model_, Dataset::from_memory(unknown_), quick());
  const Evaluation first = evaluate(model_, Dataset::from_memory(learnt_)), second = evaluate(model_, Dataset::from_memory(unknown_));
  EXPECT_EQ(first.seen->recorded, 27);
  EXPECT_THAT(first.seen->pictures, SizeIs(18));
  EXPECT_THAT(second.seen->pictures, SizeIs(9));
  EXPECT_EQ(second.seen->others.pictures, 0);
}

TEST_F(SeenPictures, ThoseThatARunTestsAreNoneOfThem) {
  TrainOptions options = quick();
  options.data.test = 0.3;
  Model model = small_colour_model();
  const TrainResult result = train(model, Dataset::from_memory(learnt_), options);
  const Evaluation all = evaluate(model, Dataset::from_memory(learnt_));
  EXPECT_GT(result.test.pictures, 0);
  EXPECT_EQ(all.seen->others.pictures, result.test.pictures);
  EXPECT_EQ(all.seen->others.accuracy, result.test.accuracy);
}

TEST_F(SeenPictures, StepsByHandLeaveThemToo) {
  Model model = small_colour_model();
  Trainer trainer(model, Dataset::from_memory(learnt_), quick());
  while (const auto batch = trainer.next()) trainer.step(*batch);
  EXPECT_THAT(trainer.evaluate(Dataset::from_memory(learnt_)).seen->pictures, SizeIs(18));
}

TEST_F(SeenPictures, WhatIsNotKnownIsNotClaimed) {
  EXPECT_FALSE(evaluate(untrained(), Dataset::from_memory(learnt_)).seen);
  TrainOptions options = quick();
  options.run.fingerprints = false;
  train(model_, Dataset::from_memory(learnt_), options);
  EXPECT_FALSE(evaluate(model_, Dataset::from_memory(learnt_)).seen);
  // Weights from elsewhere may have seen anything.
  Model other = small_colour_model();
  train(other, Dataset::from_memory(learnt_), quick());
  other.load_state_dict(model_.state_dict());
  const auto seen = evaluate(other, Dataset::from_memory(learnt_)).seen;
  EXPECT_FALSE(seen->all);
  EXPECT_THAT(seen->pictures, SizeIs(18));
}

// Figures of a part are those of that part alone, thresholds of several labels among them.
TEST_F(SeenPictures, TheOthersAreToldByTheModelsThresholds) {
  const auto with_two_labels = [](std::vector<Example> examples) {
    for (size_t i = 0; i < examples.size(); ++i) examples[i].labels = std::vector<std::string>{kClasses[i % 3], kClasses[(i + 1) % 3]};
    return examples;
  };
  const std::vector<Example> learnt = with_two_labels(learnt_), unknown = with_two_labels(unknown_);
  Model model = small_colour_model();
  train(model, Dataset::from_memory(learnt), quick());
  for (const double threshold : {0.01, 0.99}) {
    model.set_thresholds({threshold, threshold, threshold});
    const Evaluation all = evaluate(model, Dataset::from_memory(learnt).join(Dataset::from_memory(unknown)));
    const Evaluation alone = evaluate(model, Dataset::from_memory(unknown));
    EXPECT_EQ(all.seen->others.pictures, alone.score.pictures);
    EXPECT_EQ(all.seen->others.labels->f1_micro, alone.score.labels->f1_micro) << threshold;
  }
  EXPECT_EQ(evaluate(model, Dataset::from_memory(unknown)).score.labels->f1_micro, 0);
}

TEST_F(SeenPictures, PagesSayWhatIsKnown) {
  const std::string page = testing::TempDir() + "seen_" + std::to_string(getpid()) + ".html";
  const auto text_for = [&](const Model& model, const std::vector<Example>& pictures) {
    const Dataset data = Dataset::from_memory(pictures);
    write_report(model, evaluate(model, data), page, data);
    std::string text = contents_of(page);
    fs::remove(page);
    return text;
  };
  const std::string of_new = text_for(model_, unknown_);
  EXPECT_THAT(of_new, HasSubstr("that it never saw in training"));
  EXPECT_THAT(of_new, HasSubstr("None of them is among the"));
  std::vector<Example> mixed = unknown_;
  mixed.push_back(learnt_.front());
  const std::string of_both = text_for(model_, mixed);
  EXPECT_THAT(of_both, HasSubstr("1 of 10 pictures was used in its training (1 pixel by pixel, 0 nearly)"));
  EXPECT_THAT(of_both, HasSubstr("data-of=\"test.seen_in_training.others.accuracy\""));
  EXPECT_THAT(of_both, Not(HasSubstr("never saw")));
  EXPECT_THAT(of_both, Not(HasSubstr("of new pictures like these")));
  const std::string of_nobody = text_for(untrained(), unknown_);
  EXPECT_THAT(of_nobody, HasSubstr("is not recorded in it"));
  EXPECT_THAT(of_nobody, Not(HasSubstr("never saw")));
  model_.load_state_dict(model_.state_dict());
  const std::string of_other_weights = text_for(model_, unknown_);
  EXPECT_THAT(of_other_weights, HasSubstr("that it was given"));
  EXPECT_THAT(of_other_weights, HasSubstr("trained on is not known"));
}

// A folder with train/ and test/ of the caller's own may hold a picture twice.
TEST_F(SeenPictures, ARunTellsOfCopiesAmongItsTestPictures) {
  std::vector<Example> copies = drawn(200, 2, "test ");
  copies.push_back({"a copy", learnt_[3].image, kClasses[0]});
  const std::string out = testing::TempDir() + "seen_run_" + std::to_string(getpid());
  TrainOptions options = quick();
  options.run.out = out;
  Model model = small_colour_model();
  train(model, Dataset::from_memory(learnt_).join(Dataset::from_memory(copies).as(Part::test)), options);
  const nlohmann::json metrics = parse_json(contents_of(fs::path(out) / "metrics.json"));
  const std::string text = contents_of(fs::path(out) / "report.html");
  fs::remove_all(out);
  const auto& seen = metrics.at("test").at("seen_in_training");
  ASSERT_THAT(seen.at("pictures"), SizeIs(1));
  EXPECT_EQ(seen.at("pictures").at(0).at("file"), "a copy");
  EXPECT_EQ(seen.at("others").at("pictures"), 6);
  EXPECT_THAT(text, HasSubstr("1 of 7 pictures was used in its training"));
}

}  // namespace
}  // namespace fovea
