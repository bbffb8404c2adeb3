// What kinds of convolution cost: depthwise separable ones, large depthwise kernels, stacks of small ones.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "explain/explain.h"
#include "explain/numbers.h"
#include "explain/receptive_field.h"
#include "ops/global_response_norm.h"

namespace fovea::explain {
namespace {

const Convolution* find(const Subject& subject, NodeId node) {
  const auto found = std::ranges::find(subject.convolutions, node, &Convolution::node);
  return found == subject.convolutions.end() ? nullptr : &*found;
}

// The pointwise convolution that mixes what a depthwise one gave.
const Convolution* mixer_of(const Subject& subject, const Convolution& depthwise) {
  for (NodeId next : next_convolutions(subject.graph, subject.readers, depthwise.node)) {
    const Convolution* conv = find(subject, next);
    if (conv && conv->pointwise() && conv->stride == 1 && conv->places == depthwise.places) return conv;
  }
  return nullptr;
}

}  // namespace

std::optional<Explanation> depthwise_separable(const Subject& subject) {
  Explanation result{"depthwise_separable", "Depthwise separable convolutions", "1/N + 1/K^2", {}, "pair", {}, {}, {}};
  result.columns = {{"kernel", "K", Unit::count},
                    {"in", "M", Unit::count},
                    {"out", "N", Unit::count},
                    {"separable_multiply_adds", "separable", Unit::multiply_adds},
                    {"standard_multiply_adds", "standard", Unit::multiply_adds},
                    {"ratio", "1/N + 1/K^2", Unit::ratio}};
  int64_t separable = 0, standard = 0, weights = 0, standard_weights = 0;
  for (const Convolution& depthwise : subject.convolutions) {
    const Convolution* mixer = depthwise.depthwise() ? mixer_of(subject, depthwise) : nullptr;
    if (!mixer) continue;
    const int64_t both = depthwise.multiply_adds + mixer->multiply_adds;
    const int64_t kernel = depthwise.kernel * depthwise.kernel * depthwise.in * mixer->out;
    separable += both;
    standard += kernel * depthwise.places;
    weights += depthwise.weights + mixer->weights;
    standard_weights += kernel;
    result.rows.push_back({depthwise.name,
                           {real(depthwise.kernel), real(depthwise.in), real(mixer->out), real(both), real(kernel * depthwise.places),
                            1 / real(mixer->out) + 1 / real(depthwise.kernel * depthwise.kernel)}});
  }
  if (result.rows.empty()) return std::nullopt;
  result.text =
      "A depthwise K x K convolution of M channels and a pointwise one to N channels cost H W M (K^2 + N) multiply-adds, a standard K x K "
      "convolution H W M N K^2: 1/N + 1/K^2 as much, in parameters too.";
  result.facts = {
      {"separable_multiply_adds", "multiply-adds of all pairs", real(separable), Unit::multiply_adds},
      {"standard_multiply_adds", "as standard convolutions", real(standard), Unit::multiply_adds},
      {"ratio", "part of them", ratio(separable, standard), Unit::ratio},
      {"network_multiply_adds", "the network's multiply-adds", real(subject.multiply_adds), Unit::multiply_adds},
      {"standard_network_multiply_adds", "with standard convolutions", real(subject.multiply_adds - separable + standard),
       Unit::multiply_adds},
      {"network_parameters", "the network's parameters", real(subject.parameters), Unit::count},
      {"standard_network_parameters", "with standard convolutions", real(subject.parameters - weights + standard_weights), Unit::count}};
  return result;
}

std::optional<Explanation> large_kernels(const Subject& subject) {
  struct Sum {
    int64_t layers = 0, multiply_adds = 0, weights = 0;
  };
  std::map<int64_t, Sum> by_kernel;
  for (const Convolution& conv : subject.convolutions) {
    if (!conv.depthwise() || conv.kernel <= 3) continue;
    Sum& sum = by_kernel[conv.kernel];
    ++sum.layers;
    sum.multiply_adds += conv.multiply_adds;
    sum.weights += conv.weights;
  }
  if (by_kernel.empty()) return std::nullopt;
  Explanation result{"large_kernels", "Large depthwise kernels", "K^2 / 3^2", {}, "kernel", {}, {}, {}};
  result.columns = {{"layers", "layers", Unit::count},
                    {"multiply_adds", "multiply-adds", Unit::multiply_adds},
                    {"multiply_adds_at_3", "at 3x3", Unit::multiply_adds},
                    {"parameters", "parameters", Unit::count},
                    {"parameters_at_3", "at 3x3", Unit::count},
                    {"ratio", "K^2 / 3^2", Unit::ratio}};
  int64_t multiply_adds = 0;
  for (const auto& [kernel, sum] : by_kernel) {
    const auto at_3 = [area = kernel * kernel](int64_t cost) { return real(cost / area * 9); };
    multiply_adds += sum.multiply_adds;
    result.rows.push_back({fmt::format("{0}x{0}", kernel),
                           {real(sum.layers), real(sum.multiply_adds), at_3(sum.multiply_adds), real(sum.weights), at_3(sum.weights),
                            real(kernel * kernel) / 9}});
  }
  const auto plain = receptive_fields(subject.graph, subject.model.image);
  const auto small = receptive_fields(subject.graph, subject.model.image, [](const NodeInfo& node, Size2 kernel) {
    const bool depthwise = node.op.as<Conv2d>()->groups > 1 && kernel.height > 3;
    return depthwise ? Size2{3, 3} : kernel;
  });
  const uint32_t map = subject.model.map.index;
  result.text =
      "A depthwise convolution costs K^2 multiply-adds a channel and place, next to nothing beside the pointwise ones, so it can look far: "
      "the last map's receptive field grows for a small share of the whole.";
  result.facts = {{"share", "share of all multiply-adds", ratio(multiply_adds, subject.multiply_adds), Unit::share},
                  {"receptive_field", "receptive field of the last map", real(plain[map].height), Unit::pixels},
                  {"receptive_field_at_3", "with 3x3 in their place", real(small[map].height), Unit::pixels}};
  return result;
}

std::optional<Explanation> response_norm(const Subject& subject) {
  std::vector<NodeId> nodes;
  for (uint32_t n = 0; n < subject.graph.node_count(); ++n)
    if (subject.graph.node(NodeId{n}).op.as<GlobalResponseNorm>()) nodes.push_back(NodeId{n});
  if (nodes.empty()) return std::nullopt;
  const int64_t parameters = parameters_of(subject.graph, subject.from_image, nodes);
  Explanation result{
      "response_norm", "Global response normalization", "x + gamma x g / mean(g) + beta, g = ||x|| of a channel", {}, "", {}, {}, {}};
  result.text =
      "Each channel is scaled by the norm of its whole map against the mean of all channels' norms, so that channels compete. It takes two "
      "parameters a channel and no multiply-adds that are counted.";
  result.facts = {{"layers", "layers", real(static_cast<int64_t>(nodes.size())), Unit::count},
                  {"parameters", "parameters", real(parameters), Unit::count},
                  {"share", "share of all parameters", ratio(parameters, subject.parameters), Unit::share}};
  return result;
}

namespace {

struct Stack {
  std::vector<const Convolution*> convolutions;
};

// Chains of 3x3 convolutions of stride 1 with nothing but norms and activations between them.
std::vector<Stack> stacks_of(const Subject& subject) {
  std::vector<Stack> stacks;
  for (const Convolution& conv : subject.convolutions) {
    if (conv.kernel != 3 || conv.stride != 1 || conv.groups != 1) continue;
    const Convolution* last = stacks.empty() ? nullptr : stacks.back().convolutions.back();
    bool follows = false;
    if (last)
      for (NodeId next : next_convolutions(subject.graph, subject.readers, last->node)) follows = follows || next == conv.node;
    if (!follows) stacks.emplace_back();
    stacks.back().convolutions.push_back(&conv);
  }
  std::erase_if(stacks, [](const Stack& stack) { return stack.convolutions.size() < 2; });
  return stacks;
}

}  // namespace

std::optional<Explanation> stacked_kernels(const Subject& subject) {
  if (shortcuts(subject)) return std::nullopt;  // there it is the blocks that stack
  Explanation result{"stacked_kernels", "Stacks of 3x3 convolutions", "n 3^2 C^2 against (2 n + 1)^2 C^2", {}, "stack", {}, {}, {}};
  result.columns = {{"layers", "n", Unit::count},
                    {"in", "in", Unit::count},
                    {"out", "out", Unit::count},
                    {"kernel", "sees", Unit::pixels},
                    {"parameters", "weights", Unit::count},
                    {"single_parameters", "of one", Unit::count},
                    {"multiply_adds", "multiply-adds", Unit::multiply_adds},
                    {"single_multiply_adds", "of one", Unit::multiply_adds}};
  int64_t weights = 0, single_weights = 0;
  for (const Stack& stack : stacks_of(subject)) {
    const Convolution &first = *stack.convolutions.front(), &last = *stack.convolutions.back();
    const auto n = static_cast<int64_t>(stack.convolutions.size());
    const int64_t kernel = 2 * n + 1, single = kernel * kernel * first.in * last.out;
    int64_t own = 0, multiply_adds = 0;
    for (const Convolution* conv : stack.convolutions) {
      own += conv->weights;
      multiply_adds += conv->multiply_adds;
    }
    weights += own;
    single_weights += single;
    result.rows.push_back({first.name,
                           {real(n), real(first.in), real(last.out), real(kernel), real(own), real(single), real(multiply_adds),
                            real(single * last.places)}});
  }
  if (result.rows.empty()) return std::nullopt;
  result.text =
      "n convolutions of 3x3 see as far as one of (2 n + 1) x (2 n + 1), with n nonlinearities in place of one. Of C channels throughout, "
      "two cost 18 C^2 weights against 25 C^2, three 27 C^2 against 49 C^2.";
  result.facts = {{"parameters", "weights of the stacks", real(weights), Unit::count},
                  {"single_parameters", "of single convolutions that see as far", real(single_weights), Unit::count},
                  {"ratio", "part of them", ratio(weights, single_weights), Unit::ratio}};
  return result;
}

std::optional<Explanation> fully_connected(const Subject& subject) {
  const ModelGraph& model = subject.model;
  if (!model.logits.valid()) return std::nullopt;
  std::vector<bool> below = depends_on(subject.graph, model.map);
  Explanation result{"fully_connected", "Fully-connected layers", "inputs x outputs + outputs", {}, "layer", {}, {}, {}};
  result.columns = {{"in", "inputs", Unit::count},
                    {"out", "outputs", Unit::count},
                    {"parameters", "parameters", Unit::count},
                    {"share", "of all", Unit::share}};
  int64_t sum = 0, multiply_adds = 0;
  for (const Convolution& conv : subject.convolutions) {
    const NodeInfo& node = subject.graph.node(conv.node);
    if (!below[node.outputs[0].index] || conv.places != 1) continue;
    const int64_t parameters = parameters_of(subject.graph, subject.from_image, {conv.node});
    sum += parameters;
    multiply_adds += conv.multiply_adds;
    result.rows.push_back(
        {conv.name, {real(conv.weights / conv.out), real(conv.out), real(parameters), ratio(parameters, subject.parameters)}});
  }
  if (result.rows.size() < 2) return std::nullopt;
  result.text = "After the last map every layer reads all of the one before it.";
  result.facts = {{"parameters", "parameters", real(sum), Unit::count},
                  {"share", "share of all parameters", ratio(sum, subject.parameters), Unit::share},
                  {"multiply_adds_share", "share of all multiply-adds", ratio(multiply_adds, subject.multiply_adds), Unit::share}};
  return result;
}

}  // namespace fovea::explain
