// Attention and its gradient: threads take heads of pictures, or parts of them, in blocks of queries, so that only a block's rows of the T
// x T scores are in memory, and these in cache.
#include "backends/cpu/attention.h"

#include <algorithm>

#include "backends/cpu/attention_heads.h"
#include "backends/cpu/candidates.h"
#include "ops/attention.h"
#include "ops/cross_attention.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kScoreBytes = int64_t{192} * 1024;  // of a block, so that keys and values stay in a core's second-level cache beside it
constexpr int64_t kMostQueries = 72;

simd::HeadRows head_rows(const Bound& bound, const AttentionTokens& of, const HeadTokens& part, int64_t index) {
  return {bound.in(part.operand) + part.offset(of.heads, index), part.stride};
}

simd::HeadSize size_of(const AttentionTokens& of) {
  const int64_t row_bytes = simd::padded_columns(of.k.tokens) * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::clamp<int64_t>(kScoreBytes / row_bytes, simd::kTileRows, kMostQueries);
  const int64_t blocks = (of.q.tokens + most - 1) / most;
  return {of.k.tokens, of.q.width, of.v.width, simd::padded_rows((of.q.tokens + blocks - 1) / blocks)};
}

int64_t blocks_of(const AttentionTokens& of, const simd::HeadSize& size) { return (of.q.tokens + size.block - 1) / size.block; }

struct ForwardLayout : HeadLayout {
  size_t keys, values, queries, scores, results;
  explicit ForwardLayout(const simd::HeadSize& size)
      : keys(floats(size.transposed_key_floats())),
        values(floats(size.value_floats())),
        queries(floats(size.query_floats())),
        scores(floats(size.score_floats())),
        results(floats(size.result_floats())) {}
  simd::ForwardScratch at(const Bound& bound, size_t start) const {
    const auto place = [&](size_t offset) { return bound.scratch<float>(start + offset); };
    return {place(keys), place(values), place(queries), place(scores), place(results)};
  }
};

// The tasks (head, block of queries) of every picture, in equal shares; a slot of the workspace for each thread.
template <class Body>
Planned accept_forward(const AttentionTokens& of, const Body& body) {
  const simd::HeadSize size = size_of(of);
  const ForwardLayout layout(size);
  const int64_t blocks = blocks_of(of, size), tasks = of.count() * blocks;
  const int64_t slots = std::min<int64_t>(threads(), tasks);
  return accept(layout.bytes() * static_cast<size_t>(slots), [=](const Bound& bound) {
    parallel_kernel(slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        const simd::ForwardScratch scratch = layout.at(bound, static_cast<size_t>(slot) * layout.bytes());
        int64_t packed = -1;
        for (int64_t task = tasks * slot / slots; task < tasks * (slot + 1) / slots; ++task) {
          const int64_t index = task / blocks, first = task % blocks * size.block;
          const simd::ForwardBlock block{
              size, head_rows(bound, of, of.q, index), first, std::min(size.block, of.q.tokens - first), nullptr, 0, nullptr, 0};
          body(bound, index, block, scratch, std::exchange(packed, index) != index);
        }
      }
    });
  });
}

Planned plan_forward(const AttentionTokens& of, const Request& request) {
  const int64_t y_stride = request.outputs[0].row_stride, sum_stride = request.outputs[1].row_stride;
  return accept_forward(
      of, [=](const Bound& bound, int64_t index, simd::ForwardBlock block, const simd::ForwardScratch& scratch, bool new_head) {
        if (new_head) simd::attention_pack(block.size, head_rows(bound, of, of.k, index), head_rows(bound, of, of.v, index), scratch);
        if (bound.outputs[0]) block.y = bound.out(0) + of.offset(index, y_stride, block.size.value_width);
        if (bound.outputs[1]) block.log_sum = bound.out(1) + of.offset(index, sum_stride, 1);
        block.y_stride = y_stride;
        block.log_sum_stride = sum_stride;
        simd::attention_forward(block, scratch);
      });
}

}  // namespace

Planned plan_attention(const Request& request) {
  if (request.inputs[0].type.elements() == 0) return refuse("qkv {} is empty", to_string(request.inputs[0].type));
  return plan_forward(AttentionTokens::of_qkv(0, request.inputs[0], request.op.as<Attention>()->heads), request);
}

Planned plan_cross_attention(const Request& request) {
  for (const Operand& operand : request.inputs)
    if (operand.type.elements() == 0) return refuse("{} is empty", to_string(operand.type));
  return plan_forward(AttentionTokens::of_three(0, request.inputs, request.op.as<CrossAttention>()->heads), request);
}

Planned plan_attention_probabilities(const Request& request) {
  if (request.inputs[0].type.elements() == 0) return refuse("qkv {} is empty", to_string(request.inputs[0].type));
  const auto of = AttentionTokens::of_qkv(0, request.inputs[0], request.op.as<AttentionProbabilities>()->heads);
  const int64_t stride = request.outputs[0].row_stride, tokens = of.q.tokens;
  return accept_forward(
      of, [=](const Bound& bound, int64_t index, const simd::ForwardBlock& block, const simd::ForwardScratch& scratch, bool new_head) {
        if (new_head) simd::attention_pack(block.size, head_rows(bound, of, of.k, index), {nullptr, 0}, scratch);
        simd::attention_probabilities(block, scratch);
        const int64_t n = index / of.heads, head = index % of.heads;
        for (int64_t row = 0; row < block.rows; ++row) {
          float* const to = bound.out(0) + (n * tokens + block.first + row) * tokens * stride + head;
          for (int64_t key = 0; key < tokens; ++key) to[key * stride] = scratch.scores[row * block.size.wide() + key];
        }
      });
}

namespace {

struct BackwardLayout : HeadLayout {
  size_t keys_transposed, values_transposed, keys, queries, slopes, results, scores, score_slopes;
  explicit BackwardLayout(const simd::HeadSize& size)
      : keys_transposed(floats(size.transposed_key_floats())),
        values_transposed(floats(size.transposed_value_floats())),
        keys(floats(size.key_floats())),
        queries(floats(size.query_floats())),
        slopes(floats(size.result_floats())),
        results(floats(size.query_floats())),
        scores(floats(size.score_floats())),
        score_slopes(floats(size.score_floats())) {}
};

// The gradients of keys and values are sums over queries. Where pictures and heads are few, the queries of a head are shared among tasks;
// each has sums of its own, which are added up in order.
class AttentionGradPlan {
 public:
  // dy is the first operand; y and log_sum follow on what `of` reads, and `to` says where its gradients go.
  AttentionGradPlan(const AttentionTokens& of, const AttentionTokens& to, size_t y, const Request& request)
      : of_(of),
        to_(to),
        size_(size_of(of)),
        layout_(size_),
        y_(y),
        blocks_(blocks_of(of, size_)),
        dy_stride_(request.inputs[0].row_stride),
        y_stride_(request.inputs[y].row_stride),
        sum_stride_(request.inputs[y + 1].row_stride),
        key_bytes_(align64(static_cast<size_t>(size_.key_floats()) * sizeof(float))),
        sums_bytes_(key_bytes_ + align64(static_cast<size_t>(size_.value_floats()) * sizeof(float))) {
    const int64_t enough = 4 * threads();
    if (of.count() % threads() != 0 && of.count() < enough) parts_ = std::min(blocks_, (enough + of.count() - 1) / of.count());
    slots_ = std::min<int64_t>(threads(), tasks());
    sums_ = parts_ == 1 ? slots_ : tasks();
  }

  size_t workspace_bytes() const { return static_cast<size_t>(slots_) * layout_.bytes() + static_cast<size_t>(sums_) * sums_bytes_; }

  void run(const Bound& bound) const {
    parallel_kernel(slots_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        int64_t packed = -1;
        for (int64_t task = tasks() * slot / slots_; task < tasks() * (slot + 1) / slots_; ++task) {
          const int64_t index = task / parts_;
          run_task(bound, task, scratch(bound, slot, parts_ == 1 ? slot : task), std::exchange(packed, index) != index);
        }
      }
    });
    if (parts_ == 1) return;
    parallel_kernel(of_.count(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) add_parts(bound, index);
    });
  }

 private:
  int64_t tasks() const { return of_.count() * parts_; }

  simd::BackwardScratch scratch(const Bound& bound, int64_t slot, int64_t sums) const {
    const size_t start = static_cast<size_t>(slot) * layout_.bytes();
    const auto place = [&](size_t offset) { return bound.scratch<float>(start + offset); };
    float* const keys = bound.scratch<float>(static_cast<size_t>(slots_) * layout_.bytes() + static_cast<size_t>(sums) * sums_bytes_);
    return {place(layout_.keys_transposed),
            place(layout_.values_transposed),
            place(layout_.keys),
            place(layout_.queries),
            place(layout_.slopes),
            place(layout_.results),
            place(layout_.scores),
            place(layout_.score_slopes),
            keys,
            keys + key_bytes_ / sizeof(float)};
  }

  void run_task(const Bound& bound, int64_t task, const simd::BackwardScratch& s, bool new_head) const {
    const int64_t index = task / parts_, part = task % parts_;
    if (new_head) simd::attention_grad_pack(size_, head_rows(bound, of_, of_.k, index), head_rows(bound, of_, of_.v, index), s);
    simd::BackwardBlock block{};
    block.size = size_;
    block.queries = head_rows(bound, of_, of_.q, index);
    block.dy = {bound.in(0) + of_.offset(index, dy_stride_, size_.value_width), dy_stride_};
    block.y = {bound.in(y_) + of_.offset(index, y_stride_, size_.value_width), y_stride_};
    block.log_sum = {bound.in(y_ + 1) + of_.offset(index, sum_stride_, 1), sum_stride_};
    block.dqueries = result(bound, to_.q, index);
    block.dqueries_stride = to_.q.stride;
    for (int64_t b = blocks_ * part / parts_; b < blocks_ * (part + 1) / parts_; ++b) {
      block.first = b * size_.block;
      block.rows = std::min(size_.block, of_.q.tokens - block.first);
      simd::attention_grad(block, s);
      block.add = true;
    }
    if (parts_ > 1) return;
    copy_sums(bound, to_.k, index, s.dkeys, size_.columns());
    copy_sums(bound, to_.v, index, s.dvalues, size_.value_columns());
  }

  void copy_sums(const Bound& bound, const HeadTokens& to, int64_t index, const float* sums, int64_t columns) const {
    float* const y = result(bound, to, index);
    for (int64_t token = 0; y && token < to.tokens; ++token) std::copy_n(sums + token * columns, to.width, y + token * to.stride);
  }

  void add_parts(const Bound& bound, int64_t index) const {
    const auto add = [&](const HeadTokens& to, int64_t columns, auto&& sums_of) {
      float* const y = result(bound, to, index);
      for (int64_t token = 0; y && token < to.tokens; ++token)
        for (int64_t c = 0; c < to.width; ++c) {
          float sum = 0;
          for (int64_t part = 0; part < parts_; ++part) sum += sums_of(scratch(bound, 0, index * parts_ + part))[token * columns + c];
          y[token * to.stride + c] = sum;
        }
    };
    add(to_.k, size_.columns(), [](const simd::BackwardScratch& s) { return s.dkeys; });
    add(to_.v, size_.value_columns(), [](const simd::BackwardScratch& s) { return s.dvalues; });
  }

  // Of a head's queries, keys or values; null where nobody reads it.
  float* result(const Bound& bound, const HeadTokens& to, int64_t index) const {
    return bound.outputs[to.operand] ? bound.out(to.operand) + to.offset(to_.heads, index) : nullptr;
  }

  AttentionTokens of_, to_;
  simd::HeadSize size_;
  BackwardLayout layout_;
  size_t y_;
  int64_t blocks_, dy_stride_, y_stride_, sum_stride_;
  size_t key_bytes_, sums_bytes_;
  int64_t parts_ = 1, slots_ = 1, sums_ = 1;
};

}  // namespace

Planned plan_attention_grad(const Request& request) {
  if (request.inputs[1].type.elements() == 0) return refuse("qkv {} is empty", to_string(request.inputs[1].type));
  const int64_t heads = request.op.as<AttentionGrad>()->heads;
  const AttentionGradPlan plan(AttentionTokens::of_qkv(1, request.inputs[1], heads), AttentionTokens::of_qkv(0, request.outputs[0], heads),
                               2, request);
  return accept(plan.workspace_bytes(), [plan](const Bound& bound) { plan.run(bound); });
}

Planned plan_cross_attention_grad(const Request& request) {
  for (const Operand& operand : request.inputs)
    if (operand.type.elements() == 0) return refuse("{} is empty", to_string(operand.type));
  const int64_t heads = request.op.as<CrossAttentionGrad>()->heads;
  const AttentionGradPlan plan(AttentionTokens::of_three(1, request.inputs, heads), AttentionTokens::of_three(0, request.outputs, heads), 4,
                               request);
  return accept(plan.workspace_bytes(), [plan](const Bound& bound) { plan.run(bound); });
}

}  // namespace fovea::cpu
