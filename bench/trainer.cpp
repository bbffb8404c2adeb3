// What a step by hand (Trainer) costs beside a step of `train`: the same network, pictures and options, in turns, on pictures in memory.
//
//   build/bench/trainer [NETWORK [SIZE [BATCH [ROUNDS]]]]
#include <fovea/fovea.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSteps = 12;  // of an epoch; the first two of each are not counted, in which the loader gets ahead

fovea::Dataset pictures(int64_t size, int64_t batch) {
  std::vector<fovea::Example> examples;
  for (int64_t i = 0; i < kSteps * batch; ++i) {
    fovea::Image image{size, size, std::vector<uint8_t>(static_cast<size_t>(3 * size * size))};
    for (size_t p = 0; p < image.pixels.size(); ++p) image.pixels[p] = static_cast<uint8_t>(p * static_cast<size_t>(i + 3) / 5);
    examples.push_back({"picture " + std::to_string(i), std::move(image), std::string(i % 2 == 0 ? "even" : "odd")});
  }
  return fovea::Dataset::from_memory(std::move(examples));
}

class Times {
 public:
  void begin() { last_ = Clock::now(), number_ = 0; }
  void step() {
    const auto now = Clock::now();
    if (++number_ > 2) milliseconds_.push_back(std::chrono::duration<double, std::milli>(now - last_).count());
    last_ = now;
  }
  double median() {
    std::ranges::sort(milliseconds_);
    return milliseconds_[milliseconds_.size() / 2];
  }
  double least() const { return *std::ranges::min_element(milliseconds_); }

 private:
  Clock::time_point last_;
  int64_t number_ = 0;
  std::vector<double> milliseconds_;
};

void measure(const std::string& network, int64_t size, int64_t batch, int64_t rounds) {
  const fovea::Dataset data = pictures(size, batch);
  const auto model = [&] {
    fovea::Model model = fovea::Model::load(network, {.weights = "none"});
    fovea::Preprocessing preprocessing = model.preprocessing();
    preprocessing.height = preprocessing.width = preprocessing.resize = size;
    model.set_preprocessing(preprocessing);
    return model;
  };
  fovea::TrainOptions options;
  options.recipe = fovea::Recipe::full;
  options.optimizer = {.epochs = 1, .batch_size = batch};
  options.augmentation.policy = fovea::Augment::light;
  options.data.validation = 0;
  Times of_train, by_hand;
  options.run.on_step = [&](const fovea::TrainProgress& step) {
    step.step == 1 ? of_train.begin() : of_train.step();
    return true;
  };
  for (int64_t round = 0; round < rounds; ++round) {
    fovea::Model trained = model();
    fovea::train(trained, data, options);
    fovea::Model stepped = model();
    fovea::Trainer trainer(stepped, data, options);
    for (bool first = true; auto next = trainer.next(); first = false) {
      trainer.step(*next);
      first ? by_hand.begin() : by_hand.step();
    }
  }
  std::printf("%s, %lld x %lld, batch %lld: train %.2f ms (least %.2f), by hand %.2f ms (least %.2f): %+.1f %% (least %+.1f %%)\n",
              network.c_str(), static_cast<long long>(size), static_cast<long long>(size), static_cast<long long>(batch), of_train.median(),
              of_train.least(), by_hand.median(), by_hand.least(), 100 * (by_hand.median() / of_train.median() - 1),
              100 * (by_hand.least() / of_train.least() - 1));
}

int64_t number(int argc, char** argv, int at, int64_t usual) { return argc > at ? std::atoll(argv[at]) : usual; }

}  // namespace

int main(int argc, char** argv) {
  try {
    const int64_t size = number(argc, argv, 2, 224), batch = number(argc, argv, 3, 16), rounds = number(argc, argv, 4, 5);
    if (argc > 1) {
      measure(argv[1], size, batch, rounds);
      return 0;
    }
    for (const char* network : {"resnet18", "mobilenet_v3_small"}) measure(network, size, batch, rounds);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
