#include "api/measure.h"

#include <algorithm>

#include "base/random.h"
#include "ir/slots.h"

namespace fovea {

void fill_bench_image(std::span<float> image) {
  const RandomStream random(0, "bench");
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(random.uniform(i) * 4 - 2);
}

BenchInputs::BenchInputs(engine::Executable& executable, int64_t classes) : executable_(executable) {
  if (executable.has(slots::kImage)) {
    image_.resize(executable.input(slots::kImage).size());
    fill_bench_image(image_);
  }
  if (!executable.has(slots::kLabels)) return;
  labels_.resize(executable.input(slots::kLabels).size());
  for (size_t i = 0; i < labels_.size(); ++i) labels_[i] = static_cast<int32_t>(static_cast<int64_t>(i) % classes);
}

void BenchInputs::write(int64_t step) {
  if (!image_.empty()) std::copy(image_.begin(), image_.end(), executable_.input(slots::kImage).begin());
  if (!labels_.empty()) std::copy(labels_.begin(), labels_.end(), executable_.input(slots::kLabels).begin());
  // The rate is so small that the weights stay what they are, however many steps run: only the time counts.
  executable_.set(slots::kRate, 1e-6f);
  executable_.set(slots::kStep, step);
  executable_.set(slots::kSeed, 0);
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::span<const double> sorted) { return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2; }

}  // namespace fovea
