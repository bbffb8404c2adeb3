// Updates in parts against gradient and update as two operations.
#include "ops/linear_update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "backends/cpu/cpu.h"
#include "base/random.h"
#include "ops/conv2d.h"

namespace fovea::test {
namespace {

using backend::Operand;

constexpr int64_t kOutputs = 333, kInputs = 5000, kPictures = 5;  // two parts
const Type kWeight{DType::f32, {kOutputs, kInputs, 1, 1}};

class Numbers {
 public:
  float* make(int64_t elements, uint64_t seed) {
    std::vector<float> values(static_cast<size_t>(elements));
    const RandomStream random(seed, "numbers");
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
    return values_.emplace_back(std::move(values)).data();
  }

 private:
  std::vector<std::vector<float>> values_;
};

void run(const Op& op, const std::vector<Type>& inputs, const std::vector<void*>& in, const std::vector<void*>& out, std::string* kernel) {
  std::vector<Operand> reads, writes;
  for (const Type& type : inputs) reads.push_back(Operand::dense(type));
  for (const Type& type : op.infer(inputs)) writes.push_back(Operand::dense(type));
  const auto planned = cpu::cpu_backend().plan(op, reads, writes);
  std::vector<std::byte> workspace(planned->workspace_bytes() + 64);
  planned->bind(in, out, workspace.data() + (64 - reinterpret_cast<uintptr_t>(workspace.data()) % 64) % 64);
  planned->run();
  if (kernel) *kernel = planned->describe();
}

TEST(CpuLinearUpdate, InPartsIsTheSameAsWhole) {
  Numbers memory;
  const int64_t elements = kWeight.shape.elements();
  const Type x{DType::f32, {kPictures, kInputs, 1, 1}}, dy{DType::f32, {kPictures, kOutputs, 1, 1}}, rate{DType::f32, {}};
  float *const images = memory.make(kPictures * kInputs, 1), *const slopes = memory.make(kPictures * kOutputs, 2);
  float *const w = memory.make(elements, 3), *const v = memory.make(elements, 4), *const gradient = memory.make(elements, 5);
  float* const whole_w = memory.make(elements, 3);
  float* const whole_v = memory.make(elements, 4);
  float step = 0.1f;
  const SgdUpdate sgd{0.9, 1e-2, 0.5, true};
  std::string kernel;
  // In place, as training does it.
  run(LinearUpdate<SgdUpdate>{sgd}, {kWeight, x, dy, kWeight, rate}, {w, images, slopes, v, &step}, {w, v}, &kernel);
  EXPECT_THAT(kernel, testing::HasSubstr("updated in parts"));
  run(Conv2dWeightGrad{}, {x, dy}, {images, slopes}, {gradient}, nullptr);
  run(sgd, {kWeight, kWeight, kWeight, rate}, {whole_w, gradient, whole_v, &step}, {whole_w, whole_v}, nullptr);
  double worst = 0;
  for (int64_t i = 0; i < elements; ++i)
    worst = std::max({worst, std::abs(double{w[i]} - whole_w[i]), std::abs(double{v[i]} - whole_v[i])});
  EXPECT_LT(worst, 1e-5);
}

}  // namespace
}  // namespace fovea::test
