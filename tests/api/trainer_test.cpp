// Training by hand reaches the bits of `train`, and takes what is not train's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "api/small_pictures.h"

namespace fovea {
namespace {

using testing::HasSubstr;

class ByHand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("fovea_by_hand_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static TrainOptions options(Recipe recipe = Recipe::full) {
    TrainOptions options;
    options.recipe = recipe;
    options.optimizer.epochs = 3;
    options.optimizer.batch_size = 4;
    options.data.test = 0.2;
    options.run.seed = 5;
    return options;
  }
  static void expect_same(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b, const std::string& what) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) EXPECT_EQ(std::memcmp(tensor.raw(), b.at(name).raw(), tensor.bytes()), 0) << what << ": " << name;
  }

  const Dataset data_ = Dataset::from_memory(examples(11));
  std::filesystem::path folder_;
};

// The loop of a user who wants train's answer.
std::map<std::string, Tensor> trained_by_hand(Model& model, const Dataset& data, const TrainOptions& options) {
  Trainer trainer(model, data, options);
  std::map<std::string, Tensor> best;
  double accuracy = -1, loss = 0;
  const auto consider = [&](const Evaluation& validation) {
    if (validation.score.accuracy < accuracy || (validation.score.accuracy == accuracy && validation.loss >= loss)) return;
    accuracy = validation.score.accuracy;
    loss = validation.loss;
    best = trainer.state_dict();
  };
  if (options.recipe == Recipe::finetune) consider(trainer.validate());  // the head that was trained before counts, too
  for (int64_t epoch = 0; epoch < trainer.epochs(); ++epoch) {
    while (const auto batch = trainer.next()) trainer.step(*batch);
    consider(trainer.validate());
  }
  return best;
}

TEST_F(ByHand, ALoopReachesTheBitsOfTrain) {
  std::map<std::string, TrainOptions> ways{
      {"full", options()},  {"finetune", options(Recipe::finetune)}, {"accumulated", options()}, {"averaged", options()},
      {"mixed", options()}, {"frozen", options(Recipe::finetune)},   {"plateau", options()},     {"weighted", options()}};
  ways["accumulated"].optimizer.grad_accum_steps = 4;
  ways["accumulated"].optimizer.clip_grad = 1;
  ways["averaged"].optimizer.ema_decay = 0.9;
  ways["mixed"].augmentation.mixup = 0.3;
  ways["mixed"].augmentation.random_erasing = 0.5;
  ways["frozen"].freeze = "stem";
  ways["plateau"].optimizer.schedule = RateSchedule::plateau;
  ways["plateau"].optimizer.lr = 0.05;
  ways["plateau"].optimizer.epochs = 6;
  ways["weighted"].regularization.class_weights = true;
  ways["weighted"].regularization.dropout = 0.3;
  for (const auto& [way, own] : ways) {
    Model expected = small_colour_model(), model = small_colour_model();
    train(expected, data_, own);
    expect_same(trained_by_hand(model, data_, own), expected.state_dict(), way);
  }
}

TEST_F(ByHand, SavedAndLoadedItGoesOnAsIfNothingHadBeen) {
  TrainOptions own = options();
  own.optimizer.ema_decay = 0.9;
  const std::string file = (folder_ / "half.ckpt").string();
  Model whole = small_colour_model(), first = small_colour_model(), second = small_colour_model(3);
  Trainer trainer(whole, data_, own);
  const auto all = [&](Trainer& one) {
    while (one.step() < one.epochs() * one.steps())
      if (const auto batch = one.next()) one.step(*batch);
    return one.state_dict();
  };
  const std::map<std::string, Tensor> expected = all(trainer);
  {
    Trainer half(first, data_, own);
    for (int i = 0; i < 8; ++i)
      if (const auto batch = half.next()) half.step(*batch);
    EXPECT_EQ(half.step(), 7);  // the end of the first epoch was told once
    half.save(file);
  }
  for (const auto& [name, tensor] : first.state_dict()) EXPECT_EQ(name.find(':'), std::string::npos) << name;
  Trainer rest(second, data_, own);
  rest.load(file);
  EXPECT_EQ(rest.step(), 7);
  expect_same(all(rest), expected, "rest");
  TrainOptions another = own;
  another.optimizer.batch_size = 5;
  Model third = small_colour_model();
  Trainer other(third, data_, another);
  EXPECT_THAT(message_of_error([&] { other.load(file); }), HasSubstr("batch: 4 in the run, 5 now"));
}

TEST_F(ByHand, BatchesOfOnesOwnAreTaken) {
  Model model = small_colour_model();
  TrainOptions steady = options();
  steady.optimizer.lr_of_step = [](int64_t, int64_t) { return 0.01; };
  Trainer trainer(model, data_, steady);
  TrainBatch batch;
  batch.images = Tensor(DType::f32, {6, 3, kColoured, kColoured});
  for (int64_t i = 0; i < 6; ++i) {
    const Tensor one = preprocess(coloured(static_cast<size_t>(i % 3), static_cast<uint32_t>(90 + i)), model.preprocessing());
    std::memcpy(batch.images.mutable_values<float>().data() + i * one.size(), one.raw(), one.bytes());
    batch.labels.push_back(2 - i % 3);
  }
  const double first = trainer.step(batch).loss;
  double last = first;
  for (int i = 0; i < 40; ++i) last = trainer.step(batch).loss;
  EXPECT_LT(last, 0.5 * first);
  EXPECT_EQ(trainer.step(), 41);
  // The model learns in place, and answers between the steps.
  EXPECT_EQ(model.predict(coloured(0, 90), 1)[0].name, "red");
  EXPECT_EQ(trainer.evaluate(data_).score.pictures, 33);
  EXPECT_EQ(trainer.test().score.pictures, 6);

  const auto message = [&](auto change) {
    TrainBatch wrong = batch;
    change(wrong);
    return message_of_error([&] { trainer.step(wrong); });
  };
  EXPECT_EQ(message([](TrainBatch& b) { b.labels.pop_back(); }), "5 labels of 6 pictures");
  EXPECT_EQ(message([](TrainBatch& b) { b.labels[2] = 3; }), "the label 3, one of 0 to 2 expected");
  EXPECT_EQ(message([](TrainBatch& b) {
              b.images = Tensor(DType::f32, {6, 3, 8, 8});
            }),
            "pictures of f32 [6,3,8,8], f32 [6,3,16,16] expected");
  EXPECT_THAT(message([](TrainBatch& b) { b.images = Tensor(DType::f32, {1, 3, 16, 16}); }), HasSubstr("a batch of 1, 2 or more expected"));
  EXPECT_THAT(message([](TrainBatch& b) { b.targets = Tensor(DType::f32, {6, 3}); }), HasSubstr("the loss takes one label a picture"));
  EXPECT_THAT(message_of_error([&] { Trainer(model, data_, options(Recipe::probe)); }), HasSubstr("the recipe probe takes no steps"));
  const Predictor predictor = model.predictor();
  EXPECT_THAT(message_of_error([&] { trainer.step(batch); }), HasSubstr("make them from a model of their own"));
}

// Cross entropy in three ways: fovea's, composed, by a callback.
TEST_F(ByHand, ALossOfOnesOwnIsWhatIsLearnt) {
  TrainOptions own = options();
  own.regularization.label_smoothing = 0;
  own.optimizer.clip_grad = 1;
  const auto trained = [&](const TrainOptions& options) {
    Model model = small_colour_model();
    const TrainResult result = train(model, data_, options);
    return std::pair(result.history, model.state_dict());
  };
  const auto [expected, weights] = trained(own);
  TrainOptions composed = own, callback = own;
  composed.regularization.loss_of_maps = [](Map logits, Map targets) {
    return -1.0 / static_cast<double>(logits.batch()) * sum(targets * log_softmax(logits));
  };
  int64_t calls = 0;
  callback.regularization.loss_callback = [&](const LossAnswers& a) {
    ++calls;
    double loss = 0;
    for (int64_t n = 0; n < a.pictures; ++n) {
      const auto row = [&](auto values) { return values.subspan(static_cast<size_t>(n * a.classes), static_cast<size_t>(a.classes)); };
      double total = 0;
      for (const float logit : row(a.logits)) total += std::exp(static_cast<double>(logit));
      for (size_t k = 0; k < static_cast<size_t>(a.classes); ++k) {
        const double p = std::exp(static_cast<double>(row(a.logits)[k])) / total, target = static_cast<double>(row(a.targets)[k]);
        loss -= target * std::log(p) / static_cast<double>(a.pictures);
        row(a.gradient)[k] = static_cast<float>((p - target) / static_cast<double>(a.pictures));
      }
    }
    return loss;
  };
  for (const TrainOptions& options : {composed, callback}) {
    const auto [history, learnt] = trained(options);
    ASSERT_EQ(history.size(), expected.size());
    for (size_t i = 0; i < history.size(); ++i) {
      EXPECT_NEAR(history[i].train_loss, expected[i].train_loss, 1e-4);
      EXPECT_NEAR(*history[i].validation_loss, *expected[i].validation_loss, 1e-3);
    }
  }
  EXPECT_EQ(calls, 15);
  // By hand as by train, and a head alone too.
  Model model = small_colour_model(), other = small_colour_model();
  train(other, data_, composed);
  expect_same(trained_by_hand(model, data_, composed), other.state_dict(), "composed");
  composed.recipe = Recipe::probe;
  EXPECT_EQ(trained(composed).first.front().phase, "head");

  const auto message = [&](auto change) {
    TrainOptions wrong = own;
    change(wrong);
    return message_of_error([&] { trained(wrong); });
  };
  EXPECT_THAT(message([](TrainOptions& o) { o.regularization.loss_of_maps = [](Map logits, Map) { return logits; }; }),
              HasSubstr("the loss of the caller's own: it gives f32[4,3,1,1], one number expected"));
  EXPECT_THAT(message([&](TrainOptions& o) {
                o.regularization.loss_of_maps = composed.regularization.loss_of_maps;
                o.regularization.loss_callback = callback.regularization.loss_callback;
              }),
              HasSubstr("one is expected"));
  callback.regularization.loss_callback = [](const LossAnswers&) -> double { throw std::domain_error("thrown"); };
  EXPECT_THROW(trained(callback), std::domain_error);
}

}  // namespace
}  // namespace fovea
