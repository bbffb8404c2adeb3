// Networks to export, with weights of which none is as it starts, and a folder to export them to.
#pragma once

#include <fovea/fovea.h>

#include <filesystem>
#include <string>

namespace fovea::onnx {

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A folder with one folder a class: four BMPs of noise around each of two colours.
void draw_pictures(const Folder& folder);

// Random weights; statistics, scales and biases that nothing cancels.
Model network(const std::string& name, int64_t height, int64_t width);
// f32 [count,3,height,width] at the network's size, in [-1, 1).
Tensor random_images(const Model& model, int64_t count);

}  // namespace fovea::onnx
