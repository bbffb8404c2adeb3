#include "train/frozen_prefix.h"

#include <algorithm>

#include "base/error.h"
#include "ir/slots.h"
#include "passes/pipeline.h"
#include "passes/set_precision.h"
#include "passes/split_frozen.h"
#include "train/step.h"

namespace fovea::training {
namespace {

constexpr int64_t kMostPictures = 16;  // at once: more of them are no faster and take more memory

// Cuts a batch into equal parts, which leaves the least to be filled up.
int64_t part_of(int64_t batch) {
  const int64_t parts = (batch + kMostPictures - 1) / kMostPictures;
  return (batch + parts - 1) / parts;
}

}  // namespace

std::unique_ptr<FrozenPrefix> FrozenPrefix::find(const engine::Network& network, const std::set<std::string>& frozen, int64_t batch,
                                                 const Target& target) {
  if (frozen.empty()) return nullptr;
  std::unique_ptr<FrozenPrefix> result(new FrozenPrefix);
  result->batch_ = part_of(batch);
  const auto split_at = [&](int64_t pictures) {
    return passes::split_frozen(lower_for_training(network.build(pictures, target.height, target.width), frozen), frozen,
                                {slots::kImage.name});
  };
  const passes::SplitGraph split = split_at(result->batch_);
  if (split.cuts.empty() || split.suffix.find_input(slots::kImage.name)) return nullptr;
  for (const NamedValue& cut : split.cuts) {
    const Type& type = split.prefix.type(*split.prefix.find_output(cut.name));
    if (type.dtype != DType::f32 || type.shape[0] != result->batch_)
      fail(ErrorKind::internal, "{}: a frozen part ends with {}, pictures expected", network.variant().name, to_string(type));
    result->cuts_.push_back({cut.name, type.elements() / result->batch_});
    result->width_ += result->cuts_.back().width;
  }
  const auto build = [&](int64_t pictures) {
    return passes::optimize(passes::set_precision(split_at(pictures).prefix, network.precision()));
  };
  result->executable_ = engine::BatchExecutable::compile(build, result->batch_, target.backend, network.store(), target.arena);
  result->executable_->prepare();
  return result;
}

std::vector<std::string> FrozenPrefix::inputs() const {
  std::vector<std::string> names;
  for (const Cut& cut : cuts_) names.push_back(cut.name);
  return names;
}

void FrozenPrefix::run(std::span<const float> images, int64_t count, std::span<float> rows, std::span<double> by_node) {
  const auto input = executable_->image();
  const auto picture = static_cast<size_t>(picture_numbers());
  for (int64_t begin = 0; begin < count; begin += batch_) {
    const int64_t size = std::min(batch_, count - begin);
    const auto part = images.subspan(static_cast<size_t>(begin) * picture, static_cast<size_t>(size) * picture);
    std::fill(std::copy(part.begin(), part.end(), input.begin()), input.end(), 0.0f);
    if (by_node.empty())
      executable_->run();
    else
      executable_->run_timed(by_node);
    int64_t offset = 0;
    for (const Cut& cut : cuts_) {
      const auto output = executable_->output(cut.name);
      for (int64_t i = 0; i < size; ++i)
        std::copy_n(output.begin() + i * cut.width, cut.width, rows.begin() + (begin + i) * width_ + offset);
      offset += cut.width;
    }
  }
}

void FrozenPrefix::arrange(std::span<const float> row, int64_t i, int64_t count, std::span<float> data) const {
  int64_t offset = 0;
  for (const Cut& cut : cuts_) {
    std::copy_n(row.begin() + offset, cut.width, data.begin() + count * offset + i * cut.width);
    offset += cut.width;
  }
}

Graph without_prefix(const Graph& lowered, const std::set<std::string>& frozen) {
  return passes::split_frozen(lowered, frozen, {slots::kImage.name}).suffix;
}

}  // namespace fovea::training
