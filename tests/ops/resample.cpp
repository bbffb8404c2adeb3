#include "cases.h"
#include "ops/average_pool2d.h"
#include "ops/blur_pool2d.h"
#include "ops/resize_bicubic.h"

namespace fovea::testing {
namespace {

std::string with_size(const Shape& shape, const Size2& size) {
  return to_string(Type{DType::f32, {shape.batch(), shape.channels(), size.height, size.width}});
}

void add_average_pool2d(std::vector<OpCase>& cases) {
  // The forward case, and the gradient as an operation of its own.
  const auto pool = [&](const std::string& name, const AveragePool2d& op, const Shape& shape, const Size2& size) {
    cases.push_back({name, op, {normal(shape)}, with_size(shape, size), {0}, {}, 0, 1e-6});
    const Shape pooled{shape.batch(), shape.channels(), size.height, size.width};
    const AveragePool2dGrad grad{op.kernel, op.stride, {shape.height(), shape.width()}};
    cases.push_back({name, grad, {normal(pooled)}, to_string(Type{DType::f32, shape}), {}, {}, 0, 1e-6});
  };
  pool("transition", {{2, 2}, {2, 2}}, {2, 32, 8, 6}, {4, 3});
  pool("leaves_a_rest", {{2, 2}, {2, 2}}, {2, 19, 9, 7}, {4, 3});
  pool("overlapping", {{3, 3}, {2, 2}}, {1, 8, 7, 9}, {3, 4});
  pool("gaps", {{2, 1}, {3, 2}}, {2, 5, 8, 6}, {3, 3});
  pool("one_channel", {{2, 2}, {2, 2}}, {3, 1, 4, 4}, {2, 2});
  cases.push_back({"kernel",
                   AveragePool2d{{5, 5}, {1, 1}},
                   {only("f32[1,3,4,8]")},
                   "error: average_pool2d: kernel 5 on a height of 4 with padding 0 and 0"});
  cases.push_back(
      {"stride", AveragePool2d{{2, 2}, {2, 0}}, {only("f32[1,3,4,8]")}, "error: average_pool2d: stride 0 along the width, at least 1"});
  cases.push_back({"rank", AveragePool2d{}, {only("f32[3,4]")}, "error: average_pool2d: x [3,4] has 2 dimensions, 4 are wanted"});
  cases.push_back({"size",
                   AveragePool2dGrad{{2, 2}, {2, 2}, {8, 8}},
                   {only("f32[1,3,2,2]")},
                   "error: average_pool2d_grad: dy is [1,3,2,2], [1,3,4,4] is wanted"});
}

void add_blur_pool2d(std::vector<OpCase>& cases) {
  const auto blur = [&](const std::string& name, const BlurPool2d& op, const Shape& shape, const Size2& size) {
    const int64_t multiply_adds = 9 * shape.batch() * shape.channels() * size.height * size.width;
    cases.push_back({name, op, {normal(shape)}, with_size(shape, size), {0}, {}, multiply_adds, 1e-6});
    const Shape blurred{shape.batch(), shape.channels(), size.height, size.width};
    const BlurPool2dGrad grad{op.stride, op.reflect, {shape.height(), shape.width()}};
    cases.push_back({name, grad, {normal(blurred)}, to_string(Type{DType::f32, shape}), {}, {}, multiply_adds, 1e-6});
  };
  blur("even", {2, true}, {2, 32, 8, 6}, {4, 3});
  blur("odd", {2, true}, {2, 19, 9, 7}, {5, 4});
  blur("smallest", {2, true}, {1, 5, 2, 2}, {1, 1});
  blur("no_stride", {1, true}, {1, 8, 5, 4}, {5, 4});
  blur("zeros", {2, false}, {2, 24, 7, 8}, {4, 4});
  blur("one_pixel", {2, false}, {1, 3, 1, 1}, {1, 1});
  cases.push_back(
      {"reflection", BlurPool2d{}, {only("f32[1,3,1,8]")}, "error: blur_pool2d: a map of 1x8 has no row or no column to reflect"});
  cases.push_back({"stride", BlurPool2d{0, true}, {only("f32[1,3,4,8]")}, "error: blur_pool2d: stride 0 along the height, at least 1"});
  cases.push_back({"rank", BlurPool2d{}, {only("f32[3,4]")}, "error: blur_pool2d: x [3,4] has 2 dimensions, 4 are wanted"});
  cases.push_back(
      {"size", BlurPool2dGrad{2, true, {8, 8}}, {only("f32[1,3,2,2]")}, "error: blur_pool2d_grad: dy is [1,3,2,2], [1,3,4,4] is wanted"});
}

// Changes of height and width alone, with their gradient as an operation of its own.
template <class T, class Grad>
void add_resize(std::vector<OpCase>& cases, const std::string& name, const Shape& shape, const Size2& size, double ceiling) {
  cases.push_back({name, T{size}, {normal(shape)}, with_size(shape, size), {0}, {}, 0, ceiling});
  const Shape resized{shape.batch(), shape.channels(), size.height, size.width};
  cases.push_back({name, Grad{{shape.height(), shape.width()}}, {normal(resized)}, to_string(Type{DType::f32, shape}), {}, {}, 0, ceiling});
}

template <class T>
void add_wrong_resize(std::vector<OpCase>& cases, const std::string& input) {
  const std::string op(T::kName);
  cases.push_back({"size", T{{0, 3}}, {only("f32[1,3,4,8]")}, "error: " + op + ": size 0x3, at least 1x1"});
  cases.push_back({"rank", T{}, {only("f32[3,4]")}, "error: " + op + ": " + input + " [3,4] has 2 dimensions, 4 are wanted"});
  cases.push_back({"integers", T{}, {only("i32[1,3,4,8]")}, "error: " + op + ": " + input + " is i32[1,3,4,8], a floating type is wanted"});
}

void add_adaptive_average_pool2d(std::vector<OpCase>& cases) {
  const auto pool = [&](const std::string& name, const Shape& shape, const Size2& size) {
    add_resize<AdaptiveAveragePool2d, AdaptiveAveragePool2dGrad>(cases, name, shape, size, 1e-6);
  };
  pool("smaller", {2, 19, 10, 9}, {7, 7});
  pool("larger", {1, 32, 3, 3}, {7, 7});
  pool("same", {2, 8, 7, 7}, {7, 7});
  pool("one", {2, 5, 6, 4}, {1, 1});
  pool("oblong", {1, 3, 5, 8}, {8, 3});
  add_wrong_resize<AdaptiveAveragePool2d>(cases, "x");
  add_wrong_resize<AdaptiveAveragePool2dGrad>(cases, "dy");
}

void add_resize_bicubic(std::vector<OpCase>& cases) {
  const auto resize = [&](const std::string& name, const Shape& shape, const Size2& size) {
    add_resize<ResizeBicubic, ResizeBicubicGrad>(cases, name, shape, size, 2e-6);
  };
  resize("smaller", {1, 19, 13, 11}, {6, 5});
  resize("larger", {1, 24, 5, 5}, {8, 9});
  resize("same", {2, 3, 4, 6}, {4, 6});
  resize("mixed", {2, 5, 9, 4}, {4, 7});
  resize("one", {1, 8, 5, 3}, {1, 1});
  resize("from_one", {1, 8, 1, 1}, {3, 2});
  add_wrong_resize<ResizeBicubic>(cases, "x");
  add_wrong_resize<ResizeBicubicGrad>(cases, "dy");
}

}  // namespace

std::vector<OpCase> resample_cases() {
  std::vector<OpCase> cases;
  add_average_pool2d(cases);
  add_blur_pool2d(cases);
  add_adaptive_average_pool2d(cases);
  add_resize_bicubic(cases);
  return cases;
}

}  // namespace fovea::testing
