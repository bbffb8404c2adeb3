// What a run can be told about its steps: accumulation, clipping, averages, schedules with a memory, patience, losses, presets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "base/json_value.h"
#include "models/registry.h"
#include "ops/dropout.h"
#include "passes/drop_paths.h"
#include "train/groups.h"
#include "train/preset.h"
#include "train/rate_finder.h"
#include "train/schedule.h"
#include "train/small_run.h"
#include "train/step_runner.h"
#include "weights/model_file.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// ---- steps ----

constexpr int64_t kSize = 8, kClasses = 3;

// No batch norm: the loss of a batch is the mean of its pictures'.
ModelGraph plain_network(int64_t batch) {
  ModelGraph model;
  Scope s(model.graph, model.taps, model.positions);
  Value x(model.graph, model.graph.input("image", {DType::f32, {batch, 3, kSize, kSize}}));
  model.image = x.id();
  const Init init = uniform_init(0.3);
  x = silu(conv2d(s["0"], x, {.out = 6, .kernel = 3, .stride = 2, .padding = 1, .bias = true, .weight = init}));
  model.map = x.id();
  x = global_average_pool(x);
  model.pooled = x.id();
  model.logits = linear(s["1"], x, {.out = kClasses, .weight = init, .bias = init}).id();
  return model;
}

// The weights after two steps of the optimizer on eight pictures each, in batches of `batch`.
std::map<std::string, std::vector<float>> two_steps(int64_t batch, int64_t accumulate, OptimizerOptions::Kind kind, double clip_norm) {
  StepOptions options;
  options.optimizer.kind = kind;
  options.clip_norm = clip_norm;
  auto store = std::make_shared<engine::StateStore>();
  const auto build = [&](int64_t pictures, Gradients gradients, const passes::RecomputeOptions&) {
    options.gradients = gradients;
    return build_step(lower_for_training(plain_network(pictures), {}), options);
  };
  StepRunner runner(build, {"image"}, cpu::cpu_backend(), store, std::make_shared<engine::Arena>(), 1);
  const Batches batches{8, batch, accumulate};
  runner.compile(batches);
  const Graph graph = plain_network(1).graph;
  for (const State& state : graph.states()) store->set(state.name, initialize(state, 3, DType::f32));
  const RandomStream noise(4, "pictures");
  std::vector<float> pictures(8 * 3 * kSize * kSize);
  for (size_t i = 0; i < pictures.size(); ++i) pictures[i] = static_cast<float>(noise.normal(i));
  const std::vector<int32_t> labels{0, 1, 2, 0, 2, 1, 1, 0};
  for (int64_t epoch = 0; epoch < 2; ++epoch)
    for (int64_t n = 0; n < batches.count(); ++n) {
      const auto begin = static_cast<size_t>(batches.begin(n)), size = static_cast<size_t>(batches.size(n)), picture = pictures.size() / 8;
      StepInput input{std::span(pictures).subspan(begin * picture, size * picture), std::span(labels).subspan(begin, size)};
      input.rate = 0.1;
      input.step = epoch * batches.count() + n;
      input.group = batches.group(epoch, n);
      runner.run(input);
    }
  std::map<std::string, std::vector<float>> weights;
  for (const State& state : graph.states()) {
    const Tensor tensor = store->get(state.name);
    weights[state.name].assign(tensor.values<float>().begin(), tensor.values<float>().end());
  }
  return weights;
}

// 3, 3 and 2 pictures: the batches do not count alike.
TEST(Accumulation, IsOneLargeBatch) {
  for (const auto kind : {OptimizerOptions::Kind::sgd, OptimizerOptions::Kind::adamw, OptimizerOptions::Kind::rmsprop})
    for (double clip_norm : {0.0, 0.05}) {
      const auto whole = two_steps(8, 1, kind, clip_norm), parts = two_steps(3, 3, kind, clip_norm);
      for (const auto& [name, values] : whole)
        for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(parts.at(name)[i], values[i], 2e-6) << name << " " << i;
    }
  EXPECT_NE(two_steps(3, 1, OptimizerOptions::Kind::sgd, 0), two_steps(3, 3, OptimizerOptions::Kind::sgd, 0));
}

TEST(Accumulation, TheLastGroupOfAnEpochMayBeSmaller) {
  const Batches batches{22, 4, 2};  // 4 4 | 4 4 | 4 2
  EXPECT_EQ(batches.updates(), 3);
  EXPECT_DOUBLE_EQ(batches.group(0, 4).share, 4.0 / 6);
  EXPECT_DOUBLE_EQ(batches.group(0, 5).share, 2.0 / 6);
  const Batches odd{18, 4, 2};  // 4 4 | 4 4 | 2
  EXPECT_EQ(odd.updates(), 3);
  const Group last = odd.group(2, 4);
  EXPECT_TRUE(last.first && last.last);
  EXPECT_DOUBLE_EQ(last.share, 1);
  EXPECT_EQ(last.update, 8);
}

// ---- stochastic depth ----

std::vector<double> drop_rates(const char* name, double last) {
  BuildOptions options;
  options.height = options.width = 224;
  const ModelGraph model = models::build(models::get(name), options);
  const Graph graph = passes::set_drop_paths(model.graph, model.image, last);
  verify(graph);
  std::vector<double> rates;
  for (const NodeInfo& node : graph.nodes())
    if (const auto* dropout = node.op.as<Dropout>(); dropout && dropout->per_sample) rates.push_back(dropout->probability);
  return rates;
}

TEST(StochasticDepth, RisesLinearlyOverTheBlocks) {
  for (const auto& [name, blocks, branches] :
       {std::tuple("resnet18", 8, 8), std::tuple("resnetv2_50", 16, 16), std::tuple("convnext_tiny", 18, 18),
        std::tuple("vit_b_32", 12, 24), std::tuple("deit_tiny_patch16_224", 12, 24), std::tuple("efficientnet_b0", 9, 9),
        std::tuple("mobilenet_v2", 10, 10), std::tuple("vit_dwee_patch16_reg1_gap_256", 14, 28),
        std::tuple("vit_pwee_patch16_reg1_gap_256", 16, 16)}) {
    const std::vector<double> rates = drop_rates(name, 0.3);
    ASSERT_EQ(rates.size(), static_cast<size_t>(branches)) << name;
    const int64_t each = branches / blocks;
    for (int64_t i = 0; i < branches; ++i) {
      const double wanted = 0.3 * static_cast<double>(i / each) / (blocks - 1);
      EXPECT_NEAR(rates[static_cast<size_t>(i)], wanted, 1e-12) << name << ", branch " << i;
    }
  }
}

TEST(StochasticDepth, NeedsResidualBlocks) {
  for (const char* name : {"vgg11", "densenet121", "mobilenetv1_100"}) EXPECT_THROW(drop_rates(name, 0.3), Error) << name;
}

TEST(StochasticDepth, EveryBranchHasAMaskOfItsOwn) {
  const ModelGraph model = models::build(models::get("resnet18"), {});
  const Graph graph = lower_for_training(model, {}, 0.3);
  std::set<int64_t> streams;
  int masks = 0;
  for (const NodeInfo& node : graph.nodes())
    if (const auto* mask = node.op.as<RandomMask>()) {
      streams.insert(mask->stream);
      ++masks;
    }
  EXPECT_EQ(masks, 7);  // the first block's rate is 0
  EXPECT_EQ(streams.size(), 7u);
}

// ---- rates ----

TEST(LayerDecay, IsTheRateOfAGroupOfTheOneAbove) {
  const models::Variant& variant = models::get("resnet18");
  const ModelGraph model = models::build(variant, {});
  const auto options = parameter_groups(model, variant, {.layer_decay = 0.5});
  const auto of = [&](const char* name) { return options(*model.graph.find_state(name)).rate_scale; };
  EXPECT_DOUBLE_EQ(of("fc.weight"), 1);
  EXPECT_DOUBLE_EQ(of("layer3.0.conv1.weight") / of("layer4.0.conv1.weight"), 0.5);
  EXPECT_DOUBLE_EQ(of("layer1.0.conv1.weight") / of("layer2.0.conv1.weight"), 0.5);
}

TEST(Averages, TheFirstStepsCountLess) {
  EXPECT_DOUBLE_EQ(average_decay(0.99, 0), 2.0 / 11);
  EXPECT_DOUBLE_EQ(average_decay(0.99, 100000), 0.99);
}

TEST(RateFinder, SuggestsWhereTheLossFallsFastest) {
  std::vector<RateTrial> trials;
  for (int i = 0; i < 60; ++i) {
    const double x = i / 10.0, loss = 2 - 1 / (1 + std::exp(-4 * (x - 3))) + (i > 50 ? 0.5 * (i - 50) : 0);
    trials.push_back({std::pow(10, x - 6), loss, loss});
  }
  EXPECT_NEAR(std::log10(suggest_rate(trials)), -3, 0.11);
  EXPECT_EQ(suggest_rate(std::span(trials).subspan(51)), 0);  // it only rises
  EXPECT_EQ(suggest_rate({}), 0);
}

// ---- presets ----

TEST(Preset, BitGoesByTheNumberOfPictures) {
  TrainOptions options;
  options.preset = Preset::bit;
  options.optimizer.batch_size = 64;
  const Plan few = make_plan(options, {6400, 100, true});
  EXPECT_EQ(few.recipe, "full");
  const Phase& phase = few.phases.back();
  EXPECT_STREQ(to_string(phase.optimizer), "sgd");
  EXPECT_DOUBLE_EQ(phase.rate, 0.003 * 64 / 512);
  EXPECT_EQ(phase.schedule, RateSchedule::step);
  EXPECT_EQ(phase.epochs, 5);
  EXPECT_DOUBLE_EQ(phase.warmup, 0.2);
  EXPECT_DOUBLE_EQ(phase.optimizer.weight_decay, 0);
  EXPECT_TRUE(phase.zero_head);
  const Plan many = make_plan(options, {64000, 100, true});
  EXPECT_EQ(many.phases.back().epochs, 10);
  EXPECT_DOUBLE_EQ(many.phases.back().warmup, 0.05);
  EXPECT_EQ(make_plan(options, {640000, 100, true}).phases.back().epochs, 2);
}

TEST(Preset, BitCropsByTheAreaOfThePictures) {
  EXPECT_EQ(bit_resolution(96 * 96 - 1).size, 128);
  EXPECT_EQ(bit_resolution(96 * 96 - 1).resized, 160);
  EXPECT_EQ(bit_resolution(96 * 96).size, 480);
  EXPECT_EQ(bit_resolution(96 * 96).resized, 512);
  TrainOptions options;
  options.preset = Preset::bit;
  const auto shown = [&](double area) { return *make_plan(options, {640, 100, true, false, true, 3, area}).phases.back().augmentation; };
  image::Augmentation wanted{.enlarged = 1.25, .flip = 0.5};
  EXPECT_EQ(shown(32 * 32), wanted);
  wanted.enlarged = 512.0 / 480;
  EXPECT_EQ(shown(640 * 480), wanted);
  options.augmentation.policy = Augment::standard;  // what is asked for is done
  EXPECT_TRUE(shown(32 * 32).random_resized_crop);
  options.augmentation.policy = Augment::off;
  EXPECT_FALSE(make_plan(options, {640, 100, true}).phases.back().augmentation);
}

TEST(Preset, BitPreparesPicturesAsFarAsTheNetworkCan) {
  TrainOptions options;
  Preprocessing own;
  own.height = own.width = 42;
  own.resize = 48;
  const auto prepared = [&](int64_t multiple, double area) {
    models::Variant variant = small_variant();
    variant.size_multiple = multiple;
    return prepare(own, engine::Network(variant, engine::NetworkForm{{"a", "b"}}, own, std::nullopt), options, area);
  };
  EXPECT_EQ(prepared(1, 1024).preprocessing, own);
  EXPECT_EQ(prepared(1, 1024).reason, "");
  options.preset = Preset::bit;
  const Prepared small = prepared(1, 1024), large = prepared(1, 1e6), odd = prepared(14, 1e6);
  EXPECT_EQ(std::pair(small.preprocessing.height, small.preprocessing.width), std::pair(int64_t{128}, int64_t{128}));
  EXPECT_EQ(small.preprocessing.resize, 146);
  EXPECT_EQ(small.preprocessing.fit, Fit::squash);
  EXPECT_EQ(large.preprocessing.height, 480);
  EXPECT_THAT(small.reason, AllOf(HasSubstr("1024 pixels, fewer than 96x96"), HasSubstr("160x160"), HasSubstr("128x128")));
  EXPECT_THAT(large.reason, AllOf(HasSubstr("not fewer than 96x96"), HasSubstr("512x512"), HasSubstr("480x480")));
  EXPECT_EQ(odd.preprocessing.height, 42);
  EXPECT_THAT(odd.reason, AllOf(HasSubstr("42x42 stays, for 480x480 cannot be"), HasSubstr("multiples of 14")));
  options.views.keep_size = true;
  EXPECT_EQ(prepared(1, 1e6).preprocessing.height, 42);
  EXPECT_THAT(prepared(1, 1e6).reason, HasSubstr("42x42 was asked for"));
}

// ---- runs ----

class TrainingChoice : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_choice_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    draw_pictures(folder_ / "pictures", 11);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TrainOptions options(const char* out) const {
    TrainOptions options;
    options.recipe = Recipe::full;
    options.optimizer.epochs = 3;
    options.optimizer.batch_size = 4;
    options.run.seed = 5;
    if (out) options.run.out = (folder_ / out).string();
    return options;
  }
  SmallRun run(const TrainOptions& options) const { return run_small(folder_ / "pictures", options); }
  std::string model(const char* out) const { return bytes_of(folder_ / out / "model.safetensors"); }
  nlohmann::json metrics(const char* out) const { return nlohmann::json::parse(bytes_of(folder_ / out / "metrics.json")); }

  void expect_the_same_in_pieces(TrainOptions own, const char* what) const {
    own.run.out = (folder_ / "whole").string();
    fs::remove_all(own.run.out);
    run(own);
    own.run.out = (folder_ / "pieces").string();
    for (int every : {3, 5}) {
      fs::remove_all(own.run.out);
      own.run.resume = false;
      int pieces = 0;
      for (bool interrupted = true; interrupted; ++pieces) {
        int calls = 0;
        own.run.progress = [&](const TrainProgress&) { return ++calls < every; };
        interrupted = run(own).result.interrupted;
        own.run.resume = true;
      }
      EXPECT_GT(pieces, 2) << what;
      EXPECT_EQ(model("whole"), model("pieces")) << what << ", every " << every;
    }
  }
  std::string message(const TrainOptions& options) const {
    try {
      run(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  fs::path folder_;
};

// Interrupted in the middle of groups too: there are 7 batches an epoch in groups of 3.
TEST_F(TrainingChoice, InterruptedAnywhereAllOfThemEndWithTheSameBits) {
  TrainOptions own = options(nullptr);
  own.optimizer.kind = Optimizer::rmsprop;
  own.optimizer.grad_accum_steps = 3;
  own.optimizer.clip_grad = 0.5;
  own.optimizer.ema_decay = 0.9;
  own.regularization.loss = Loss::focal;
  own.regularization.class_weights = true;
  own.optimizer.schedule = RateSchedule::one_cycle;
  expect_the_same_in_pieces(own, "rmsprop, accumulated, clipped, averaged, focal, one cycle");
  own = options(nullptr);
  own.optimizer.kind = Optimizer::nesterov;
  own.optimizer.schedule = RateSchedule::plateau;
  own.optimizer.lr = 0.3;  // bad epochs, and so a plateau, early
  own.optimizer.epochs = 6;
  own.optimizer.patience = 4;
  own.regularization.loss = Loss::binary_cross_entropy;
  own.regularization.dropout = 0.4;
  expect_the_same_in_pieces(own, "nesterov, plateau, patience, binary");
}

TEST_F(TrainingChoice, EachChangesTheRun) {
  run(options("plain"));
  const auto differs = [&](const char* what, auto change) {
    TrainOptions own = options("other");
    change(own);
    fs::remove_all(folder_ / "other");
    run(own);
    EXPECT_NE(model("plain"), model("other")) << what;
  };
  differs("accumulate", [](TrainOptions& o) { o.optimizer.grad_accum_steps = 2; });
  differs("clip", [](TrainOptions& o) { o.optimizer.clip_grad = 0.01; });
  differs("ema", [](TrainOptions& o) { o.optimizer.ema_decay = 0.9; });
  differs("step", [](TrainOptions& o) { o.optimizer.schedule = RateSchedule::step; });
  differs("constant", [](TrainOptions& o) { o.optimizer.schedule = RateSchedule::constant; });
  differs("one cycle", [](TrainOptions& o) { o.optimizer.schedule = RateSchedule::one_cycle; });
  differs("layer decay", [](TrainOptions& o) { o.optimizer.layer_decay = 0.5; });
  differs("focal", [](TrainOptions& o) { o.regularization.loss = Loss::focal; });
  differs("binary", [](TrainOptions& o) { o.regularization.loss = Loss::binary_cross_entropy; });
  differs("dropout", [](TrainOptions& o) { o.regularization.dropout = 0.5; });
}

TEST_F(TrainingChoice, PatienceEndsAPhase) {
  TrainOptions own = options("run");
  own.optimizer.epochs = 40;
  own.optimizer.patience = 2;
  own.optimizer.lr = 1e-9;  // nothing gets better but by the running statistics
  const TrainResult result = run(own).result;
  EXPECT_LT(result.epochs, 40);
  EXPECT_EQ(result.epochs - result.best_epoch, 2);
}

TEST_F(TrainingChoice, TheAveragedWeightsAreTheOnesKept) {
  TrainOptions own = options("run");
  own.optimizer.ema_decay = 0.95;
  const SmallRun done = run(own);
  const auto saved = weights::read_model_file(folder_ / "run/model.safetensors");
  for (const auto& [name, tensor] : saved.tensors) EXPECT_EQ(name.find(':'), name.npos) << name;
  const engine::StateStore& store = *done.network->store();
  for (const auto& [name, entry] : store.entries()) EXPECT_EQ(name.find(':'), name.npos) << name;  // no averages left
}

TEST_F(TrainingChoice, RareClassesCountMoreWithWeights) {
  for (int i = 3; i < 11; ++i) fs::remove(folder_ / "pictures/red" / (std::to_string(i) + ".bmp"));
  TrainOptions own = options("run");
  own.data.validation = 0;
  own.regularization.class_weights = true;
  run(own);
  EXPECT_EQ(metrics("run")["phases"][0]["class_weights"], true);
  const std::vector<float> weights = class_weights_of(find_pictures((folder_ / "pictures").string()).train);
  ASSERT_EQ(weights.size(), 3u);
  EXPECT_NEAR(weights[0] + weights[1] + weights[2], 3, 1e-6);
  EXPECT_NEAR(weights[2] / weights[0], 11.0 / 3, 1e-5);
}

TEST_F(TrainingChoice, ContradictionsNameBothSides) {
  const auto contradiction = [&](auto change) {
    TrainOptions own = options(nullptr);
    change(own);
    return message(own);
  };
  EXPECT_THAT(contradiction([](TrainOptions& o) { o.data.validation = 0, o.optimizer.patience = 3; }),
              AllOf(HasSubstr("patience"), HasSubstr("validation")));
  EXPECT_THAT(contradiction([](TrainOptions& o) { o.data.validation = 0, o.optimizer.schedule = RateSchedule::plateau; }),
              AllOf(HasSubstr("plateau"), HasSubstr("validation")));
  EXPECT_THAT(contradiction([](TrainOptions& o) { o.recipe = Recipe::probe, o.optimizer.layer_decay = 0.7; }),
              AllOf(HasSubstr("probe"), HasSubstr("layer decay 0.7")));
  EXPECT_THAT(contradiction([](TrainOptions& o) { o.regularization.stochastic_depth = 0.25; }),
              AllOf(HasSubstr("small"), HasSubstr("family test"), HasSubstr("0.25")));
  EXPECT_THAT(contradiction([](TrainOptions& o) { o.preset = Preset::bit, o.recipe = Recipe::probe; }),
              AllOf(HasSubstr("bit"), HasSubstr("probe")));
  EXPECT_THAT(contradiction([](TrainOptions& o) { o.preset = Preset::bit, o.optimizer.schedule = RateSchedule::cosine; }),
              AllOf(HasSubstr("bit"), HasSubstr("cosine")));
  EXPECT_THAT(contradiction([](TrainOptions& o) { o.preset = Preset::bit, o.optimizer.kind = Optimizer::adamw; }),
              AllOf(HasSubstr("bit"), HasSubstr("adamw")));
}

}  // namespace
}  // namespace fovea::training
