// Models and predictors: many callers at the same time, and models that change while predictors run and end.
#include <fovea/fovea.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "support.h"

namespace fovea {
namespace {


struct Answers {
  std::vector<double> classes, all_classes;
  std::vector<float> vector, vectors, map, logits, probabilities;
  bool operator==(const Answers&) const = default;
};

// Of a Model the functions of spans are left out.
template <class Looker>
Answers answers_of(const Looker& looker, int number, const std::string& tap) {
  const Image image = test::picture(number);
  Answers result;
  result.classes = numbers(looker.predict(image));
  result.vector = numbers(looker.embed(image));
  result.map = numbers(looker.features(image, {tap}).at(tap));
  result.logits = numbers(looker.logits(test::prepared(number, 3)));
  result.probabilities = numbers(looker.probabilities(test::prepared(number)));
  if constexpr (std::is_same_v<Looker, Predictor>) {
    const std::vector<Image> images{image, test::picture(number + 1), test::picture(number + 2)};
    for (const auto& classes : looker.predict(images))
      for (const double value : numbers(classes)) result.all_classes.push_back(value);
    result.vectors = numbers(looker.embed(images));
  }
  return result;
}

std::string first_tap(const Model& model) { return model.taps().front().name; }

// The first calls compile, so that several executables of one network are compiled and prepared at the same time.
TEST(Predictors, AnswerManyCallersAtOnce) {
  for (const std::string& name : test::small_networks()) {
    const Model reference = test::small_model(name), model = test::small_model(name);
    const std::string tap = first_tap(model);
    std::vector<Answers> expected;
    for (const int cores : {1, 2}) expected.push_back(answers_of(reference.predictor({.threads_per_call = cores}), cores, tap));
    const Predictor on_one = model.predictor({.threads_per_call = 1}), on_two = model.predictor({.threads_per_call = 2});
    std::atomic<int> wrong{0};
    test::at_once(4, [&](int thread) {
      const Predictor mine = thread % 2 == 0 ? on_one : on_two;
      for (int round = 0; round < 3; ++round)
        wrong += answers_of(mine, 1 + thread % 2, tap) == expected[static_cast<size_t>(thread % 2)] ? 0 : 1;
    });
    EXPECT_EQ(wrong, 0) << name;
  }
}

TEST(Predictors, AreMadeAndEndOnManyThreads) {
  const Model model = test::small_model("threads_maps");
  const Image image = test::picture(4);
  const std::vector<double> expected = numbers(test::small_model("threads_maps").predictor({.threads_per_call = 1}).predict(image));
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int) {
    for (int round = 0; round < 4; ++round) {
      const Predictor mine = model.predictor({.threads_per_call = 1});
      wrong += numbers(mine.predict(image)) == expected ? 0 : 1;
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Models, TakeTurnsInConstCalls) {
  for (const std::string& name : test::small_networks()) {
    const Model model = test::small_model(name), reference = test::small_model(name);
    const std::string tap = first_tap(model);
    const Answers expected = answers_of(reference, 2, tap);
    const std::string digest = weights_digest(reference);
    std::atomic<int> wrong{0};
    test::at_once(4, [&](int thread) {
      for (int round = 0; round < 2; ++round) {
        if (thread == 3) {
          wrong += weights_digest(model) == digest && model.taps().front().name == tap ? 0 : 1;
          wrong += numbers(model.predictor({.threads_per_call = 1}).predict(test::picture(2))).size() == expected.classes.size() ? 0 : 1;
          wrong += heat_map(model, test::picture(2), {.method = HeatMethod::grad_cam}).heat.empty() ? 1 : 0;
        } else {
          wrong += answers_of(model, 2, tap) == expected ? 0 : 1;
        }
      }
    });
    EXPECT_EQ(wrong, 0) << name;
  }
}

// Hands predictors to a thread that looks through each once and ends it, whatever happens to the model meanwhile.
class Ender {
 public:
  Ender()
      : thread_([this] {
          for (;;) {
            std::optional<std::pair<Predictor, std::vector<double>>> one;
            {
              std::unique_lock lock(mutex_);
              came_.wait(lock, [&] { return given_ || stopping_; });
              if (!given_) return;
              one.swap(given_);
            }
            wrong_ += numbers(one->first.predict(image_)) == one->second ? 0 : 1;
            ending_.fetch_add(1, std::memory_order_relaxed);
            one.reset();
            ++ended_;
          }
        }) {}
  ~Ender() { stop(); }
  void take(Predictor predictor, std::vector<double> expected) {
    {
      const std::lock_guard lock(mutex_);
      given_.emplace(std::move(predictor), std::move(expected));
    }
    came_.notify_one();
  }
  // How many answers were wrong, after all.
  int stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    came_.notify_one();
    if (thread_.joinable()) thread_.join();
    return wrong_;
  }
  // How many predictors have begun to end, and have ended. Without order: the model has to see to it itself.
  int ending() const { return ending_.load(std::memory_order_relaxed); }
  int ended() const { return ended_.load(std::memory_order_relaxed); }

 private:
  const Image image_ = test::picture(7);
  std::mutex mutex_;
  std::condition_variable came_;
  std::optional<std::pair<Predictor, std::vector<double>>> given_;
  bool stopping_ = false;
  std::atomic<int> wrong_{0}, ending_{0}, ended_{0};
  std::thread thread_;
};

TEST(Models, ChangeWhileTheirLastPredictorEnds) {
  const Image image = test::picture(7);
  Model model = test::small_model("threads_maps");
  auto state = model.state_dict();
  Ender ender;
  for (int round = 0; round < 24; ++round) {
    const std::vector<double> expected = numbers(model.predictor({.threads_per_call = 1}).predict(image));
    ender.take(model.predictor({.threads_per_call = 1}), expected);
    switch (round % 6) {
      case 0:
        for (float& value : state.at("stem.conv.weight").mutable_values<float>()) value *= 1.5f;
        model.load_state_dict(state);
        break;
      case 1: {
        Preprocessing preprocessing = model.preprocessing();
        preprocessing.resize += 8;
        model.set_preprocessing(preprocessing);
        break;
      }
      default:  // at about the moment at which the last predictor ends
        while (ender.ending() <= round) std::this_thread::yield();
        for (int wait = 0; wait < round * round; ++wait) ender.ended();
        model.replace_head({"a", "b", "c", "d", std::to_string(round)}, static_cast<uint64_t>(round));
        state = model.state_dict();
    }
    while (ender.ended() <= round) std::this_thread::yield();
  }
  EXPECT_EQ(ender.stop(), 0);
}

TEST(Models, AreLoadedAtOnce) {
  test::small_networks();
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    LoadOptions options;
    options.weights = "none";
    options.seed = 1;
    options.dtype = thread % 2 == 0 ? "f32" : "bf16";
    const Model model = Model::load(test::small_networks()[static_cast<size_t>(thread / 2)], options);
    wrong += model.predict(test::picture(1)).size() == 5 ? 0 : 1;
    wrong += model_names().size() > 20 ? 0 : 1;
    try {
      Model::load("no_such_model");
      ++wrong;
    } catch (const Error&) {
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Models, LoadedFromOneFileAndSavedToOneFileAtOnce) {
  const test::TemporaryFolder folder;
  const std::string path = (folder / "model.safetensors").string();
  const Model saved = test::small_model("threads_maps", 3);
  saved.save(path);
  const std::string digest = weights_digest(saved);
  std::atomic<int> wrong{0};
  test::at_once(3, [&](int thread) {
    for (int round = 0; round < 3; ++round) {
      if (thread == 0)
        saved.save(path);
      else
        wrong += weights_digest(Model::load(path)) == digest ? 0 : 1;
    }
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace fovea
