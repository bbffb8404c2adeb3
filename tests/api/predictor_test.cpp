#include <fovea/fovea.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/process_memory.h"
#include "support/numbers.h"
#include "support/threads.h"

namespace fovea {
namespace {

using testing::HasSubstr;

Model model_for(int64_t side, const std::string& name = "efficientnet_b0") {
  LoadOptions options;
  options.weights = "none";
  Model model = Model::load(name, options);
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = preprocessing.width = side;
  preprocessing.resize = side + side / 8;
  model.set_preprocessing(preprocessing);
  return model;
}

Image picture(int number) {
  const int64_t width = 70 + number * 3 % 40, height = 60 + number * 7 % 50;
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * static_cast<size_t>(number + 2) / 5);
  return image;
}

std::vector<Image> pictures(int count) {
  std::vector<Image> result;
  for (int i = 0; i < count; ++i) result.push_back(picture(i));
  return result;
}

TEST(Predictor, OnAllCoresAnswersAsTheModel) {
  const Model model = model_for(64);
  const Predictor predictor = model.predictor();
  EXPECT_EQ(predictor.threads_per_call(), threads());
  EXPECT_EQ(predictor.classes(), model.classes());
  EXPECT_EQ(predictor.preprocessing(), model.preprocessing());
  EXPECT_EQ(predictor.feature_width(), model.feature_width());
  EXPECT_EQ(predictor.channels(), 3);
  const Image image = picture(1);
  EXPECT_EQ(numbers(predictor.predict(image, 7)), numbers(model.predict(image, 7)));
  EXPECT_EQ(numbers(predictor.embed(image)), numbers(model.embed(image)));
  EXPECT_EQ(predictor.embed(image).shape(), (std::vector<int64_t>{model.feature_width()}));
  EXPECT_EQ(numbers(predictor.features(image, {"features.3"}).at("features.3")),
            numbers(model.features(image, {"features.3"}).at("features.3")));
  const Tensor prepared = preprocess(image, model.preprocessing()).reshaped({1, 3, 64, 64});
  EXPECT_EQ(numbers(predictor.logits(prepared)), numbers(model.logits(prepared)));
  EXPECT_EQ(numbers(predictor.probabilities(prepared)), numbers(model.probabilities(prepared)));
  EXPECT_EQ(numbers(predictor.embed(prepared)), numbers(model.embed(prepared)));
}

TEST(Predictor, OnOneCoreAnswersAsAModelThatHasOne) {
  const Model model = model_for(64);
  const Predictor predictor = model.predictor({.threads_per_call = 1});
  EXPECT_EQ(predictor.threads_per_call(), 1);
  const std::vector<float> own = numbers(predictor.embed(picture(3)));
  const test::Threads one(1);
  const Model alone = model_for(64);
  EXPECT_EQ(own, numbers(alone.embed(picture(3))));
}

// A list is looked at one picture on each core; so that it answers what each alone does, no bit may depend on the number of cores.
TEST(Predictor, TheNumberOfCoresDecidesNoBit) {
  const test::Threads threads(3);
  const std::vector<std::pair<const char*, int64_t>> models = {
      {"resnet18", 160},           {"resnet50", 224},        {"densenet121", 96},     {"resnetv2_50x1_bit", 96},
      {"mobilenet_v3_small", 160}, {"efficientnet_b0", 160}, {"convnextv2_atto", 160}};
  for (const auto& [name, side] : models) {
    const Model model = model_for(side, name);
    const Predictor one = model.predictor({.threads_per_call = 1});
    const std::vector<float> alone = numbers(one.embed(picture(1)));
    for (const int cores : {2, 3})
      EXPECT_EQ(numbers(model.predictor({.threads_per_call = cores}).embed(picture(1))), alone) << name << " on " << cores << " cores";
  }
}

TEST(Predictor, SeveralPicturesAnswerWhatEachAloneAnswers) {
  Model model = model_for(64);
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.mirrored = true;
  preprocessing.second_fit = Fit::squash;
  model.set_preprocessing(preprocessing);
  const std::vector<Image> images = pictures(19);
  for (int cores : {1, 2}) {
    const Predictor predictor = model.predictor({.threads_per_call = cores});
    const auto answers = predictor.predict(images, 3);
    const Tensor vectors = predictor.embed(images);
    ASSERT_EQ(answers.size(), images.size());
    ASSERT_EQ(vectors.shape(), (std::vector<int64_t>{19, model.feature_width()}));
    for (size_t i = 0; i < images.size(); ++i) {
      EXPECT_EQ(numbers(answers[i]), numbers(predictor.predict(images[i], 3))) << i << " on " << cores;
      const auto width = static_cast<size_t>(model.feature_width());
      const auto row = vectors.values<float>().subspan(i * width, width);
      EXPECT_EQ(std::vector<float>(row.begin(), row.end()), numbers(predictor.embed(images[i]))) << i << " on " << cores;
    }
  }
  const Predictor predictor = model.predictor();
  EXPECT_TRUE(predictor.predict(std::span<const Image>()).empty());
  EXPECT_EQ(predictor.embed(std::span<const Image>()).shape(), (std::vector<int64_t>{0, model.feature_width()}));
}

TEST(Predictor, EveryCallerGetsTheAnswersOfOne) {
  const Model model = model_for(64);
  const std::vector<Image> images = pictures(8);
  for (int cores : {1, 2}) {
    const Predictor predictor = model.predictor({.threads_per_call = cores});
    std::vector<std::vector<double>> alone;
    std::vector<std::vector<float>> maps;
    for (const Image& image : images) {
      alone.push_back(numbers(predictor.predict(image)));
      maps.push_back(numbers(predictor.features(image, {"features.2"}).at("features.2")));
    }
    std::atomic<int> wrong{0};
    test::at_once(8, [&](int thread) {
      const Predictor mine = predictor;
      for (int round = 0; round < 3; ++round)
        for (size_t i = 0; i < images.size(); ++i) {
          const size_t which = (i + static_cast<size_t>(thread)) % images.size();
          if (numbers(mine.predict(images[which])) != alone[which]) ++wrong;
          if (round % 3 == 0 && numbers(mine.features(images[which], {"features.2"}).at("features.2")) != maps[which]) ++wrong;
        }
    });
    EXPECT_EQ(wrong, 0) << "on " << cores;
  }
}

TEST(Predictor, StaysAsItWasWhenTheModelChanges) {
  Model model = model_for(64);
  const Image image = picture(5);
  const Predictor before = model.predictor({.threads_per_call = 1});
  const std::vector<double> answer = numbers(before.predict(image));
  const std::vector<std::string> classes = before.classes();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, calls{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i)
    callers.emplace_back([&] {
      while (!stop) {
        if (numbers(before.predict(image)) != answer) ++wrong;
        ++calls;
      }
    });

  auto state = model.state_dict();
  state.at("classifier.1.bias").mutable_values<float>()[3] += 1;
  for (float& value : state.at("features.0.0.weight").mutable_values<float>()) value *= 1.5f;
  model.load_state_dict(state);
  const Predictor loaded = model.predictor({.threads_per_call = 1});
  const std::vector<double> other = numbers(loaded.predict(image));
  EXPECT_NE(other, answer);
  model.replace_head({"cat", "dog"});
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = preprocessing.width = 96;
  model.set_preprocessing(preprocessing);
  const Predictor changed = model.predictor({.threads_per_call = 1});
  EXPECT_EQ(changed.predict(image).size(), 2u);
  EXPECT_EQ(changed.preprocessing().height, 96);
  model = model_for(32);

  while (calls < 20) std::this_thread::yield();
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(before.classes(), classes);
  EXPECT_EQ(before.preprocessing().height, 64);
  EXPECT_EQ(numbers(loaded.predict(image)), other);
}

// A model that nobody looks through changes in place.
TEST(Predictor, CostsAChangingModelNothingOnceItIsGone) {
  Model model = model_for(64);
  const std::vector<std::string>* const names = &model.classes();
  { const Predictor gone = model.predictor(); }
  model.set_preprocessing(model.preprocessing());
  EXPECT_EQ(&model.classes(), names);
  const Predictor there = model.predictor();
  model.set_preprocessing(model.preprocessing());
  EXPECT_NE(&model.classes(), names);
}

#ifndef FOVEA_SANITIZED  // whose own memory drowns the rest
TEST(Predictor, CallersShareWeightsAndWhatIsPackedOfThem) {
  const Model model = model_for(224, "resnet50");
  const Predictor predictor = model.predictor({.threads_per_call = 1});
  const Image image = picture(2);
  predictor.predict(image);
  const size_t one = resident_bytes();
  // A call takes longer than a time slice, so that all of them are at work at the same time.
  test::at_once(8, [&](int) {
    for (int i = 0; i < 4; ++i) predictor.predict(image);
  });
  const size_t eight = resident_bytes();
  std::printf("resident: %.1f MB with one caller, %.1f MB with eight\n", static_cast<double>(one) / 1e6, static_cast<double>(eight) / 1e6);
  EXPECT_LE(static_cast<double>(eight), 1.3 * static_cast<double>(one));
}
#endif

TEST(Predictor, NamesWhatMakesNoSense) {
  const Model model = model_for(64);
  const auto expect_usage = [](const std::string& part, auto&& body) {
    try {
      body();
      ADD_FAILURE() << part << ": nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  };
  expect_usage("-1", [&] { model.predictor({.threads_per_call = -1}); });
  const Predictor predictor = model.predictor({.threads_per_call = 1});
  expect_usage("at least 1", [&] { predictor.predict(picture(1), 0); });
  expect_usage("[2,5,64,64]", [&] { predictor.logits(Tensor(DType::f32, {2, 5, 64, 64})); });
  expect_usage("at least one", [&] { predictor.features(picture(1), {}); });
  // A call that fails gives back what it held.
  EXPECT_EQ(predictor.predict(picture(1)).size(), 5u);
}

}  // namespace
}  // namespace fovea
