// Attention and its gradient: threads take heads of pictures, or parts of them, in blocks of queries, so that only a block's rows of the T
// x T scores are in memory, and these in cache.
#include "backends/cpu/attention.h"

#include <algorithm>

#include "backends/cpu/attention_heads.h"
#include "backends/cpu/candidates.h"
#include "ops/attention.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kScoreBytes = int64_t{192} * 1024;  // of a block, so that keys and values stay in a core's second-level cache beside it
constexpr int64_t kMostQueries = 72;

simd::HeadRows head_rows(const Heads& heads, const float* qkv, int64_t index, int64_t part) {
  return {qkv + heads.offset(index, part), heads.stride};
}

simd::HeadSize size_of(const Heads& heads) {
  const int64_t row_bytes = simd::padded_columns(heads.tokens) * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::clamp<int64_t>(kScoreBytes / row_bytes, simd::kTileRows, kMostQueries);
  const int64_t blocks = (heads.tokens + most - 1) / most;
  return {heads.tokens, heads.width, simd::padded_rows((heads.tokens + blocks - 1) / blocks)};
}

struct ForwardLayout : HeadLayout {
  size_t keys, values, queries, scores, results;
  explicit ForwardLayout(const simd::HeadSize& size)
      : keys(floats(size.transposed_floats())),
        values(floats(size.natural_floats())),
        queries(floats(size.block_floats())),
        scores(floats(size.score_floats())),
        results(floats(size.block_floats())) {}
  simd::ForwardScratch at(const Bound& bound, size_t start) const {
    const auto place = [&](size_t offset) { return bound.scratch<float>(start + offset); };
    return {place(keys), place(values), place(queries), place(scores), place(results)};
  }
};

// The tasks (head, block of queries) of every picture, in equal shares; a slot of the workspace for each thread.
template <class Body>
Planned accept_forward(const Heads& heads, const Body& body) {
  const simd::HeadSize size = size_of(heads);
  const ForwardLayout layout(size);
  const int64_t blocks = (size.tokens + size.block - 1) / size.block, tasks = heads.count() * blocks;
  const int64_t slots = std::min<int64_t>(threads(), tasks);
  return accept(layout.bytes() * static_cast<size_t>(slots), [=](const Bound& bound) {
    parallel_kernel(slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        const simd::ForwardScratch scratch = layout.at(bound, static_cast<size_t>(slot) * layout.bytes());
        int64_t packed = -1;
        for (int64_t task = tasks * slot / slots; task < tasks * (slot + 1) / slots; ++task) {
          const int64_t index = task / blocks, first = task % blocks * size.block;
          const simd::ForwardBlock block{
              size, head_rows(heads, bound.in(0), index, 0), first, std::min(size.block, size.tokens - first), nullptr, 0, nullptr, 0};
          body(bound, index, block, scratch, std::exchange(packed, index) != index);
        }
      }
    });
  });
}

}  // namespace

Planned plan_attention(const Request& request) {
  const Heads heads(request.inputs[0], request.op.as<Attention>()->heads);
  if (request.inputs[0].type.elements() == 0) return refuse("qkv {} is empty", to_string(request.inputs[0].type));
  const int64_t y_stride = request.outputs[0].row_stride, sum_stride = request.outputs[1].row_stride;
  return accept_forward(
      heads, [=](const Bound& bound, int64_t index, simd::ForwardBlock block, const simd::ForwardScratch& scratch, bool new_head) {
        if (new_head)
          simd::attention_pack(block.size, head_rows(heads, bound.in(0), index, 1), head_rows(heads, bound.in(0), index, 2), scratch);
        if (bound.outputs[0]) block.y = bound.out(0) + heads.offset(index, y_stride, block.size.width);
        if (bound.outputs[1]) block.log_sum = bound.out(1) + heads.offset(index, sum_stride, 1);
        block.y_stride = y_stride;
        block.log_sum_stride = sum_stride;
        simd::attention_forward(block, scratch);
      });
}

Planned plan_attention_probabilities(const Request& request) {
  const Heads heads(request.inputs[0], request.op.as<AttentionProbabilities>()->heads);
  if (request.inputs[0].type.elements() == 0) return refuse("qkv {} is empty", to_string(request.inputs[0].type));
  const int64_t stride = request.outputs[0].row_stride;
  return accept_forward(
      heads, [=](const Bound& bound, int64_t index, const simd::ForwardBlock& block, const simd::ForwardScratch& scratch, bool new_head) {
        if (new_head) simd::attention_pack(block.size, head_rows(heads, bound.in(0), index, 1), {nullptr, 0}, scratch);
        simd::attention_probabilities(block, scratch);
        const int64_t n = index / heads.heads, head = index % heads.heads;
        for (int64_t row = 0; row < block.rows; ++row) {
          float* const to = bound.out(0) + (n * heads.tokens + block.first + row) * heads.tokens * stride + head;
          for (int64_t key = 0; key < heads.tokens; ++key) to[key * stride] = scratch.scores[row * block.size.wide() + key];
        }
      });
}

namespace {

struct BackwardLayout : HeadLayout {
  size_t keys_transposed, values_transposed, keys, queries, slopes, results, scores, score_slopes;
  explicit BackwardLayout(const simd::HeadSize& size)
      : keys_transposed(floats(size.transposed_floats())),
        values_transposed(floats(size.transposed_floats())),
        keys(floats(size.natural_floats())),
        queries(floats(size.block_floats())),
        slopes(floats(size.block_floats())),
        results(floats(size.block_floats())),
        scores(floats(size.score_floats())),
        score_slopes(floats(size.score_floats())) {}
};

// The gradients of keys and values are sums over queries. Where pictures and heads are few, the queries of a head are shared among tasks;
// each has sums of its own, which are added up in order.
class AttentionGradPlan {
 public:
  AttentionGradPlan(const Heads& heads, const Request& request)
      : heads_(heads),
        size_(size_of(heads)),
        layout_(size_),
        blocks_((size_.tokens + size_.block - 1) / size_.block),
        dy_stride_(request.inputs[0].row_stride),
        y_stride_(request.inputs[2].row_stride),
        sum_stride_(request.inputs[3].row_stride),
        out_stride_(request.outputs[0].row_stride),
        sums_bytes_(2 * align64(static_cast<size_t>(size_.natural_floats()) * sizeof(float))) {
    const int64_t enough = 4 * threads();
    if (heads.count() % threads() != 0 && heads.count() < enough) parts_ = std::min(blocks_, (enough + heads.count() - 1) / heads.count());
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
    parallel_kernel(heads_.count(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) add_parts(bound, index);
    });
  }

 private:
  int64_t tasks() const { return heads_.count() * parts_; }

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
            keys + sums_bytes_ / 2 / sizeof(float)};
  }

  void run_task(const Bound& bound, int64_t task, const simd::BackwardScratch& s, bool new_head) const {
    const int64_t index = task / parts_, part = task % parts_;
    const float *const dy = bound.in(0), *const qkv = bound.in(1), *const y = bound.in(2), *const log_sum = bound.in(3);
    if (new_head) simd::attention_grad_pack(size_, head_rows(heads_, qkv, index, 1), head_rows(heads_, qkv, index, 2), s);
    simd::BackwardBlock block{};
    block.size = size_;
    block.queries = head_rows(heads_, qkv, index, 0);
    block.dy = {dy + heads_.offset(index, dy_stride_, size_.width), dy_stride_};
    block.y = {y + heads_.offset(index, y_stride_, size_.width), y_stride_};
    block.log_sum = {log_sum + heads_.offset(index, sum_stride_, 1), sum_stride_};
    block.dqueries = result(bound, index, 0);
    block.dqueries_stride = out_stride_;
    for (int64_t b = blocks_ * part / parts_; b < blocks_ * (part + 1) / parts_; ++b) {
      block.first = b * size_.block;
      block.rows = std::min(size_.block, size_.tokens - block.first);
      simd::attention_grad(block, s);
      block.add = true;
    }
    if (parts_ > 1) return;
    for (int64_t token = 0; token < size_.tokens; ++token) {
      std::copy_n(s.dkeys + token * size_.columns(), size_.width, result(bound, index, 1) + token * out_stride_);
      std::copy_n(s.dvalues + token * size_.columns(), size_.width, result(bound, index, 2) + token * out_stride_);
    }
  }

  void add_parts(const Bound& bound, int64_t index) const {
    for (int64_t token = 0; token < size_.tokens; ++token)
      for (int64_t c = 0; c < size_.width; ++c) {
        float dkey = 0, dvalue = 0;
        for (int64_t part = 0; part < parts_; ++part) {
          const simd::BackwardScratch s = scratch(bound, 0, index * parts_ + part);
          dkey += s.dkeys[token * size_.columns() + c];
          dvalue += s.dvalues[token * size_.columns() + c];
        }
        result(bound, index, 1)[token * out_stride_ + c] = dkey;
        result(bound, index, 2)[token * out_stride_ + c] = dvalue;
      }
  }

  // Of a head's queries, keys or values.
  float* result(const Bound& bound, int64_t index, int64_t part) const {
    return bound.out(0) + heads_.offset(index, out_stride_, heads_.width) + part * heads_.heads * heads_.width;
  }

  Heads heads_;
  simd::HeadSize size_;
  BackwardLayout layout_;
  int64_t blocks_, dy_stride_, y_stride_, sum_stride_, out_stride_;
  size_t sums_bytes_;
  int64_t parts_ = 1, slots_ = 1, sums_ = 1;
};

}  // namespace

Planned plan_attention_grad(const Request& request) {
  const Heads heads(request.inputs[1], request.op.as<AttentionGrad>()->heads);
  if (request.inputs[1].type.elements() == 0) return refuse("qkv {} is empty", to_string(request.inputs[1].type));
  const AttentionGradPlan plan(heads, request);
  return accept(plan.workspace_bytes(), [plan](const Bound& bound) { plan.run(bound); });
}

}  // namespace fovea::cpu
