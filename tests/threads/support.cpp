#include "support.h"

#include <stdlib.h>

#include <cmath>
#include <mutex>
#include <stdexcept>

#include "engine/tiny.h"
#include "models/registry.h"

namespace fovea::test {
namespace {

Features maps_body(Scope s, Value x, Size2) {
  x = relu(batch_norm(s["stem"]["bn"], conv2d(s["stem"]["conv"], x, {.out = 16, .kernel = 3, .stride = 2, .padding = 1})));
  x = relu(batch_norm(s["same"]["bn"], conv2d(s["same"]["conv"], x, {.out = 16, .kernel = 3, .padding = 1})));
  x = tiny_unit(s["unit1"], x, 16, 1, {});
  x = tiny_unit(s["unit2"], x, 32, 2, {});
  x = relu(batch_norm(s["last"]["bn"], conv2d(s["last"]["conv"], x, {.out = 48})));
  return features_of(s["last"].tap(x));
}

Features tokens_body(Scope s, Value image, Size2) {
  constexpr int64_t kWidth = 16, kPatch = 8;
  const Init init = uniform_init(0.3);
  const Size2 grid{image.height() / kPatch, image.width() / kPatch};
  Value x = to_tokens(s["patches"], conv2d(s["patches"], image, {.out = kWidth, .kernel = kPatch, .stride = kPatch, .bias = true}));
  Value branch = linear(s["qkv"], layer_norm(s["norm1"], x), {.out = 3 * kWidth, .weight = init, .bias = init});
  x = linear(s["proj"], attention(s["attention"], branch, 2), {.out = kWidth, .weight = init, .bias = init}) + x;
  branch = gelu(linear(s["fc1"], layer_norm(s["norm2"], x), {.out = 4 * kWidth, .weight = init, .bias = init}));
  x = linear(s["fc2"], branch, {.out = kWidth, .weight = init, .bias = init}) + x;
  return features_of(s["block"].tap(to_map(s["block"], x, grid)));
}

models::Variant variant(const char* name, int64_t width, Features (*body)(Scope, Value, Size2)) {
  models::Variant v;
  v.name = name;
  v.family = v.layout = "test";
  v.feature_width = width;
  v.input_size = kSide;
  v.size_multiple = 8;
  v.classes = 5;
  v.head = "fc";
  v.body = body;
  v.head_weight_init = v.head_bias_init = [](int64_t, int64_t) { return uniform_init(0.3); };
  return v;
}

}  // namespace

std::vector<std::string> small_networks() {
  static std::once_flag added;
  std::call_once(added, [] {
    models::add(variant("threads_maps", 48, maps_body));
    models::add(variant("threads_tokens", 16, tokens_body));
  });
  return {"threads_maps", "threads_tokens"};
}

Model small_model(const std::string& name, uint64_t seed) {
  small_networks();
  LoadOptions options;
  options.weights = "none";
  options.seed = seed;
  return Model::load(name, options);
}

Image picture(int number) {
  const int64_t width = 40 + number * 3 % 20, height = 36 + number * 7 % 30;
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * static_cast<size_t>(number + 2) / 5);
  return image;
}

Tensor prepared(int number, int64_t count) {
  Tensor images(DType::f32, {count, 3, kSide, kSide});
  float x = static_cast<float>(number);
  for (float& value : images.mutable_values<float>()) value = std::sin(x += 0.37f);
  return images;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "fovea-threads-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
  path_ = pattern;
}

}  // namespace fovea::test
