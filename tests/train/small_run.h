// A run small enough for tests: a network of a few hundred parameters on pictures that are drawn here.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "backends/cpu/cpu.h"
#include "base/random.h"
#include "nn/layers.h"
#include "support/files.h"
#include "train/trainer.h"

namespace fovea::training {

constexpr int64_t kPictureSize = 16;

// 24-bit BMP of noise around a colour.
inline void draw_picture(const std::filesystem::path& path, const std::array<double, 3>& colour, uint64_t seed,
                         uint32_t height = kPictureSize) {
  const auto put = [](std::string& text, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  };
  constexpr uint32_t kHeader = 54;
  const uint32_t pixels = 3 * kPictureSize * height;
  std::string text = "BM";
  put(text, kHeader + pixels, 4), put(text, 0, 4), put(text, kHeader, 4), put(text, 40, 4);
  put(text, kPictureSize, 4), put(text, height, 4), put(text, 1, 2), put(text, 24, 2), put(text, 0, 4), put(text, pixels, 4);
  for (int i = 0; i < 4; ++i) put(text, 0, 4);
  const RandomStream noise(seed, "picture");
  for (uint64_t i = 0; i < pixels; ++i) text += static_cast<char>(static_cast<uint8_t>(colour[i % 3] * 180 + 75 * noise.uniform(i)));
  std::ofstream(path, std::ios::binary) << text;
}

// Three classes of `count` pictures each, square ones by default.
inline void draw_pictures(const std::filesystem::path& folder, int count, uint32_t height = kPictureSize) {
  const std::pair<const char*, std::array<double, 3>> classes[] = {
      {"blue", {1, 0.3, 0.2}}, {"green", {0.2, 1, 0.4}}, {"red", {0.3, 0.4, 1}}};
  uint64_t seed = 0;
  for (const auto& [name, colour] : classes) {
    std::filesystem::create_directories(folder / name);
    for (int i = 0; i < count; ++i) draw_picture(folder / name / (std::to_string(i) + ".bmp"), colour, ++seed, height);
  }
}

inline const models::Variant& small_variant() {
  static const models::Variant variant = [] {
    models::Variant v;
    v.name = "small";
    v.family = v.layout = "test";
    v.feature_width = 12;
    v.input_size = kPictureSize;
    v.head = "fc";
    v.head_dropout = 0.2;
    v.body = [](Scope s, Value x, Size2) {
      x = s["stem"].tap(
          relu(batch_norm(s["stem"]["bn"], conv2d(s["stem"]["conv"], x, {.out = 8, .kernel = 3, .stride = 2, .padding = 1}))));
      x = relu(batch_norm(s["stage"]["bn"], conv2d(s["stage"]["conv"], x, {.out = 12, .kernel = 3, .stride = 2, .padding = 1})));
      return features_of(s["stage"].tap(x));
    };
    v.head_weight_init = v.head_bias_init = [](int64_t, int64_t) { return uniform_init(0.2); };
    return v;
  }();
  return variant;
}

struct SmallRun {
  TrainResult result;
  std::shared_ptr<engine::Network> network;
};

inline SmallRun run_small(image::Splits found, const TrainOptions& options, bool pretrained = true,
                          std::shared_ptr<FeatureStore> features = {}) {
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = kPictureSize;
  preprocessing.fit = options.views.fit.value_or(Fit::squash);
  preprocessing.second_fit = options.views.second_fit;
  const auto facts = [&](const Data& data) {
    return Facts{static_cast<int64_t>(data.splits.train.samples.size()), static_cast<int64_t>(data.splits.validation.samples.size()),
                 pretrained, data.splits.train.multi_label};
  };
  const Data data = load_data(std::move(found), options, preprocessing, true);
  SmallRun run;
  const HeadOptions head{.independent = data.splits.train.multi_label};
  run.network = std::make_shared<engine::Network>(small_variant(), engine::NetworkForm{data.splits.train.classes, head}, preprocessing, 7);
  run.result =
      Trainer({run.network, cpu::cpu_backend(), options, data, make_plan(options, facts(data)), nullptr, {}, std::move(features)}).run();
  return run;
}

inline SmallRun run_small(const std::filesystem::path& pictures, const TrainOptions& options, bool pretrained = true) {
  return run_small(find_pictures(pictures.string()), options, pretrained);
}

inline std::string bytes_of(const std::filesystem::path& path) { return contents_of(path); }

}  // namespace fovea::training
