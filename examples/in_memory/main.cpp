// Pictures that never lie in files: from memory, and from a source that makes them when they are asked for.
//
// Parts on a conveyor are told by their colour; every part was photographed several times, and all its pictures are on one side of each
// division. The network is small and starts new, so that nothing is fetched and all of it takes a second.
#include <fovea/fovea.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr int64_t kSide = 32, kParts = 24, kPicturesOfPart = 4;

// BGR with a stride, as cameras and OpenCV have it.
std::vector<uint8_t> frame(int64_t part, int64_t picture) {
  std::mt19937 random(static_cast<uint32_t>(100 * part + picture));
  std::vector<uint8_t> pixels(static_cast<size_t>(kSide * kSide * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>((i % 3 == 2 && part % 2 == 0 ? 140 : 60) + random() % 80);
  return pixels;
}

fovea::Dataset in_memory() {
  std::vector<fovea::Example> examples;
  for (int64_t part = 0; part < kParts; ++part)
    for (int64_t picture = 0; picture < kPicturesOfPart; ++picture)
      examples.push_back({"part " + std::to_string(part) + ", picture " + std::to_string(picture),
                          fovea::image_from_memory(frame(part, picture).data(), kSide, kSide, 3 * kSide, fovea::PixelOrder::bgr),
                          std::string(part % 2 == 0 ? "red" : "grey"), "part " + std::to_string(part)});
  return fovea::Dataset::from_memory(std::move(examples));
}

// The same pictures, none of them kept.
class Conveyor : public fovea::DatasetSource {
 public:
  int64_t size() const override { return kParts * kPicturesOfPart; }
  fovea::Image picture(int64_t i) const override {  // called from several threads
    return fovea::image_from_memory(frame(i / kPicturesOfPart, i % kPicturesOfPart).data(), kSide, kSide, 3 * kSide,
                                    fovea::PixelOrder::bgr);
  }
  fovea::Labels labels(int64_t i) const override { return std::string(i / kPicturesOfPart % 2 == 0 ? "red" : "grey"); }
  std::string name(int64_t i) const override { return group(i) + ", picture " + std::to_string(i % kPicturesOfPart); }
  std::string group(int64_t i) const override { return "part " + std::to_string(i / kPicturesOfPart); }
};

fovea::Map network(fovea::Layers s, fovea::Map x) {
  for (int i = 0; i < 3; ++i) {
    const fovea::Layers at = s["blocks"][i];
    x = at.tap(relu(at["bn"].batch_norm(at["conv"].conv2d(x, {.out = int64_t{16} << i, .kernel = 3, .stride = 2, .padding = 1}))));
  }
  return x;
}

double train_on(const fovea::Dataset& data) {
  fovea::Model model = fovea::Model::load("conveyor", {.weights = "none"});
  fovea::TrainOptions options;
  options.recipe = fovea::Recipe::full;
  options.optimizer.epochs = 4;
  options.data.test = 0.25;
  options.run.on_epoch = [](const fovea::EpochRow& row) {
    std::printf("  epoch %lld: loss %.3f, validation accuracy %.3f\n", static_cast<long long>(row.epoch), row.train_loss,
                row.validation_accuracy.value_or(0));
    return true;  // false would end the training here
  };
  const fovea::TrainResult result = fovea::train(model, data, options);
  std::printf("  %.3f of %lld pictures of parts that it never saw\n", result.test.accuracy, static_cast<long long>(result.test.pictures));
  return result.test.accuracy;
}

}  // namespace

int main() {
  try {
    fovea::register_architecture({.name = "conveyor", .input_size = kSide, .body = network});
    std::printf("from memory:\n");
    const double memory = train_on(in_memory());
    std::printf("from a source:\n");
    const double source = train_on(fovea::Dataset::from_source(std::make_shared<Conveyor>()));
    return memory == source && memory > 0.9 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
