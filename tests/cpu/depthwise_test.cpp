// Own depthwise kernels at the level of their candidates: in float where the library's are preferred, and in bfloat16.
#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>

#include "backends/cpu/candidates.h"
#include "base/float_formats.h"
#include "cpu/op_check.h"
#include "ops/conv2d.h"

namespace fovea::test {
namespace {

struct DepthwiseCase {
  int64_t batch, channels, height, width;
  Size2 kernel, stride;
  Padding2 padding;
  Shape x() const { return {batch, channels, height, width}; }
  Shape w() const { return {channels, 1, kernel.height, kernel.width}; }
  Shape y() const {
    return {batch, channels, (height + padding.top + padding.bottom - kernel.height) / stride.height + 1,
            (width + padding.left + padding.right - kernel.width) / stride.width + 1};
  }
};

const DepthwiseCase kDepthwiseCases[] = {
    {1, 32, 7, 7, {3, 3}, {1, 1}, {1, 1, 1, 1}},    // one tile a line
    {2, 48, 14, 14, {3, 3}, {1, 1}, {1, 1, 1, 1}},  // two tiles, one and a half pairs of vectors
    {1, 45, 9, 23, {3, 3}, {1, 1}, {1, 1, 1, 1}},   // channels left over, a tile that leaves the line
    {2, 24, 15, 16, {3, 3}, {2, 2}, {0, 1, 0, 1}},  // "SAME"
    {1, 35, 28, 28, {3, 3}, {2, 2}, {1, 1, 1, 1}},  //
    {1, 7, 5, 6, {3, 3}, {2, 2}, {1, 0, 1, 0}},     //
    {1, 40, 14, 21, {5, 5}, {1, 1}, {2, 2, 2, 2}},  //
    {2, 33, 8, 28, {5, 5}, {2, 2}, {1, 2, 1, 2}},   // "SAME"
    {1, 17, 11, 11, {5, 5}, {2, 2}, {2, 2, 2, 2}},  //
    {1, 16, 2, 3, {5, 5}, {1, 1}, {2, 2, 2, 2}},    // smaller than the kernel
    {1, 96, 7, 7, {7, 7}, {1, 1}, {3, 3, 3, 3}},    //
    {2, 20, 9, 30, {7, 7}, {1, 1}, {3, 3, 3, 3}},   //
    {1, 18, 13, 29, {7, 7}, {2, 2}, {2, 3, 2, 3}},  // "SAME"
    {1, 16, 12, 14, {7, 7}, {2, 2}, {3, 3, 3, 3}},  //
    {1, 16, 9, 9, {3, 3}, {1, 1}, {2, 2, 2, 2}},    // more padding than the windows' half
    {1, 16, 10, 10, {5, 5}, {1, 1}, {0, 0, 0, 0}},  // none
    {1, 16, 9, 11, {1, 3}, {2, 1}, {0, 0, 1, 1}},   // oblong
    {1, 16, 11, 12, {7, 3}, {1, 2}, {3, 3, 0, 1}},  //
    {3, 64, 14, 14, {3, 3}, {1, 2}, {1, 1, 1, 1}},  // strides differ
    {1, 512, 3, 4, {3, 3}, {1, 1}, {1, 1, 1, 1}},   // few lines: threads share the channels
    {1, 530, 3, 14, {5, 5}, {2, 2}, {2, 2, 2, 2}},  //
};

Array rounded(Array array, DType dtype) {
  array.type.dtype = dtype;
  return dtype == DType::bf16 ? rounded_to_bf16(std::move(array)) : array;
}

// Memory as a kernel sees it, pixels `extra` elements apart, in guard values.
class Memory {
 public:
  Memory(const Type& type, int64_t extra) : type_(type), step_((type.shape.rank() == 4 ? type.shape.channels() : 0) + extra) {
    rows_ = type.shape.rank() == 4 ? type.elements() / type.shape.channels() : 1;
    bytes_.assign(static_cast<size_t>(rows_ * step_) * size_of(type.dtype) + 64, std::byte{0x5a});
  }
  Memory(const Array& array, int64_t extra) : Memory(array.type, extra) {
    for (int64_t i = 0; i < array.type.elements(); ++i) set(i, array.values[static_cast<size_t>(i)]);
  }
  void* data() { return bytes_.data(); }
  double get(int64_t i) const {
    if (type_.dtype == DType::f32) return read<float>(i);
    return bfloat16_to_float(read<uint16_t>(i));
  }
  bool gaps_are_untouched() const {
    const int64_t width = type_.shape.channels(), size = static_cast<int64_t>(size_of(type_.dtype));
    for (int64_t at = 0; at < static_cast<int64_t>(bytes_.size()); ++at)
      if ((at >= rows_ * step_ * size || at % (step_ * size) >= width * size) && bytes_[static_cast<size_t>(at)] != std::byte{0x5a})
        return false;
    return true;
  }

 private:
  size_t place(int64_t i) const {
    const int64_t width = type_.shape.channels();
    return static_cast<size_t>(i / width * step_ + i % width) * size_of(type_.dtype);
  }
  template <class T>
  T read(int64_t i) const {
    T value;
    std::memcpy(&value, bytes_.data() + place(i), sizeof(T));
    return value;
  }
  void set(int64_t i, double v) {
    const auto f = static_cast<float>(v);
    const uint16_t half = float_to_bfloat16(f);
    type_.dtype == DType::f32 ? std::memcpy(bytes_.data() + place(i), &f, 4) : std::memcpy(bytes_.data() + place(i), &half, 2);
  }

  Type type_;
  int64_t step_, rows_ = 0;
  std::vector<std::byte> bytes_;
};

bool is_activation(const Type& type) { return type.shape.channels() > 1 && type.shape.height() * type.shape.width() > 1; }

// A kernel's one result from arrays whose types say how they are stored.
Array run(cpu::Candidate candidate, const Op& op, const std::vector<Array>& inputs, const Type& result, int constant, int64_t extra) {
  std::vector<Memory> memory;
  std::vector<backend::Operand> in, out{backend::Operand::dense(result)};
  for (const Array& input : inputs) {
    const int64_t gap = is_activation(input.type) ? extra : 0;
    memory.emplace_back(input, gap);
    in.push_back(backend::Operand::dense(input.type));
    in.back().row_stride += gap;
    in.back().constant = static_cast<int>(in.size()) - 1 == constant;
  }
  const int64_t gap = is_activation(result) ? extra : 0;
  out[0].row_stride += gap;
  Memory to(result, gap);
  const cpu::Planned planned = candidate({op, in, out});
  EXPECT_TRUE(planned.kernel) << planned.refusal;
  Array array{result, {}};
  if (!planned.kernel) return array;
  std::vector<std::byte> packed(constant < 0 ? 0 : planned.kernel->packed_bytes(constant)), work(planned.kernel->workspace_bytes());
  std::vector<void*> pointers;
  for (Memory& each : memory) pointers.push_back(each.data());
  if (!packed.empty()) {
    planned.kernel->pack(constant, pointers[static_cast<size_t>(constant)], packed.data());
    pointers[static_cast<size_t>(constant)] = packed.data();
  }
  void* const target = to.data();
  planned.kernel->bind(pointers, std::vector<void*>{target}, work.data());
  planned.kernel->run();
  for (int64_t i = 0; i < result.elements(); ++i) array.values.push_back(to.get(i));
  EXPECT_TRUE(to.gaps_are_untouched());
  return array;
}

// The definition, in double, over all (image, channel, result, window) places: body(index of x, of w, of y).
template <class Body>
void over_windows(const DepthwiseCase& c, const Body& body) {
  const Shape y = c.y();
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t oy = 0; oy < y.height(); ++oy)
      for (int64_t ox = 0; ox < y.width(); ++ox)
        for (int64_t i = 0; i < c.kernel.height; ++i)
          for (int64_t j = 0; j < c.kernel.width; ++j) {
            const int64_t iy = oy * c.stride.height - c.padding.top + i, ix = ox * c.stride.width - c.padding.left + j;
            if (iy < 0 || iy >= c.height || ix < 0 || ix >= c.width) continue;
            for (int64_t k = 0; k < c.channels; ++k)
              body(static_cast<size_t>(((n * c.height + iy) * c.width + ix) * c.channels + k),
                   static_cast<size_t>((k * c.kernel.height + i) * c.kernel.width + j),
                   static_cast<size_t>(((n * y.height() + oy) * y.width() + ox) * c.channels + k));
          }
}

struct Sum {
  double value = 0, magnitude = 0;
  void add(double v) { value += v, magnitude += std::abs(v); }
};

// Sums in float, then one rounding to the type: within half a unit of its last place (2^-8 of the value in bfloat16).
void expect_near(const Array& found, const std::vector<Sum>& wanted) {
  ASSERT_EQ(found.values.size(), wanted.size());
  const double half_unit = found.type.dtype == DType::bf16 ? std::ldexp(1, -8) : 0;
  for (size_t i = 0; i < wanted.size(); ++i)
    ASSERT_LE(std::abs(found.values[i] - wanted[i].value), 5e-7 * wanted[i].magnitude + half_unit * std::abs(wanted[i].value) + 1e-36)
        << i << ": " << found.values[i] << ", wanted " << wanted[i].value;
}

void check(const DepthwiseCase& c, DType dtype, int64_t extra) {
  SCOPED_TRACE(fmt::format("{} {} kernel {}x{} stride {} in {}", to_string(c.x()), to_string(c.y()), c.kernel.height, c.kernel.width,
                           c.stride.width, to_string(Type{dtype, {}})));
  const Array x = rounded(random_array(c.x(), 1), dtype), dy = rounded(random_array(c.y(), 2), dtype);
  const Array residual = rounded(random_array(c.y(), 3, 2), dtype), w = random_array(c.w(), 4, 0.5);
  const Array bias = random_array({1, c.channels, 1, 1}, 5);
  std::vector<Sum> y(dy.values.size()), dx(x.values.size()), dw(w.values.size());
  over_windows(c, [&](size_t at_x, size_t at_w, size_t at_y) {
    y[at_y].add(x.values[at_x] * w.values[at_w]);
    dx[at_x].add(dy.values[at_y] * w.values[at_w]);
    dw[at_w].add(dy.values[at_y] * x.values[at_x]);
  });
  const Size2 size{c.height, c.width};
  using namespace cpu;
  for (int constant : {-1, 1})
    expect_near(run(plan_conv2d_depthwise, Conv2d{c.stride, c.padding, c.channels}, {x, w}, dy.type, constant, extra), y);
  for (int constant : {-1, 0})
    expect_near(
        run(plan_conv2d_input_grad_depthwise, Conv2dInputGrad{c.stride, c.padding, c.channels, size}, {w, dy}, x.type, constant, extra),
        dx);
  expect_near(
      run(plan_conv2d_weight_grad_depthwise, Conv2dWeightGrad{c.stride, c.padding, c.channels, c.kernel}, {x, dy}, w.type, -1, extra), dw);
  for (ActivationKind kind : {ActivationKind::identity, ActivationKind::relu6, ActivationKind::silu, ActivationKind::hard_swish}) {
    std::vector<Sum> activated = y;
    for (size_t i = 0; i < activated.size(); ++i) {
      Sum& each = activated[i];
      each.add(bias.values[i % static_cast<size_t>(c.channels)]);
      each.add(residual.values[i]);
      each.value = activate(kind, each.value);
    }
    const FusedConv2d fused{c.stride, c.padding, c.channels, true, true, kind};
    expect_near(run(plan_fused_conv2d_depthwise, fused, {x, w, bias, residual}, dy.type, 1, extra), activated);
  }
}

TEST(CpuDepthwise, EveryFormAgreesWithTheDefinition) {
  for (const DepthwiseCase& c : kDepthwiseCases)
    for (DType dtype : {DType::f32, DType::bf16})
      for (int64_t extra : {0, 3}) check(c, dtype, extra);
}

TEST(CpuDepthwise, OnEveryInstructionSet) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    for (const DepthwiseCase& c : kDepthwiseCases)
      if (c.channels < 48)
        for (DType dtype : {DType::f32, DType::bf16}) check(c, dtype, 0);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

TEST(CpuDepthwise, BatchOnOneAndManyThreads) {
  const int before = threads();
  for (int count : {1, 2, 3, 5}) {
    set_threads(count);
    check({3, 70, 7, 9, {5, 5}, {1, 1}, {2, 2, 2, 2}}, DType::f32, 0);
    check({1, 160, 2, 7, {3, 3}, {1, 1}, {1, 1, 1, 1}}, DType::bf16, 0);
  }
  set_threads(before);
}

}  // namespace
}  // namespace fovea::test
