#include "cases.h"
#include "ops/cast.h"
#include "ops/concat.h"
#include "ops/slice.h"
#include "ops/view.h"

namespace fovea::testing {
namespace {

void add_concat(std::vector<OpCase>& cases) {
  const auto concat = [&](const std::string& name, int64_t axis, std::vector<CaseInput> inputs, const std::string& expected) {
    std::vector<size_t> gradients;
    for (size_t i = 0; i < inputs.size(); ++i) gradients.push_back(i);
    cases.push_back({name, Concat{axis}, std::move(inputs), expected, gradients, {}, 0, 0});
  };
  concat("channels", 1, {normal({2, 19, 3, 5}), normal({2, 32, 3, 5}), normal({2, 1, 3, 5})}, "f32[2,52,3,5]");
  concat("many_pixels", 1, {normal({2, 48, 20, 20}), normal({2, 16, 20, 20})}, "f32[2,64,20,20]");
  concat("one_pixel", 1, {normal({3, 8, 1, 1}), normal({3, 8, 1, 1}, 1)}, "f32[3,16,1,1]");
  concat("class_token", 2, {normal({2, 24, 1, 1}), normal({2, 24, 9, 1})}, "f32[2,24,10,1]");
  concat("rows", 2, {normal({2, 3, 2, 4}), normal({2, 3, 5, 4})}, "f32[2,3,7,4]");
  concat("columns", 3, {normal({2, 3, 4, 2}), normal({2, 3, 4, 5}), normal({2, 3, 4, 1})}, "f32[2,3,4,8]");
  concat("batch", 0, {normal({2, 5, 3, 3}), normal({1, 5, 3, 3})}, "f32[3,5,3,3]");
  concat("alone", 1, {normal({2, 5, 3, 3})}, "f32[2,5,3,3]");
  std::vector<CaseInput> eight;
  for (uint64_t i = 0; i < 8; ++i) eight.push_back(normal({1, static_cast<int64_t>(i) + 1, 2, 3}, i));
  concat("eight", 1, eight, "f32[1,36,2,3]");
  const auto wrong = [&](const std::string& name, int64_t axis, const std::vector<std::string>& types, const std::string& error) {
    std::vector<CaseInput> inputs;
    for (const std::string& type : types) inputs.push_back(only(type));
    cases.push_back({name, Concat{axis}, inputs, "error: concat: " + error});
  };
  wrong("sizes", 1, {"f32[2,3,4,4]", "f32[2,5,4,4]", "f32[2,5,4,3]"},
        "x2 is [2,5,4,3], x0 is [2,3,4,4]: they may differ along axis 1 alone");
  wrong("rank", 1, {"f32[2,3,4,4]", "f32[2,3]"}, "x1 [2,3] has 2 dimensions, 4 are wanted");
  wrong("types", 1, {"f32[2,3,4,4]", "f64[2,3,4,4]"}, "x1 is f64[2,3,4,4], x0 is f32[2,3,4,4]");
  wrong("axis", 4, {"f32[2,3,4,4]"}, "axis 4, 0 to 3 are possible");
  wrong("nothing", 1, {}, "0 inputs, it takes 1 to 8");
  wrong("nine", 1, std::vector<std::string>(9, "f32[1,1,1,1]"), "9 inputs, it takes 1 to 8");
}

void add_cast(std::vector<OpCase>& cases) {
  cases.push_back({"narrower", Cast{DType::bf16}, {normal({2, 19, 3, 5})}, "bf16[2,19,3,5]", {}, {}, 0, 0});
  cases.push_back({"the_same", Cast{DType::f32}, {normal({1, 64, 20, 20})}, "f32[1,64,20,20]", {}, {}, 0, 0});
  cases.push_back({"no_number", Cast{DType::i32}, {only("f32[1,1,1,1]")}, "error: cast: to i32, a floating type is wanted"});
}

void add_slice(std::vector<OpCase>& cases) {
  const auto slice = [&](const std::string& name, const Slice& op, const Shape& shape, const std::string& expected) {
    cases.push_back({name, op, {normal(shape)}, expected, {0}, {}, 0, 0});
  };
  slice("channels", {1, 3, 22}, {2, 29, 3, 5}, "f32[2,19,3,5]");
  slice("many_pixels", {1, 16, 48}, {2, 64, 20, 20}, "f32[2,32,20,20]");
  slice("class_token", {2, 0, 1}, {2, 24, 10, 1}, "f32[2,24,1,1]");
  slice("patches", {2, 1, 10}, {2, 24, 10, 1}, "f32[2,24,9,1]");
  slice("columns", {3, 2, 3}, {2, 3, 4, 5}, "f32[2,3,4,1]");
  slice("batch", {0, 1, 3}, {3, 5, 2, 2}, "f32[2,5,2,2]");
  slice("all", {1, 0, 7}, {2, 7, 3, 3}, "f32[2,7,3,3]");
  const auto wrong_slice = [&](const std::string& name, const Slice& op, const std::string& type, const std::string& error) {
    cases.push_back({name, op, {only(type)}, "error: slice: " + error});
  };
  wrong_slice("end", {2, 3, 8}, "f32[1,3,7,4]", "places 3 to 8 of axis 2 of [1,3,7,4]");
  wrong_slice("empty", {2, 3, 3}, "f32[1,3,7,4]", "places 3 to 3 of axis 2 of [1,3,7,4]");
  wrong_slice("begin", {2, -1, 3}, "f32[1,3,7,4]", "places -1 to 3 of axis 2 of [1,3,7,4]");
  wrong_slice("axis", {-1, 0, 1}, "f32[1,3,7,4]", "axis -1, 0 to 3 are possible");
  wrong_slice("rank", {0, 0, 1}, "f32[3]", "x [3] has 1 dimensions, 4 are wanted");

  const auto pad = [&](const std::string& name, const Pad& op, const Shape& shape, const std::string& expected) {
    cases.push_back({name, op, {normal(shape)}, expected, {0}, {}, 0, 0});
  };
  pad("channels", {1, 3, 8}, {2, 19, 3, 5}, "f32[2,30,3,5]");
  pad("tokens_before", {2, 1, 0}, {2, 24, 9, 1}, "f32[2,24,10,1]");
  pad("tokens_after", {2, 0, 9}, {2, 24, 1, 1}, "f32[2,24,10,1]");
  pad("columns", {3, 1, 2}, {2, 3, 4, 5}, "f32[2,3,4,8]");
  pad("batch", {0, 1, 1}, {2, 5, 2, 2}, "f32[4,5,2,2]");
  pad("nothing", {1, 0, 0}, {2, 5, 2, 2}, "f32[2,5,2,2]");
  cases.push_back({"before", Pad{1, -1, 2}, {only("f32[1,3,7,4]")}, "error: pad: -1 places before and 2 after, at least 0"});
  cases.push_back({"axis", Pad{5, 1, 2}, {only("f32[1,3,7,4]")}, "error: pad: axis 5, 0 to 3 are possible"});
}

void add_view(std::vector<OpCase>& cases) {
  const auto view = [&](const std::string& name, CaseInput x, const Shape& shape) {
    cases.push_back({name, View{shape}, {std::move(x)}, to_string(Type{DType::f32, shape}), {0}, {}, 0, 0});
  };
  view("tokens", normal({2, 19, 3, 5}), {2, 19, 15, 1});
  view("map", normal({2, 24, 12, 1}), {2, 24, 3, 4});
  view("same", normal({2, 7, 3, 5}), {2, 7, 3, 5});
  view("other_channels", normal({2, 6, 3, 5}), {2, 15, 2, 3});
  view("vector", normal({2, 6, 3, 5}), {2, 90, 1, 1});
  view("stored_table", parameter(normal({1, 9, 16})), {1, 16, 9, 1});
  view("list", normal({1, 16, 9, 1}), {144});
  cases.push_back({"elements",
                   View{{2, 19, 4, 4}},
                   {only("f32[2,19,3,5]")},
                   "error: view: [2,19,3,5] has 570 elements, as [2,19,4,4] it would have 608"});
  cases.push_back({"sizes", View{{-2, -3}}, {only("f32[6]")}, "error: view: [6] has 6 elements, as [-2,-3] it would have 6"});
}

}  // namespace

std::vector<OpCase> copy_cases() {
  std::vector<OpCase> cases;
  add_concat(cases);
  add_cast(cases);
  add_slice(cases);
  add_view(cases);
  return cases;
}

}  // namespace fovea::testing
