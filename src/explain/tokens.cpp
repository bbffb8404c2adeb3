// What becomes of a picture that is cut into patches.
#include <fmt/format.h>

#include "explain/explain.h"
#include "explain/numbers.h"
#include "ops/attention.h"

namespace fovea::explain {
namespace {

// The first layer, where its kernels lie side by side.
const Convolution* patch_embedding(const Subject& subject) {
  if (subject.convolutions.empty()) return nullptr;
  const Convolution& first = subject.convolutions.front();
  return first.kernel > 1 && first.kernel == first.stride && !first.padded ? &first : nullptr;
}

struct AttentionSum {
  int64_t layers = 0, heads = 0, tokens = 0, channels = 0, multiply_adds = 0;
};

AttentionSum attention_of(const Subject& subject) {
  AttentionSum sum;
  for (uint32_t n = 0; n < subject.graph.node_count(); ++n) {
    const NodeInfo& node = subject.graph.node(NodeId{n});
    const auto* attention = node.op.as<Attention>();
    if (!attention) continue;
    const Shape& y = subject.graph.type(node.outputs[0]).shape;
    ++sum.layers;
    sum.heads = attention->heads;
    sum.tokens = y.height();
    sum.channels = y.channels();
    sum.multiply_adds += multiply_adds_of(subject.graph, NodeId{n});
  }
  return sum;
}

}  // namespace

std::optional<Explanation> patches(const Subject& subject) {
  const Convolution* embedding = patch_embedding(subject);
  if (!embedding) return std::nullopt;
  const int64_t size = embedding->kernel, rows = subject.height / size, columns = subject.width / size, count = rows * columns;
  Explanation result{"patches", "Patches", "(H/P)(W/P)", {}, "", {}, {}, {}};
  result.text = fmt::format("({}/{})({}/{}) = {} x {} = {} patches of {} values each become {} channels.", subject.height, size,
                            subject.width, size, rows, columns, count, embedding->in * size * size, embedding->out);
  result.facts = {{"patch", "P", real(size), Unit::pixels},
                  {"rows", "H/P", real(rows), Unit::count},
                  {"columns", "W/P", real(columns), Unit::count},
                  {"patches", "patches", real(count), Unit::count}};
  const AttentionSum attention = attention_of(subject);
  if (attention.layers == 0) return result;
  const int64_t others = attention.tokens - count, doubled = 4 * count + others;
  const double growth = real(doubled) * real(doubled) / (real(attention.tokens) * real(attention.tokens));
  result.text += fmt::format(
      " With {} token{} that belong{} to no place, T = {}. Attention compares every token with every other: 2 T^2 C multiply-adds a layer "
      "beside its projections, so a picture of twice the height and width takes {:.1f} times as many.",
      others, others == 1 ? "" : "s", others == 1 ? "s" : "", attention.tokens, growth);
  result.facts.push_back({"tokens", "tokens T", real(attention.tokens), Unit::count});
  result.facts.push_back(
      {"attention_multiply_adds", "multiply-adds of attention, all layers", real(attention.multiply_adds), Unit::multiply_adds});
  result.facts.push_back(
      {"attention_share", "share of all multiply-adds", ratio(attention.multiply_adds, subject.multiply_adds), Unit::share});
  return result;
}

}  // namespace fovea::explain
