// A training loop of one's own: its steps, its rate, its own end, a checkpoint in the middle.
#include <fovea/fovea.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr int64_t kSide = 32;

fovea::Dataset pictures() {
  std::vector<fovea::Example> examples;
  std::mt19937 random(1);
  for (int64_t i = 0; i < 96; ++i) {
    fovea::Image image{kSide, kSide, std::vector<uint8_t>(static_cast<size_t>(3 * kSide * kSide))};
    for (size_t p = 0; p < image.pixels.size(); ++p)
      image.pixels[p] = static_cast<uint8_t>((static_cast<int64_t>(p) % 3 == i % 3 ? 140 : 60) + random() % 80);
    examples.push_back({"picture " + std::to_string(i), std::move(image), i % 3});
  }
  return fovea::Dataset::from_memory(std::move(examples), {.classes = {"red", "green", "blue"}});
}

fovea::Map network(fovea::Layers s, fovea::Map x) {
  for (int i = 0; i < 3; ++i) {
    const fovea::Layers at = s["blocks"][i];
    x = at.tap(relu(at["bn"].batch_norm(at["conv"].conv2d(x, {.out = int64_t{16} << i, .kernel = 3, .stride = 2, .padding = 1}))));
  }
  return x;
}

}  // namespace

int main() {
  try {
    fovea::register_architecture({.name = "colours", .input_size = kSide, .body = network});
    fovea::Model model = fovea::Model::load("colours", {.weights = "none"});
    fovea::TrainOptions options;
    options.recipe = fovea::Recipe::full;
    options.optimizer.epochs = 4;
    options.optimizer.lr_of_step = [](int64_t step, int64_t) { return 2e-3 / std::sqrt(1 + static_cast<double>(step)); };
    fovea::Trainer trainer(model, pictures(), options);
    const std::string checkpoint = (std::filesystem::temp_directory_path() / "own_loop.ckpt").string();
    double accuracy = 0;
    for (int64_t epoch = 0; epoch < trainer.epochs() && accuracy < 1; ++epoch) {
      double loss = 0;
      while (const auto batch = trainer.next()) loss += trainer.step(*batch).loss;  // `batch` may be changed before
      accuracy = trainer.validate().score.accuracy;
      std::printf("epoch %lld: loss %.3f, validation accuracy %.3f, next rate %.2g\n", static_cast<long long>(epoch + 1),
                  loss / static_cast<double>(trainer.steps()), accuracy, trainer.rate());
      trainer.save(checkpoint);  // another trainer that loads it takes the same steps from here on
    }
    std::filesystem::remove(checkpoint);
    return accuracy > 0.9 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
