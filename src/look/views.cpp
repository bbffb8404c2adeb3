#include "look/views.h"

#include <algorithm>

#include "base/parallel.h"

namespace fovea::look {

void mirror(std::span<float> images, int64_t count, int64_t height, int64_t width) {
  constexpr int64_t kGrain = 64;  // rows a thread turns at least
  const int64_t channels = static_cast<int64_t>(images.size()) / (count * height * width);
  parallel_for(count * height, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* left = images.data() + row * width * channels;
      float* right = left + (width - 1) * channels;
      for (; left < right; left += channels, right -= channels) std::swap_ranges(left, left + channels, right);
    }
  });
}

void average(std::span<float> answers, std::span<const float> others) {
  for (size_t i = 0; i < answers.size(); ++i) answers[i] = (answers[i] + others[i]) / 2;
}

std::span<float> mean(std::span<float> answers, int64_t views) {
  if (views == 1) return answers;
  const size_t half = answers.size() / 2;
  const auto first = mean(answers.first(half), views / 2);
  average(first, mean(answers.subspan(half), views / 2));
  return first;
}

}  // namespace fovea::look
