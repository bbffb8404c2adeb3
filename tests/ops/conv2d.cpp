#include "ops/conv2d.h"

#include "cases.h"

namespace fovea::testing {
namespace {

struct Geometry {
  std::string name;
  Shape x, w, y;
  Conv2d op = {};
};

std::vector<Geometry> geometries() {
  const Padding2 one{1, 1, 1, 1}, two{2, 2, 2, 2}, three{3, 3, 3, 3};
  return {
      {"3x3", {2, 19, 7, 6}, {21, 19, 3, 3}, {2, 21, 7, 6}, {{1, 1}, one, 1}},
      {"3x3_aligned", {1, 32, 8, 8}, {48, 32, 3, 3}, {1, 48, 8, 8}, {{1, 1}, one, 1}},
      {"3x3_strided", {2, 16, 8, 8}, {32, 16, 3, 3}, {2, 32, 4, 4}, {{2, 2}, one, 1}},
      {"3x3_strided_odd", {2, 16, 9, 7}, {24, 16, 3, 3}, {2, 24, 5, 4}, {{2, 2}, one, 1}},
      {"stem", {1, 3, 23, 21}, {16, 3, 7, 7}, {1, 16, 12, 11}, {{2, 2}, three, 1}},
      {"stem_same", {2, 3, 16, 16}, {8, 3, 3, 3}, {2, 8, 8, 8}, {{2, 2}, {0, 1, 0, 1}, 1}},
      {"5x5_same", {1, 8, 10, 12}, {6, 8, 5, 5}, {1, 6, 5, 6}, {{2, 2}, {1, 2, 1, 2}, 1}},
      {"oblong", {1, 5, 9, 10}, {7, 5, 1, 3}, {1, 7, 5, 4}, {{2, 3}, {0, 0, 1, 1}, 1}},
      {"no_padding", {2, 4, 5, 5}, {4, 4, 3, 3}, {2, 4, 3, 3}, {}},
      {"wide_padding", {1, 4, 3, 3}, {4, 4, 3, 3}, {1, 4, 5, 5}, {{1, 1}, two, 1}},
      {"3x3_32_channels", {2, 32, 11, 9}, {40, 32, 3, 3}, {2, 40, 11, 9}, {{1, 1}, one, 1}},
      {"3x3_49_channels", {2, 49, 22, 30}, {33, 49, 3, 3}, {2, 33, 22, 30}, {{1, 1}, one, 1}},
      {"3x3_not_symmetric", {3, 36, 18, 21}, {52, 36, 3, 3}, {3, 52, 19, 19}, {{1, 1}, {2, 1, 0, 0}, 1}},
      {"3x3_wide_padding", {1, 32, 30, 31}, {32, 32, 3, 3}, {1, 32, 36, 34}, {{1, 1}, {4, 4, 3, 2}, 1}},
      {"3x3_no_padding", {1, 33, 34, 35}, {32, 33, 3, 3}, {1, 32, 32, 33}, {}},
      {"1x1", {2, 48, 5, 7}, {32, 48, 1, 1}, {2, 32, 5, 7}, {}},
      {"1x1_wide_to_fewer", {3, 96, 10, 9}, {65, 96, 1, 1}, {3, 65, 10, 9}, {}},
      {"1x1_wide_to_more", {2, 64, 7, 7}, {130, 64, 1, 1}, {2, 130, 7, 7}, {}},
      {"1x1_3_channels", {2, 3, 9, 7}, {8, 3, 1, 1}, {2, 8, 9, 7}, {}},
      {"1x1_to_3_channels", {1, 8, 6, 6}, {3, 8, 1, 1}, {1, 3, 6, 6}, {}},
      {"1x1_8_channels", {2, 8, 7, 7}, {8, 8, 1, 1}, {2, 8, 7, 7}, {}},
      {"1x1_strided", {2, 64, 8, 8}, {32, 64, 1, 1}, {2, 32, 4, 4}, {{2, 2}, {}, 1}},
      {"1x1_strided_odd_8_channels", {2, 8, 7, 9}, {12, 8, 1, 1}, {2, 12, 4, 5}, {{2, 2}, {}, 1}},
      {"1x1_strided_3_channels", {1, 3, 8, 6}, {5, 3, 1, 1}, {1, 5, 4, 3}, {{2, 2}, {}, 1}},
      {"linear", {4, 130, 1, 1}, {37, 130, 1, 1}, {4, 37, 1, 1}, {}},
      {"linear_one_row", {1, 64, 1, 1}, {1000, 64, 1, 1}, {1, 1000, 1, 1}, {}},
      {"linear_one_output", {3, 16, 1, 1}, {1, 16, 1, 1}, {3, 1, 1, 1}, {}},
      {"squeeze", {2, 96, 1, 1}, {4, 96, 1, 1}, {2, 4, 1, 1}, {}},
      {"tokens", {2, 48, 37, 1}, {144, 48, 1, 1}, {2, 144, 37, 1}, {}},
      {"tokens_odd", {3, 21, 5, 1}, {13, 21, 1, 1}, {3, 13, 5, 1}, {}},
      {"tokens_strided", {2, 32, 9, 1}, {16, 32, 1, 1}, {2, 16, 5, 1}, {{2, 1}, {}, 1}},
      {"groups", {2, 24, 6, 5}, {36, 8, 3, 3}, {2, 36, 6, 5}, {{1, 1}, one, 3}},
      {"groups_strided", {1, 32, 8, 8}, {32, 8, 3, 3}, {1, 32, 4, 4}, {{2, 2}, one, 4}},
      {"groups_of_one_input", {1, 6, 5, 5}, {12, 1, 3, 3}, {1, 12, 5, 5}, {{1, 1}, one, 6}},
      {"depthwise_3x3", {2, 35, 7, 9}, {35, 1, 3, 3}, {2, 35, 7, 9}, {{1, 1}, one, 35}},
      {"depthwise_3x3_aligned", {1, 32, 8, 8}, {32, 1, 3, 3}, {1, 32, 8, 8}, {{1, 1}, one, 32}},
      {"depthwise_3x3_strided", {2, 16, 8, 9}, {16, 1, 3, 3}, {2, 16, 4, 5}, {{2, 2}, one, 16}},
      {"depthwise_3x3_same", {1, 40, 10, 10}, {40, 1, 3, 3}, {1, 40, 5, 5}, {{2, 2}, {0, 1, 0, 1}, 40}},
      {"depthwise_5x5", {2, 24, 6, 6}, {24, 1, 5, 5}, {2, 24, 6, 6}, {{1, 1}, two, 24}},
      {"depthwise_5x5_strided", {1, 19, 11, 11}, {19, 1, 5, 5}, {1, 19, 6, 6}, {{2, 2}, two, 19}},
      {"depthwise_5x5_same", {2, 16, 8, 8}, {16, 1, 5, 5}, {2, 16, 4, 4}, {{2, 2}, {1, 2, 1, 2}, 16}},
      {"depthwise_7x7", {1, 20, 8, 7}, {20, 1, 7, 7}, {1, 20, 8, 7}, {{1, 1}, three, 20}},
      {"depthwise_7x7_strided", {1, 18, 13, 9}, {18, 1, 7, 7}, {1, 18, 7, 5}, {{2, 2}, {3, 3, 3, 3}, 18}},
      {"depthwise_5x5_wide", {1, 35, 4, 21}, {35, 1, 5, 5}, {1, 35, 4, 21}, {{1, 1}, two, 35}},
      {"depthwise_small_picture", {2, 16, 2, 2}, {16, 1, 5, 5}, {2, 16, 2, 2}, {{1, 1}, two, 16}},
      {"depthwise_3_channels", {1, 3, 6, 6}, {3, 1, 3, 3}, {1, 3, 6, 6}, {{1, 1}, one, 3}},
  };
}

void add_plain(std::vector<OpCase>& cases, const Geometry& g) {
  const auto& [stride, padding, groups] = g.op;
  const int64_t macs = g.y.elements() * g.w[1] * g.w[2] * g.w[3];
  const CaseInput x = normal(g.x), w = parameter(normal(g.w, 1)), bias = channel_vector(g.w[0], 2), dy = normal(g.y, 3);
  cases.push_back({g.name, g.op, {x, w}, f32_text(g.y), {0, 1}, {}, macs});
  cases.push_back({g.name + "_bias", g.op, {x, w, bias}, f32_text(g.y), {0, 1, 2}, {}, macs});
  cases.push_back({g.name, Conv2dInputGrad{stride, padding, groups, {g.x[2], g.x[3]}}, {w, dy}, f32_text(g.x), {}, {}, macs});
  cases.push_back({g.name, Conv2dWeightGrad{stride, padding, groups, {g.w[2], g.w[3]}}, {x, dy}, f32_text(g.w), {}, {0}, macs});
}

void add_fused(std::vector<OpCase>& cases, const Geometry& g) {
  using enum ActivationKind;
  const auto& [stride, padding, groups] = g.op;
  const int64_t macs = g.y.elements() * g.w[1] * g.w[2] * g.w[3];
  for (ActivationKind kind : {identity, relu, relu6, silu, sigmoid, hard_swish, hard_sigmoid, gelu})
    for (bool bias : {false, true})
      for (bool residual : {false, true}) {
        std::vector<CaseInput> inputs{normal(g.x), parameter(normal(g.w, 1))};
        if (bias) inputs.push_back(channel_vector(g.w[0], 2));
        if (residual) inputs.push_back(normal(g.y, 4));
        const std::string name = g.name + "_" + print_field(kind) + (bias ? "_bias" : "") + (residual ? "_residual" : "");
        cases.push_back({name, FusedConv2d{stride, padding, groups, bias, residual, kind}, inputs, f32_text(g.y), {}, {}, macs});
      }
}

void add_conv2d_errors(std::vector<OpCase>& cases) {
  const auto wrong = [&](const std::string& name, Conv2d op, const std::vector<std::string>& types, const std::string& error) {
    std::vector<CaseInput> inputs;
    for (const std::string& type : types) inputs.push_back(only(type));
    cases.push_back({name, op, inputs, "error: conv2d: " + error});
  };
  wrong("channels", {}, {"f32[1,64,8,8]", "f32[32,32,1,1]"}, "64 input channels, weights for 32");
  wrong("group_channels", {{1, 1}, {}, 4}, {"f32[1,64,8,8]", "f32[32,32,1,1]"}, "64 input channels, weights for 32 in each of 4 groups");
  wrong("group_outputs", {{1, 1}, {}, 4}, {"f32[1,64,8,8]", "f32[30,16,1,1]"}, "30 output channels in 4 groups");
  wrong("no_groups", {{1, 1}, {}, 0}, {"f32[1,64,8,8]", "f32[32,64,1,1]"}, "0 groups, at least 1");
  wrong("kernel", {}, {"f32[1,3,8,2]", "f32[8,3,3,3]"}, "kernel 3 on a width of 2 with padding 0 and 0");
  wrong("stride", {{0, 1}, {}, 1}, {"f32[1,3,8,8]", "f32[8,3,3,3]"}, "stride 0 along the height, at least 1");
  wrong("padding", {{1, 1}, {0, 0, -1, 0}, 1}, {"f32[1,3,8,8]", "f32[8,3,3,3]"}, "padding -1 and 0 along the width, at least 0");
  wrong("bias", {}, {"f32[1,3,8,8]", "f32[8,3,3,3]", "f32[1,3,1,1]"}, "bias is [1,3,1,1], [1,8,1,1] is wanted");
  wrong("rank", {}, {"f32[3,8,8]", "f32[8,3,3,3]"}, "x [3,8,8] has 3 dimensions, 4 are wanted");
  wrong("types", {}, {"f32[1,3,8,8]", "f64[8,3,3,3]"}, "w is f64[8,3,3,3], x is f32[1,3,8,8]");
  wrong("count", {}, {"f32[1,3,8,8]"}, "1 inputs, it takes 2 to 3");
  cases.push_back({"size",
                   Conv2dInputGrad{{2, 2}, {}, 1, {9, 9}},
                   {only("f32[8,3,3,3]"), only("f32[1,8,3,3]")},
                   "error: conv2d_input_grad: dy is [1,8,3,3], [1,8,4,4] is wanted"});
  cases.push_back({"kernel",
                   Conv2dWeightGrad{{2, 2}, {}, 1, {3, 3}},
                   {only("f32[1,3,9,9]"), only("f32[1,8,3,3]")},
                   "error: conv2d_weight_grad: dy is [1,8,3,3], [1,8,4,4] is wanted"});
  cases.push_back({"groups",
                   Conv2dWeightGrad{{1, 1}, {}, 2, {1, 1}},
                   {only("f32[1,3,9,9]"), only("f32[1,8,9,9]")},
                   "error: conv2d_weight_grad: 3 input channels in 2 groups"});
  cases.push_back({"residual",
                   FusedConv2d{{1, 1}, {}, 1, false, true, ActivationKind::relu},
                   {only("f32[1,3,9,9]"), only("f32[8,3,1,1]"), only("f32[1,8,9,8]")},
                   "error: fused_conv2d: residual is [1,8,9,8], [1,8,9,9] is wanted"});
  cases.push_back({"bias",
                   FusedConv2d{{1, 1}, {}, 1, true, false, ActivationKind::relu},
                   {only("f32[1,3,9,9]"), only("f32[8,3,1,1]")},
                   "error: fused_conv2d: 2 inputs, it takes 3"});
}

}  // namespace

std::vector<OpCase> conv2d_cases() {
  std::vector<OpCase> cases;
  for (const Geometry& g : geometries()) {
    add_plain(cases, g);
    if (g.name == "3x3_strided" || g.name == "3x3_32_channels" || g.name == "1x1" || g.name == "depthwise_3x3_strided" ||
        g.name == "depthwise_5x5_same" || g.name == "1x1_strided_odd_8_channels" || g.name == "linear" || g.name == "tokens" ||
        g.name == "groups")
      add_fused(cases, g);
  }
  add_conv2d_errors(cases);
  return cases;
}

}  // namespace fovea::testing
