#include "api/measure.h"

#include <algorithm>

#include "base/random.h"

namespace fovea {

void fill_bench_image(std::span<float> image) {
  const RandomStream random(0, "bench");
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(random.uniform(i) * 4 - 2);
}

BenchInputs::BenchInputs(engine::Executable& executable, int64_t classes) : executable_(executable) {
  if (executable.has_input("image")) {
    image_.resize(executable.input_as<float>("image").size());
    fill_bench_image(image_);
  }
  if (!executable.has_input("labels")) return;
  labels_.resize(executable.input_as<int32_t>("labels").size());
  for (size_t i = 0; i < labels_.size(); ++i) labels_[i] = static_cast<int32_t>(static_cast<int64_t>(i) % classes);
}

void BenchInputs::write(int64_t step) {
  if (!image_.empty()) std::copy(image_.begin(), image_.end(), executable_.input_as<float>("image").begin());
  if (!labels_.empty()) std::copy(labels_.begin(), labels_.end(), executable_.input_as<int32_t>("labels").begin());
  // So small that however many steps run, the weights stay what they are: only the time counts.
  if (executable_.has_input("rate")) executable_.input_as<float>("rate")[0] = 1e-6f;
  if (executable_.has_input("step")) executable_.input_as<int64_t>("step")[0] = step;
  if (executable_.has_input("seed")) executable_.input_as<int64_t>("seed")[0] = 0;
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::span<const double> sorted) { return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2; }

}  // namespace fovea
