// Trainings small enough for tests of the public interface: a network of a few hundred parameters, pictures of three colours in memory.
#pragma once

#include <fovea/fovea.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace fovea {

constexpr int64_t kColoured = 16;

inline Image coloured(size_t colour, uint32_t seed) {
  std::mt19937 random(seed);
  Image image{kColoured, kColoured, std::vector<uint8_t>(3 * kColoured * kColoured)};
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<uint8_t>((i % 3 == colour ? 150 : 60) + static_cast<int>(random() % 80));
  return image;
}

inline const std::vector<std::string> kClasses{"blue", "green", "red"};

// In the order of the classes, named as the files of a folder are.
inline std::vector<Example> examples(int count) {
  std::vector<Example> all;
  uint32_t seed = 0;
  for (size_t label = 0; label < kClasses.size(); ++label)
    for (int i = 0; i < count; ++i)
      all.push_back({kClasses[label] + "/" + std::to_string(i) + ".png", coloured(2 - label, ++seed), kClasses[label]});
  return all;
}

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Call>
std::string message_of_error(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

inline Model small_colour_model(uint64_t seed = 7) {
  static std::once_flag registered;
  std::call_once(registered, [] {
    register_architecture({.name = "own/colours", .input_size = kColoured, .body = [](Layers s, Map x) {
                             x = relu(s["stem"].conv2d(x, {.out = 8, .kernel = 3, .stride = 2, .padding = 1}));
                             x = s["stem"].tap(s["bn"].batch_norm(x));
                             return s["last"].tap(relu(s["last"].conv2d(x, {.out = 12, .kernel = 3, .stride = 2, .padding = 1})));
                           }});
  });
  return Model::load("own/colours", {.weights = "none", .seed = seed});
}

}  // namespace fovea
