#include "ops/attention.h"

#include "cases.h"
#include "ops/cross_attention.h"

namespace fovea::testing {
namespace {

struct Size {
  int64_t batch, heads, width, tokens;
  int64_t channels() const { return heads * width; }
  int64_t product() const { return batch * tokens * tokens * channels(); }
  CaseInput qkv() const { return normal({batch, 3 * channels(), tokens, 1}); }
};

// Of one operand for each of queries, keys and values.
struct CrossSize {
  int64_t batch, heads, width, value_width, queries, tokens;
  CaseInput q() const { return normal({batch, heads * width, queries, 1}); }
  CaseInput k() const { return normal({batch, heads * width, tokens, 1}, 1); }
  CaseInput v() const { return normal({batch, heads * value_width, tokens, 1}, 2); }
  int64_t product(int64_t channels) const { return batch * heads * queries * tokens * channels; }
};

void add_cross_attention(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const CrossSize& size) {
    const auto& [batch, heads, width, value_width, queries, tokens] = size;
    const Shape result{batch, heads * value_width, queries, 1}, sums{batch, heads, queries, 1};
    cases.push_back({name,
                     CrossAttention{heads},
                     {size.q(), size.k(), size.v()},
                     f32_text(result) + " " + f32_text(sums),
                     {0, 1, 2},
                     {},
                     size.product(width + value_width),
                     2e-6});
    cases.push_back({name,
                     CrossAttentionGrad{heads},
                     {normal(result, 3), size.q(), size.k(), size.v(), normal(result, 4), positive(sums, 5)},
                     f32_text({batch, heads * width, queries, 1}) + " " + f32_text({batch, heads * width, tokens, 1}) + " " +
                         f32_text({batch, heads * value_width, tokens, 1}),
                     {},
                     {},
                     size.product(3 * width + 2 * value_width),
                     4e-6});
  };
  add("pool", {2, 3, 64, 64, 1, 49});
  add("wider_values", {2, 2, 16, 32, 50, 50});
  add("narrower_values", {1, 3, 24, 7, 13, 9});
  add("two_keys", {2, 1, 8, 5, 1, 2});
  add("several_blocks", {1, 1, 16, 12, 300, 20});

  const CaseInput q = only("f32[2,12,5,1]"), k = only("f32[2,12,7,1]"), v = only("f32[2,6,7,1]");
  cases.push_back({"heads", CrossAttention{0}, {q, k, v}, "error: cross_attention: 0 heads, at least 1"});
  cases.push_back({"count", CrossAttention{2}, {q, k}, "error: cross_attention: 2 inputs, it takes 3"});
  cases.push_back({"channels", CrossAttention{4}, {q, k, v}, "error: cross_attention: 6 channels of v are no multiple of 4 heads"});
  cases.push_back(
      {"keys", CrossAttention{2}, {q, only("f32[2,10,7,1]"), v}, "error: cross_attention: k is [2,10,7,1], [2,12,7,1] is wanted"});
  cases.push_back(
      {"pictures", CrossAttention{2}, {q, k, only("f32[1,6,7,1]")}, "error: cross_attention: v [1,6,7,1] is of 1 pictures, q of 2"});
  cases.push_back({"map",
                   CrossAttention{2},
                   {only("f32[2,12,5,2]"), k, v},
                   "error: cross_attention: q [2,12,5,2] has width 2, tokens [N,C,T,1] have 1"});
  cases.push_back({"log_sum",
                   CrossAttentionGrad{2},
                   {only("f32[2,6,5,1]"), q, k, v, only("f32[2,6,5,1]"), only("f32[2,6,5,1]")},
                   "error: cross_attention_grad: log_sum is [2,6,5,1], [2,2,5,1] is wanted"});
}

}  // namespace

std::vector<OpCase> attention_cases() {
  std::vector<OpCase> cases;
  const auto add = [&](const std::string& name, const Size& size) {
    const auto& [batch, heads, width, tokens] = size;
    const Shape result{batch, size.channels(), tokens, 1}, sums{batch, heads, tokens, 1};
    cases.push_back({name, Attention{heads}, {size.qkv()}, f32_text(result) + " " + f32_text(sums), {0}, {}, 2 * size.product(), 2e-6});
    cases.push_back(
        {name, AttentionProbabilities{heads}, {size.qkv()}, f32_text({batch, heads, tokens, tokens}), {}, {}, size.product(), 2e-6});
    // A y and sums that belong to no qkv: every operand must be read.
    cases.push_back({name,
                     AttentionGrad{heads},
                     {normal(result, 1), size.qkv(), normal(result, 2), positive(sums, 3)},
                     f32_text({batch, 3 * size.channels(), tokens, 1}),
                     {},
                     {},
                     5 * size.product(),
                     4e-6});
  };
  add("one_token", {2, 2, 8, 1});
  add("one_head", {1, 1, 64, 5});
  add("odd", {2, 3, 7, 13});
  add("narrow", {1, 5, 3, 33});
  add("deit", {1, 3, 64, 70});
  add("huge", {1, 2, 80, 101});
  add("vit", {2, 2, 64, 197});
  add("few_tokens", {3, 2, 64, 7});
  add("small_picture", {3, 2, 32, 50});
  add("wide", {1, 2, 80, 197});
  add("several_blocks", {1, 1, 16, 600});
  // Scores of a hundred and more: their exponentials are no floats, and differences of scores lose digits.
  CaseInput sharp = Size{1, 2, 64, 21}.qkv();
  for (double& value : sharp.values) value = static_cast<float>(6 * value);
  cases.push_back({"sharp", Attention{2}, {sharp}, "f32[1,128,21,1] f32[1,2,21,1]", {}, {}, 2 * 21 * 21 * 128, 2e-5});

  cases.push_back({"channels",
                   Attention{4},
                   {only("f32[2,30,5,1]")},
                   "error: attention: 30 channels of qkv are no multiple of 12, queries, keys and values for 4 heads"});
  cases.push_back({"heads", Attention{0}, {only("f32[2,30,5,1]")}, "error: attention: 0 heads, at least 1"});
  cases.push_back({"map", Attention{2}, {only("f32[2,30,5,4]")}, "error: attention: qkv [2,30,5,4] has width 4, tokens [N,3C,T,1] have 1"});
  cases.push_back({"rank", Attention{2}, {only("f32[2,5,30]")}, "error: attention: qkv [2,5,30] has 3 dimensions, 4 are wanted"});
  cases.push_back({"integers", Attention{2}, {only("i32[2,30,5,1]")}, "error: attention: qkv is i32[2,30,5,1], a floating type is wanted"});
  cases.push_back({"log_sum",
                   AttentionGrad{2},
                   {only("f32[2,10,5,1]"), only("f32[2,30,5,1]"), only("f32[2,10,5,1]"), only("f32[2,10,5,1]")},
                   "error: attention_grad: log_sum is [2,10,5,1], [2,2,5,1] is wanted"});
  cases.push_back({"slope",
                   AttentionGrad{2},
                   {only("f32[2,30,5,1]"), only("f32[2,30,5,1]"), only("f32[2,10,5,1]"), only("f32[2,2,5,1]")},
                   "error: attention_grad: dy is [2,30,5,1], [2,10,5,1] is wanted"});
  add_cross_attention(cases);
  cases.push_back({"channels",
                   AttentionProbabilities{3},
                   {only("f32[2,30,5,1]")},
                   "error: attention_probabilities: 30 channels of qkv are no multiple of 9, queries, keys and values for 3 heads"});
  return cases;
}

}  // namespace fovea::testing
