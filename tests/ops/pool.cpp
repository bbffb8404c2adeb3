#include "cases.h"
#include "ops/global_average_pool.h"
#include "ops/max_pool2d.h"

namespace fovea::testing {

std::vector<OpCase> pool_cases() {
  std::vector<OpCase> cases;
  const auto pool = [&](const std::string& name, MaxPool2d op, Shape shape, const Size2& size) {
    const Shape pooled{shape.batch(), shape.channels(), size.height, size.width};
    cases.push_back(
        {name, op, {distinct(shape)}, to_string(Type{DType::f32, pooled}) + " " + to_string(Type{DType::i32, pooled}), {0}, {}, 0, 0});
  };
  pool("stem", {{3, 3}, {2, 2}, {1, 1, 1, 1}}, {2, 16, 12, 12}, {6, 6});
  pool("stem_odd", {{3, 3}, {2, 2}, {1, 1, 1, 1}}, {1, 19, 13, 11}, {7, 6});
  pool("halves", {{2, 2}, {2, 2}, {}}, {2, 3, 8, 6}, {4, 3});
  pool("leaves_a_rest", {{2, 2}, {2, 2}, {}}, {2, 3, 9, 7}, {4, 3});
  pool("overlapping", {{3, 3}, {1, 1}, {1, 1, 1, 1}}, {1, 8, 5, 5}, {5, 5});
  pool("same_padding", {{3, 3}, {2, 2}, {0, 1, 0, 1}}, {2, 64, 8, 8}, {4, 4});
  pool("oblong", {{3, 2}, {2, 3}, {1, 0, 0, 1}}, {1, 5, 9, 10}, {4, 4});
  // A gradient of places that may meet: those that max_pool2d finds in the distinct values above are tried through it.
  cases.push_back({"meeting",
                   MaxPool2dGrad{{2, 2}, {1, 1}, {}, {3, 3}},
                   {normal({1, 1, 2, 2}), integers(DType::i32, {1, 1, 2, 2}, {4, 4, 4, 5})},
                   "f32[1,1,3,3]",
                   {},
                   {},
                   0,
                   1e-6});
  cases.push_back({"apart",
                   MaxPool2dGrad{{2, 2}, {2, 2}, {}, {5, 4}},
                   {normal({2, 2, 2, 2}), integers(DType::i32, {2, 2, 2, 2}, {0, 3, 9, 15, 5, 2, 8, 14, 1, 7, 12, 11, 4, 6, 13, 10})},
                   "f32[2,2,5,4]",
                   {},
                   {},
                   0,
                   1e-6});
  cases.push_back({"kernel",
                   MaxPool2d{{5, 5}, {1, 1}, {}},
                   {only("f32[1,3,4,8]")},
                   "error: max_pool2d: kernel 5 on a height of 4 with padding 0 and 0"});
  cases.push_back({"padding",
                   MaxPool2d{{2, 2}, {2, 2}, {2, 0, 0, 0}},
                   {only("f32[1,3,4,8]")},
                   "error: max_pool2d: padding 2,0,0,0 is not smaller than the kernel 2,2"});
  cases.push_back(
      {"stride", MaxPool2d{{2, 2}, {2, 0}, {}}, {only("f32[1,3,4,8]")}, "error: max_pool2d: stride 0 along the width, at least 1"});
  cases.push_back({"rank", MaxPool2d{}, {only("f32[3,4,8]")}, "error: max_pool2d: x [3,4,8] has 3 dimensions, 4 are wanted"});
  cases.push_back({"size",
                   MaxPool2dGrad{{2, 2}, {2, 2}, {}, {8, 8}},
                   {only("f32[1,3,2,2]"), only("i32[1,3,2,2]")},
                   "error: max_pool2d_grad: dy is [1,3,2,2], [1,3,4,4] is wanted"});
  cases.push_back({"argmax",
                   MaxPool2dGrad{{2, 2}, {2, 2}, {}, {4, 4}},
                   {only("f32[1,3,2,2]"), only("i64[1,3,2,2]")},
                   "error: max_pool2d_grad: argmax is i64[1,3,2,2], i32 is wanted"});

  const auto average = [&](const std::string& name, const Shape& shape) {
    cases.push_back(
        {name, GlobalAveragePool{}, {normal(shape)}, to_string(Type{DType::f32, {shape.batch(), shape.channels(), 1, 1}}), {0}});
  };
  average("small", {2, 19, 3, 5});
  average("wide", {1, 64, 7, 7});
  average("one_pixel", {3, 16, 1, 1});
  average("one_channel", {2, 1, 9, 4});
  cases.push_back({"rank", GlobalAveragePool{}, {only("f32[3,4]")}, "error: global_average_pool: x [3,4] has 2 dimensions, 4 are wanted"});
  return cases;
}

}  // namespace fovea::testing
