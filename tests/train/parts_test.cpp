// Schedules, groups, metrics, recipes, batches and standardization: what a run is put together from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "models/registry.h"
#include "train/comparison.h"
#include "train/groups.h"
#include "train/metrics.h"
#include "train/recipes.h"
#include "train/schedule.h"
#include "train/standardize.h"
#include "train/step_runner.h"

namespace fovea::training {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Schedule, WarmsUpThenFollowsACosine) {
  const Schedule schedule{RateSchedule::cosine, 2.0, 4, 12};
  EXPECT_DOUBLE_EQ(rate_at(schedule, 0), 0.5);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 3), 2.0);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 4), 2.0);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 8), 1.0);  // half-way down
  EXPECT_NEAR(rate_at(schedule, 11), 1 + std::cos(7 * M_PI / 8), 1e-12);
  EXPECT_DOUBLE_EQ(rate_at({RateSchedule::cosine, 2.0, 0, 8}, 0), 2.0);
}

TEST(Batches, ARestOfOneJoinsTheBatchBefore) {
  const auto sizes = [](int64_t pictures, int64_t batch) {
    const Batches batches{pictures, batch};
    std::vector<int64_t> result;
    for (int64_t i = 0; i < batches.count(); ++i) result.push_back(batches.size(i));
    return result;
  };
  EXPECT_THAT(sizes(8, 4), ElementsAre(4, 4));
  EXPECT_THAT(sizes(9, 4), ElementsAre(4, 5));
  EXPECT_THAT(sizes(10, 4), ElementsAre(4, 4, 2));
  EXPECT_THAT(sizes(5, 4), ElementsAre(5));
  EXPECT_THAT(sizes(3, 4), ElementsAre(3));
}

TEST(Groups, RatesFallWithDepthAndOnlyMatricesDecay) {
  const models::Variant& variant = models::get("resnet18");
  const ModelGraph model = models::build(variant, {});
  const auto options = parameter_groups(model, variant, {.lowest = 0.01});
  const auto of = [&](const char* name) { return options(*model.graph.find_state(name)); };
  EXPECT_DOUBLE_EQ(of("fc.weight").rate_scale, 1.0);
  EXPECT_DOUBLE_EQ(of("conv1.weight").rate_scale, 0.01);
  EXPECT_LT(of("layer1.0.conv1.weight").rate_scale, of("layer2.0.conv1.weight").rate_scale);
  EXPECT_DOUBLE_EQ(of("layer3.0.conv1.weight").rate_scale, of("layer3.1.bn2.bias").rate_scale);
  EXPECT_LT(of("layer4.1.conv2.weight").rate_scale, 1.0);
  EXPECT_DOUBLE_EQ(of("fc.weight").decay_scale, 1.0);
  EXPECT_DOUBLE_EQ(of("fc.bias").decay_scale, 0.0);
  EXPECT_DOUBLE_EQ(of("bn1.weight").decay_scale, 0.0);
}

TEST(Metrics, CountsByClass) {
  Tally tally({"a", "b", "c"});
  tally.add(std::vector<float>{2, 1, 0}, 0);
  tally.add(std::vector<float>{2, 1, 0}, 1);
  tally.add(std::vector<float>{0, 1, 3}, 2);
  tally.add(std::vector<float>{1, 1, 0}, 1);  // a tie goes to the first
  const Evaluation result = tally.finish();
  EXPECT_EQ(result.score.pictures, 4);
  EXPECT_DOUBLE_EQ(result.score.accuracy, 0.5);
  EXPECT_DOUBLE_EQ(result.top5, 1.0);
  EXPECT_THAT(result.confusion, ElementsAre(ElementsAre(1, 0, 0), ElementsAre(2, 0, 0), ElementsAre(0, 0, 1)));
  EXPECT_EQ(result.classes[1].pictures, 2);
  EXPECT_EQ(result.classes[1].correct, 0);
  const double first = std::log(std::exp(2) + std::exp(1) + 1);
  EXPECT_NEAR(result.loss,
              ((first - 2) + (first - 1) + std::log(1 + std::exp(1) + std::exp(3)) - 3 + std::log(2 * std::exp(1) + 1) - 1) / 4, 1e-12);
}

TEST(Metrics, TopFive) {
  const std::vector<float> logits{6, 5, 4, 3, 2, 1};
  EXPECT_TRUE(in_top(logits, 4, 5));
  EXPECT_FALSE(in_top(logits, 5, 5));
}

TEST(Metrics, CrossEntropyOfLargeLogitsIsFinite) { EXPECT_NEAR(cross_entropy(std::vector<float>{1e4f, 0}, 1), 1e4, 1e-6); }

TEST(Standardization, AFoldedHeadIsTheSameFunction) {
  const std::vector<std::vector<float>> rows{{1, 100, 5}, {3, 300, 5}, {2, -50, 5}};  // the last feature never changes
  Standardization standardization(3);
  for (const auto& row : rows) standardization.count(row);
  standardization.finish();
  std::vector<float> weight{0.5f, -1, 2, 1, 0.25f, -3}, bias{0.1f, -0.2f};
  const std::vector<float> weight_before = weight, bias_before = bias;
  standardization.fold(weight, bias);
  std::vector<double> sum(3);
  for (const auto& row : rows) {
    std::vector<float> x(3);
    standardization.apply(row, x);
    for (size_t i = 0; i < 3; ++i) sum[i] += static_cast<double>(x[i]);
    for (size_t k = 0; k < 2; ++k) {
      double before = bias_before[k], after = bias[k];
      for (size_t i = 0; i < 3; ++i) {
        before += static_cast<double>(weight_before[3 * k + i]) * x[i];
        after += static_cast<double>(weight[3 * k + i]) * row[i];
      }
      EXPECT_NEAR(before, after, 1e-5);
    }
  }
  for (double s : sum) EXPECT_NEAR(s, 0, 1e-6);
}

TEST(Recipes, AutomaticGoesByPicturesAndWeights) {
  EXPECT_EQ(make_plan({}, {200, 30, true}).recipe, "probe");
  EXPECT_THAT(make_plan({}, {200, 30, true}).reason, HasSubstr("200 training pictures"));
  EXPECT_EQ(make_plan({}, {5000, 500, true}).recipe, "finetune");
  EXPECT_EQ(make_plan({}, {200, 30, false}).recipe, "full");
  TrainOptions tap;
  tap.freeze = "layer3";
  EXPECT_EQ(make_plan(tap, {200, 30, true}).recipe, "finetune");
  tap.freeze = "all";
  EXPECT_EQ(make_plan(tap, {5000, 30, true}).recipe, "probe");
}

TEST(Recipes, ProbeRefitsOnlyWhereThereIsValidation) {
  TrainOptions options;
  options.recipe = Recipe::probe;
  EXPECT_EQ(make_plan(options, {200, 30, true}).phases.size(), 2u);
  EXPECT_TRUE(make_plan(options, {200, 30, true}).phases[1].with_validation);
  EXPECT_EQ(make_plan(options, {200, 0, true}).phases.size(), 1u);
}

TEST(Recipes, OfFewPicturesBothAreTriedWhereValidationCanTell) {
  const auto names = [](const Plan& plan) {
    std::vector<std::string> result;
    for (const Phase& phase : plan.phases) result.push_back(phase.name + (phase.trial ? " as a trial" : ""));
    return result;
  };
  EXPECT_THAT(names(make_plan({}, {200, 30, true})), ElementsAre("head", "all as a trial", "refit"));
  EXPECT_THAT(names(make_plan({}, {40, 8, true})), ElementsAre("head", "refit"));
  EXPECT_THAT(names(make_plan({}, {200, 0, true})), ElementsAre("head"));
  Facts many{1500, 200, true};
  EXPECT_THAT(names(make_plan({}, many)), ElementsAre("head", "all"));
  many.classes = 100;  // 15 of each
  EXPECT_THAT(names(make_plan({}, many)), ElementsAre("head", "all as a trial", "refit"));
  EXPECT_THAT(make_plan({}, many).reason, AllOf(HasSubstr("1500 training pictures, 15 a class"), HasSubstr("200 validation pictures")));
  Facts other{200, 30, true};
  other.linear_head = false;
  EXPECT_THAT(names(make_plan({}, other)), ElementsAre("head", "refit"));
}

TEST(Recipes, TheProbeIsSolvedForUnlessStepsAreAskedFor) {
  TrainOptions options;
  options.recipe = Recipe::probe;
  EXPECT_TRUE(make_plan(options, {200, 30, true}).phases[0].solved);
  options.optimizer.epochs = 5;
  EXPECT_FALSE(make_plan(options, {200, 30, true}).phases[0].solved);
  options = {};
  options.recipe = Recipe::finetune;
  options.optimizer.epochs = 5;
  EXPECT_TRUE(make_plan(options, {200, 30, true}).phases[0].solved);
  options.regularization.loss = Loss::focal;
  EXPECT_FALSE(make_plan(options, {200, 30, true}).phases[0].solved);
}

TEST(Recipes, StepsAreOfTheTrialWhereThereIsOne) {
  TrainOptions options;
  options.optimizer.epochs = 5;
  options.optimizer.batch_size = 8;
  options.optimizer.patience = 3;
  options.regularization.dropout = 0.4;
  const Plan both = make_plan(options, {200, 30, true});
  ASSERT_EQ(both.phases.size(), 3u);
  EXPECT_TRUE(both.phases[0].solved);
  EXPECT_EQ(both.phases[1].epochs, 5);
  EXPECT_EQ(both.phases[1].batch, 8);
  EXPECT_EQ(both.phases[1].patience, 3);
  EXPECT_THAT(both.unused, IsEmpty());
  const Plan head = make_plan(options, {40, 8, true});  // too few to compare by
  EXPECT_FALSE(head.phases[0].solved);
  EXPECT_THAT(head.unused, IsEmpty());
}

// Refused where the recipe was asked for, told where it was chosen.
TEST(Recipes, WhatMeansNothingToThemIsTold) {
  struct Case {
    Recipe recipe;
    std::function<void(TrainOptions&)> give;
    const char* option;
  };
  const std::vector<Case> cases{
      {Recipe::probe, [](TrainOptions& o) { o.optimizer.patience = 3; }, "patience 3"},
      {Recipe::probe, [](TrainOptions& o) { o.optimizer.ema_decay = 0.9; }, "decay of averaged weights 0.9"},
      {Recipe::probe, [](TrainOptions& o) { o.optimizer.clip_grad = 2; }, "clipping norm 2"},
      {Recipe::probe, [](TrainOptions& o) { o.optimizer.schedule = RateSchedule::plateau; }, "schedule plateau"},
      {Recipe::probe, [](TrainOptions& o) { o.optimizer.schedule = RateSchedule::cosine; },
       "schedule cosine"},  // the usual one, but asked for
      {Recipe::probe, [](TrainOptions& o) { o.optimizer.grad_accum_steps = 4; }, "accumulate 4"},
      {Recipe::probe, [](TrainOptions& o) { o.optimizer.warmup = 0.2; }, "warm-up 0.2"},
      {Recipe::probe, [](TrainOptions& o) { o.regularization.dropout = 0.5; }, "dropout 0.5"},
      {Recipe::probe, [](TrainOptions& o) { o.run.memory_bytes = 500'000'000; }, "memory of 500 MB"},
      {Recipe::probe, [](TrainOptions& o) { o.augmentation.stored_views = 2; }, "stored views 2"},
      {Recipe::probe, [](TrainOptions& o) { o.data.feature_cache = FeatureCache::disk; }, "cache disk"},
      {Recipe::full, [](TrainOptions& o) { o.augmentation.stored_views = 2; }, "stored views 2"},
      {Recipe::full, [](TrainOptions& o) { o.freeze = "all", o.optimizer.layer_decay = 0.5; }, "layer decay 0.5"},
      {Recipe::full, [](TrainOptions& o) { o.freeze = "all", o.regularization.stochastic_depth = 0.1; }, "stochastic depth 0.1"},
      {Recipe::full, [](TrainOptions& o) { o.freeze = "layer1", o.augmentation.policy = Augment::off, o.augmentation.stored_views = 2; },
       "stored views 2"},
  };
  for (const Case& one : cases) {
    TrainOptions options;
    options.recipe = one.recipe;
    one.give(options);
    const std::string sentence = fmt::format("{} means nothing to the recipe {}", one.option, to_string(one.recipe));
    try {
      make_plan(options, {200, 30, true});
      ADD_FAILURE() << sentence << ": nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_THAT(error.what(), HasSubstr(sentence));
    }
    if (one.recipe != Recipe::probe) continue;
    options.recipe = Recipe::automatic;
    EXPECT_THAT(make_plan(options, {40, 8, true}).unused, ElementsAre(HasSubstr(sentence)));
    if (options.augmentation.stored_views > 0 || options.data.feature_cache == FeatureCache::disk) continue;
    EXPECT_THAT(make_plan(options, {200, 30, true}).unused, IsEmpty()) << one.option << ", of the trial";
    options.recipe = Recipe::probe;
    options.optimizer.epochs = 5;
    EXPECT_THAT(make_plan(options, {200, 30, true}).unused, IsEmpty()) << one.option << ", of its steps";
  }
}

TEST(Comparison, ADifferenceConvincesBeyondTwiceItsStandardError) {
  std::vector<int> before(20, 1), after(20, 1);
  for (size_t i = 0; i < 6; ++i) before[i] = 0;
  for (size_t i = 0; i < 5; ++i) after[i] = 0;
  const Comparison one = compare(before, after);
  EXPECT_DOUBLE_EQ(one.before, 0.7);
  EXPECT_DOUBLE_EQ(one.after, 0.75);
  EXPECT_NEAR(one.error, 0.05, 1e-12);  // of one picture: the difference itself
  EXPECT_FALSE(one.convinces());
  after[0] = 1;
  EXPECT_FALSE(compare(before, after).convinces()) << "two pictures of twenty";
  after[1] = after[2] = after[3] = 1;
  EXPECT_TRUE(compare(before, after).convinces()) << "five";
  EXPECT_FALSE(compare(after, before).convinces());
  after = before;  // as many right, but others: two won, two lost
  after[0] = after[1] = 1;
  after[10] = after[11] = 0;
  EXPECT_NEAR(compare(before, after).error, std::sqrt(0.2 / 19), 1e-12);
  EXPECT_THAT(one.text("probe", "finetune"), AllOf(HasSubstr("70.0 %"), HasSubstr("75.0 %"), HasSubstr("+5.0"), HasSubstr("error of 5.0")));
}

TEST(Recipes, OptionsReplaceTheNumbers) {
  TrainOptions options;
  options.recipe = Recipe::finetune;
  options.freeze = "layer2";
  options.optimizer.epochs = 3;
  options.optimizer.lr = 0.5;
  options.optimizer.kind = Optimizer::sgd;
  const Plan plan = make_plan(options, {5000, 10, true});
  ASSERT_EQ(plan.phases.size(), 2u);
  EXPECT_EQ(plan.phases[0].freeze, "all");
  EXPECT_EQ(plan.phases[1].freeze, "layer2");
  EXPECT_EQ(plan.phases[1].epochs, 3);
  EXPECT_DOUBLE_EQ(plan.phases[1].rate, 0.5);
  EXPECT_EQ(plan.phases[1].optimizer.kind, OptimizerOptions::Kind::sgd);
}

TEST(Recipes, ContradictionsAndNonsenseAreToldWithTheirValues) {
  const auto message = [](const TrainOptions& options) -> std::string {
    try {
      make_plan(options, {200, 30, true});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return error.what();
    }
    return "nothing was thrown";
  };
  TrainOptions options;
  options.recipe = Recipe::probe;
  options.freeze = "layer1";
  EXPECT_THAT(message(options), HasSubstr("freeze layer1"));
  options = {};
  options.optimizer.batch_size = 1;
  EXPECT_THAT(message(options), HasSubstr("batch is 1"));
  options = {};
  options.optimizer.lr = -3;
  EXPECT_THAT(message(options), HasSubstr("-3"));
  options = {};
  options.regularization.focal_gamma = 3;
  EXPECT_THAT(message(options), HasSubstr("a focal gamma of 3 is about the loss focal"));
  options = {};
  options.optimizer.momentum = 0.5;
  EXPECT_THAT(message(options), HasSubstr("a momentum of 0.5 is of sgd, nesterov and rmsprop, the optimizer is adamw"));
}

}  // namespace
}  // namespace fovea::training
