#include "ops/attention.h"

#include "cases.h"

namespace fovea::testing {
namespace {

struct Size {
  int64_t batch, heads, width, tokens;
  int64_t channels() const { return heads * width; }
  int64_t product() const { return batch * tokens * tokens * channels(); }
  CaseInput qkv() const { return normal({batch, 3 * channels(), tokens, 1}); }
};

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
  cases.push_back({"channels",
                   AttentionProbabilities{3},
                   {only("f32[2,30,5,1]")},
                   "error: attention_probabilities: 30 channels of qkv are no multiple of 9, queries, keys and values for 3 heads"});
  return cases;
}

}  // namespace fovea::testing
