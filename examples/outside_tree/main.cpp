// A program of one's own: load a backbone, replace its head, freeze a part, train on a folder, take features and maps.
//
// The same lines for every family.
//
// usage: outside_tree [MODEL [PICTURES [WEIGHTS]]]
// MODEL is one of those below, or "all" of them. PICTURES has one folder a class; without it a few are drawn. WEIGHTS is "none" (the
// default here, so that nothing is fetched), "default" for the published ones, or a file for tf_efficientnet_lite0.
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

struct Encoder {
  const char* name;
  const char* tap;  // frozen up to here
};

// One of every family.
constexpr Encoder kEncoders[] = {
    {"resnet50", "layer3"},
    {"resnetv2_50", "stages.2"},
    {"vgg16", "features.23"},
    {"densenet121", "features.transition3"},
    {"mobilenetv1_100", "blocks.3"},
    {"mobilenet_v3_small", "features.8"},
    {"efficientnet_b0", "features.5"},
    {"tf_efficientnet_lite0", "blocks.2"},
    {"convnext_tiny", "features.5"},
    {"vit_b_16", "encoder.layers.encoder_layer_9"},
};

void check(bool good, const std::string& what) {
  if (!good) throw std::runtime_error(what);
}

// Load a backbone, replace its classifier, freeze the early layers, train, take features.
void use(const Encoder& encoder, const std::string& weights, const std::string& pictures) {
  auto model = fovea::Model::load(encoder.name, {.weights = weights});
  if (weights == "none") {  // small, so that all of this takes a minute
    fovea::Preprocessing small = model.preprocessing();
    small.height = small.width = small.resize = 64;
    model.set_preprocessing(small);
  }
  model.replace_head(12);
  model.freeze(encoder.tap);
  const auto result = fovea::train(model, pictures, {.recipe = fovea::Recipe::finetune, .optimizer = {.epochs = 1, .batch_size = 4}});

  const std::string picture = fovea::list_pictures({pictures}).front();
  const auto best = model.predict(picture, 1).front();
  const auto vector = model.embed(picture);
  const auto outputs = model.features(fovea::read_image(picture), {encoder.tap, "pooled"});
  const auto& map = outputs.at(encoder.tap);
  std::printf("%s: accuracy %.2f on %d pictures; the first one is %s (%.2f); a vector of %s, maps of %s\n", encoder.name,
              result.validation.accuracy, static_cast<int>(result.validation.pictures), best.name.c_str(), best.probability,
              fovea::shape_string(vector.shape()).c_str(), fovea::shape_string(map.shape()).c_str());
  check(model.frozen() == encoder.tap, "training forgot what was frozen");
  check(model.classes().size() == 2, "the head has other classes than the pictures");
  check(vector.shape() == std::vector<int64_t>{model.feature_width()}, "a vector of another width");
  for (const fovea::TapInfo& tap : model.taps())
    if (tap.name == encoder.tap)
      check(map.shape() == std::vector<int64_t>{1, tap.shape[0], tap.shape[1], tap.shape[2]}, "maps of another shape than announced");
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

// Errors of the library are caught here as what they are.
void check_library() {
  check(fovea::version() == std::string(FOVEA_VERSION),
        "the library is " + std::string(fovea::version()) + ", its headers are " FOVEA_VERSION);
  try {
    fovea::read_image("there is no such picture");
  } catch (const fovea::Error& error) {
    check(std::string(error.what()).find("there is no such picture") != std::string::npos, "an error that does not name the file");
    return;
  }
  throw std::runtime_error("no error where there is no picture");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    check_library();
    const std::string model = argc > 1 ? argv[1] : "all", pictures = argc > 2 ? argv[2] : draw_pictures(),
                      weights = argc > 3 ? argv[3] : "none";
    for (const Encoder& encoder : kEncoders) {
      if (model != "all" && model != encoder.name) continue;
      const bool is_default = encoder.name == std::string("tf_efficientnet_lite0");
      use(encoder, is_default || weights == "default" ? weights : "none", pictures);
    }
    if (argc < 3) fs::remove_all(pictures);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "outside_tree: %s\n", error.what());
    return 1;
  }
}
