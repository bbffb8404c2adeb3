#include "cases.h"
#include "ops/add.h"
#include "ops/broadcast_to.h"
#include "ops/multiply.h"
#include "ops/sum_to.h"

namespace fovea::testing {
namespace {

template <class T>
void add_binary(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, CaseInput a, CaseInput b, const std::string& expected) {
    cases.push_back({name, T{}, {std::move(a), std::move(b)}, expected, {0, 1}, {}, 0, 1e-6});
  };
  add("same", normal({2, 19, 3, 5}), normal({2, 19, 3, 5}, 1), "f32[2,19,3,5]");
  add("wide", normal({1, 64, 4, 4}), normal({1, 64, 4, 4}, 1), "f32[1,64,4,4]");
  add("gate", normal({2, 19, 3, 5}), normal({2, 19, 1, 1}), "f32[2,19,3,5]");
  add("gate_first", normal({2, 16, 1, 1}), normal({2, 16, 3, 5}), "f32[2,16,3,5]");
  add("layer_scale", normal({2, 19, 3, 5}), channel_vector(19), "f32[2,19,3,5]");
  add("position", normal({2, 19, 3, 1}), parameter(normal({1, 19, 3, 1})), "f32[2,19,3,1]");
  add("sample", normal({3, 7, 2, 2}), normal({3, 1, 1, 1}), "f32[3,7,2,2]");
  add("one_channel", normal({2, 7, 3, 5}), normal({2, 1, 3, 5}), "f32[2,7,3,5]");
  add("one_channel_each", normal({2, 1, 3, 5}), normal({2, 1, 3, 5}, 1), "f32[2,1,3,5]");
  add("outer", normal({2, 7, 1, 1}), normal({1, 1, 3, 5}), "f32[2,7,3,5]");
  add("scalar", normal({2, 7, 3, 5}), scalar(0.3), "f32[2,7,3,5]");
  add("two_scalars", scalar(2.5), scalar(0.3), "f32[]");
  add("lists", normal({33}), normal({33}, 1), "f32[33]");
  const std::string op(T::kName);
  const auto wrong = [&](const std::string& name, const std::string& a, const std::string& b, const std::string& error) {
    cases.push_back({name, T{}, {only(a), only(b)}, "error: " + op + ": " + error});
  };
  wrong("shapes", "f32[2,3,4,4]", "f32[2,3,4,5]", "[2,3,4,4] and [2,3,4,5] do not go together");
  wrong("ranks", "f32[2,3,4,4]", "f32[4,4]", "[2,3,4,4] and [4,4] have 4 and 2 dimensions");
  wrong("types", "f32[2]", "f64[2]", "b is f64[2], a is f32[2]");
  wrong("integers", "i64[]", "i64[]", "a is i64[], a floating type is wanted");
}

}  // namespace

std::vector<OpCase> broadcast_cases() {
  std::vector<OpCase> cases;
  add_binary<Add>(cases);
  add_binary<Multiply>(cases);
  const auto repeat = [&](const std::string& name, CaseInput x, const Shape& shape, double scale) {
    cases.push_back({name, BroadcastTo{shape, scale}, {std::move(x)}, to_string(Type{DType::f32, shape}), {0}, {}, 0, 1e-6});
  };
  repeat("pixels", normal({2, 19, 1, 1}), {2, 19, 3, 5}, 1.0 / 15);
  repeat("all", scalar(3), {2, 7, 3, 5}, 1);
  repeat("channels", normal({2, 1, 3, 5}), {2, 7, 3, 5}, -2);
  repeat("nothing", normal({2, 7, 3, 5}), {2, 7, 3, 5}, 0.5);
  cases.push_back(
      {"shapes", BroadcastTo{{2, 3, 4, 4}, 1}, {only("f32[2,3,4,2]")}, "error: broadcast_to: [2,3,4,2] and [2,3,4,4] do not go together"});
  cases.push_back(
      {"smaller", BroadcastTo{{1, 3, 4, 4}, 1}, {only("f32[2,3,4,4]")}, "error: broadcast_to: [2,3,4,4] cannot be repeated to [1,3,4,4]"});

  const auto sum = [&](const std::string& name, CaseInput x, const Shape& shape) {
    cases.push_back({name, SumTo{shape}, {std::move(x)}, to_string(Type{DType::f32, shape}), {0}, {0}});
  };
  sum("bias", normal({3, 19, 5, 4}), {1, 19, 1, 1});
  sum("wide_bias", normal({3, 64, 5, 4}), {1, 64, 1, 1});
  sum("gate", normal({3, 19, 5, 4}), {3, 19, 1, 1});
  sum("channels", normal({3, 19, 5, 4}), {3, 1, 5, 4});
  sum("batch", normal({3, 19, 5, 4}), {1, 19, 5, 4});
  sum("sample", normal({3, 19, 5, 4}), {3, 1, 1, 1});
  sum("all", normal({3, 19, 5, 4}), {});
  sum("list", normal({37}), {1});
  sum("nothing", normal({3, 7, 2, 2}), {3, 7, 2, 2});
  cases.push_back({"shapes", SumTo{{1, 4, 1, 1}}, {only("f32[2,3,4,4]")}, "error: sum_to: [2,3,4,4] and [1,4,1,1] do not go together"});
  cases.push_back({"larger", SumTo{{2, 3, 4, 4}}, {only("f32[1,3,4,4]")}, "error: sum_to: [1,3,4,4] cannot be summed to [2,3,4,4]"});
  return cases;
}

}  // namespace fovea::testing
