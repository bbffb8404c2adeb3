#include "export/networks.h"

#include <stdlib.h>

#include "base/random.h"

namespace fovea::onnx {

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "fovea-export-XXXXXX").string();
  path_ = mkdtemp(name.data());
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void draw_pictures(const Folder& folder) {
  constexpr uint32_t kSide = 32, kHeader = 54, kPixels = 3 * kSide * kSide;
  for (const std::string name : {"blue", "green"}) {
    std::filesystem::create_directory(folder / name);
    for (uint64_t i = 0; i < 4; ++i) {
      std::string text = "BM";
      for (const uint32_t field : {kHeader + kPixels, 0u, kHeader, 40u, kSide, kSide, 1u | 24u << 16, 0u, kPixels, 0u, 0u, 0u, 0u})
        for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(field >> shift);
      const RandomStream noise(i, name);
      const size_t strong = name == "blue" ? 0 : 1;
      for (uint64_t p = 0; p < kPixels; ++p) text += static_cast<char>(noise.bits(p) % 80 + (p % 3 == strong ? 150 : 30));
      save_text(text, folder / name + "/" + std::to_string(i) + ".bmp");
    }
  }
}

Model network(const std::string& name, int64_t height, int64_t width) {
  LoadOptions options;
  options.weights = "none";
  Model model = Model::load(name, options);
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = height;
  preprocessing.width = width;
  model.set_preprocessing(preprocessing);
  auto state = model.state_dict();
  for (auto& [key, tensor] : state) {
    if (tensor.dtype() != DType::f32) continue;
    tensor = tensor.clone();
    const RandomStream noise(1, key);
    // The branches of a trained pre-activation network are small beside the shortcut. As strong as it, each block would multiply rounding.
    const double strength = key.ends_with("norm3.weight") ? 0.25 : 1;
    const double scale = tensor.shape().size() > 1 ? 0.02 : 0.2;
    const auto values = tensor.mutable_values<float>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(strength * (values[i] + scale * (2 * noise.uniform(i) - 1)));
  }
  model.load_state_dict(state);
  return model;
}

Tensor random_images(const Model& model, int64_t count) {
  Tensor images(DType::f32, {count, 3, model.preprocessing().height, model.preprocessing().width});
  const RandomStream noise(2, "images");
  const auto values = images.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(2 * noise.uniform(i) - 1);
  return images;
}

}  // namespace fovea::onnx
