// A program of one's own: load a backbone, replace its head, freeze a part, train on a folder, take features and maps.
//
// usage: outside_tree [PICTURES [WEIGHTS]]
// PICTURES has one folder a class; without it a few are drawn. WEIGHTS is "none" (the default here, so that nothing is fetched), "default"
// for the published ones, or a file for tf_efficientnet_lite0.
#include <fovea/fovea.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

void fine_tune(const std::string& name, const std::string& weights, const std::string& tap, const std::string& pictures) {
  auto model = fovea::Model::load(name, {.weights = weights});
  model.replace_head(12);
  model.freeze(tap);
  auto result = fovea::train(model, pictures, {.recipe = fovea::Recipe::finetune, .epochs = 1, .batch = 4});

  const auto best = model.predict(fovea::list_pictures({pictures}).front(), 1).front();
  std::printf("%s: accuracy %.2f on %d pictures; the first one is %s (%.2f)\n", name.c_str(), result.validation.accuracy,
              static_cast<int>(result.validation.pictures), best.name.c_str(), best.probability);
  if (model.frozen() != tap) throw std::runtime_error("training forgot what was frozen");
}

void take_features(const std::string& name, const std::string& weights, const std::string& tap, const std::string& picture) {
  const auto model = fovea::Model::load(name, {.weights = weights});
  const auto vector = model.embed(picture);
  const auto maps = model.features(fovea::read_image(picture), {tap});

  std::printf("%s: a vector of %s, maps of %s\n", name.c_str(), fovea::shape_string(vector.shape()).c_str(),
              fovea::shape_string(maps.at(tap).shape()).c_str());
  if (vector.shape() != std::vector<int64_t>{model.feature_width()}) throw std::runtime_error("a vector of another width");
}

// A BMP of one colour with a gradient: 54 bytes of header, then rows of blue, green, red from the bottom up.
void draw(const fs::path& path, uint8_t red, uint8_t green, uint8_t blue) {
  constexpr uint32_t kSide = 64, kHeader = 54, kBytes = kHeader + 3 * kSide * kSide;
  std::string bytes(kBytes, '\0');
  const auto put = [&](size_t at, uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
  };
  bytes[0] = 'B';
  bytes[1] = 'M';
  put(2, kBytes, 4);
  put(10, kHeader, 4);
  put(14, 40, 4);  // of the second header
  put(18, kSide, 4);
  put(22, kSide, 4);
  put(26, 1, 2);
  put(28, 24, 2);  // bits a pixel
  for (uint32_t i = 0; i < kSide * kSide; ++i) {
    const uint32_t shade = i % kSide;
    put(kHeader + 3 * i, blue ^ shade, 1);
    put(kHeader + 3 * i + 1, green ^ shade, 1);
    put(kHeader + 3 * i + 2, red ^ shade, 1);
  }
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string draw_pictures() {
  const fs::path folder =
      fs::temp_directory_path() / ("outside_tree-" + std::to_string(std::hash<std::string>{}(fs::current_path().string())));
  for (const char* name : {"red", "green"}) {
    fs::create_directories(folder / name);
    for (int i = 0; i < 8; ++i) {
      const bool red = name[0] == 'r';
      draw(folder / name / (std::to_string(i) + ".bmp"), red ? 190 + 4 * i : 30, red ? 30 : 190 + 4 * i, 40 + 8 * i);
    }
  }
  return folder.string();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string pictures = argc > 1 ? argv[1] : draw_pictures(), weights = argc > 2 ? argv[2] : "none";
    fine_tune("resnet18", weights == "default" ? "default" : "none", "layer3", pictures);
    fine_tune("tf_efficientnet_lite0", weights, "blocks.2", pictures);
    const std::string picture = fovea::list_pictures({pictures}).front();
    take_features("resnet18", weights == "default" ? "default" : "none", "layer3", picture);
    take_features("tf_efficientnet_lite0", weights, "blocks.2", picture);
    if (argc < 2) fs::remove_all(pictures);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "outside_tree: %s\n", error.what());
    return 1;
  }
}
