// How blocks join what they compute to what they were given: addition in residual blocks, concatenation in dense ones.
#include <fmt/format.h>

#include <algorithm>

#include "explain/explain.h"
#include "explain/numbers.h"
#include "ops/add.h"
#include "ops/concat.h"

namespace fovea::explain {
namespace {

// ---- addition ----

// By node, whether `value` depends on its result.
std::vector<bool> way_to(const Graph& graph, ValueId value) {
  std::vector<bool> values(graph.value_count()), nodes(graph.node_count());
  values[value.index] = true;
  for (auto n = static_cast<uint32_t>(graph.node_count()); n-- > 0;) {
    const NodeInfo& node = graph.node(NodeId{n});
    if (!std::ranges::any_of(node.outputs, [&](ValueId output) { return values[output.index]; })) continue;
    nodes[n] = true;
    for (ValueId input : node.inputs) values[input.index] = true;
  }
  return nodes;
}

struct Side {
  std::vector<NodeId> own;  // nodes that the other side does not need
  int64_t convolutions = 0;
};

Side side_of(const Subject& subject, const std::vector<bool>& way, const std::vector<bool>& other) {
  Side side;
  for (uint32_t n = 0; n < way.size(); ++n) {
    if (!way[n] || other[n]) continue;
    side.own.push_back(NodeId{n});
    if (subject.graph.node(NodeId{n}).op.as<Conv2d>()) ++side.convolutions;
  }
  return side;
}

bool is_residual_addition(const Subject& subject, const NodeInfo& node) {
  return node.op.as<Add>() && subject.from_image[node.inputs[0].index] && subject.from_image[node.inputs[1].index] &&
         subject.graph.type(node.inputs[0]) == subject.graph.type(node.inputs[1]);
}

// The shorter way of the two that meet in an addition: nothing of its own in an identity shortcut.
Side shortcut_of(const Subject& subject, const NodeInfo& add) {
  const std::vector<bool> first = way_to(subject.graph, add.inputs[0]), second = way_to(subject.graph, add.inputs[1]);
  Side a = side_of(subject, first, second), b = side_of(subject, second, first);
  const bool a_is_shorter = a.convolutions != b.convolutions ? a.convolutions < b.convolutions : a.own.size() < b.own.size();
  return a_is_shorter ? a : b;
}

// ---- concatenation ----

// Layers that each append their channels to all that came before.
struct DenseBlock {
  ValueId start;
  std::vector<NodeId> concats;
};

bool continues(const Graph& graph, const DenseBlock& block, const NodeInfo& node) {
  const NodeInfo& last = graph.node(block.concats.back());
  if (node.inputs[0] == last.outputs[0]) return true;
  // Written as one concatenation of everything so far.
  return node.inputs.size() == last.inputs.size() + 1 && std::equal(last.inputs.begin(), last.inputs.end(), node.inputs.begin());
}

std::vector<DenseBlock> dense_blocks_of(const Subject& subject) {
  std::vector<DenseBlock> blocks;
  for (uint32_t n = 0; n < subject.graph.node_count(); ++n) {
    const NodeInfo& node = subject.graph.node(NodeId{n});
    const auto* concat = node.op.as<Concat>();
    if (!concat || concat->axis != 1 || node.inputs.size() < 2 || !subject.from_image[node.inputs[0].index]) continue;
    if (blocks.empty() || !continues(subject.graph, blocks.back(), node)) blocks.push_back({node.inputs[0], {}});
    blocks.back().concats.push_back(NodeId{n});
  }
  std::erase_if(blocks, [](const DenseBlock& block) { return block.concats.size() < 2; });
  return blocks;
}

int64_t channels_of(const Graph& graph, NodeId node) { return graph.type(graph.node(node).outputs[0]).shape.channels(); }

// What the paths of the layers have in common: "features.denseblock1".
std::string name_of(const Graph& graph, const DenseBlock& block) {
  std::string common = graph.node(block.concats[0]).name;
  for (NodeId node : block.concats) {
    const std::string& name = graph.node(node).name;
    const auto end = std::mismatch(common.begin(), common.end(), name.begin(), name.end()).first;
    common.erase(end, common.end());
  }
  return common.substr(0, common.rfind('.'));
}

}  // namespace

std::optional<Explanation> shortcuts(const Subject& subject) {
  Explanation result{"shortcuts", "Shortcuts", "F(x) + x, or F(x) + W x where shapes differ", {}, "projection", {}, {}, {}};
  result.columns = {{"parameters", "parameters", Unit::count}, {"multiply_adds", "multiply-adds", Unit::multiply_adds}};
  int64_t identities = 0, parameters = 0, multiply_adds = 0;
  for (const NodeInfo& node : subject.graph.nodes()) {
    if (!is_residual_addition(subject, node)) continue;
    const Side shortcut = shortcut_of(subject, node);
    if (shortcut.convolutions == 0) {
      ++identities;
      continue;
    }
    const int64_t own = parameters_of(subject.graph, subject.from_image, shortcut.own);
    int64_t work = 0;
    for (NodeId part : shortcut.own) work += multiply_adds_of(subject.graph, part);
    parameters += own;
    multiply_adds += work;
    result.rows.push_back({subject.graph.node(shortcut.own.front()).name, {real(own), real(work)}});
  }
  const auto projections = static_cast<int64_t>(result.rows.size());
  if (identities + projections == 0) return std::nullopt;
  result.text = fmt::format(
      "A block adds what it was given to what it computes, so that it only has to learn the difference and gradients pass it unchanged. An "
      "identity has no parameters; a projection is a 1x1 convolution. The {0} shortcuts leave 2^{0} ways through the network.",
      identities + projections);
  result.facts = {{"identities", "identity shortcuts", real(identities), Unit::count},
                  {"projections", "projections", real(projections), Unit::count},
                  {"parameters", "their parameters", real(parameters), Unit::count},
                  {"share", "share of all parameters", ratio(parameters, subject.parameters), Unit::share},
                  {"multiply_adds_share", "share of all multiply-adds", ratio(multiply_adds, subject.multiply_adds), Unit::share}};
  return result;
}

std::optional<Explanation> dense_blocks(const Subject& subject) {
  const Graph& graph = subject.graph;
  const std::vector<DenseBlock> blocks = dense_blocks_of(subject);
  if (blocks.empty()) return std::nullopt;
  Explanation result{"dense_blocks", "Growth rate and transitions", "C + L k", {}, "block", {}, {}, {}};
  result.columns = {{"layers", "L", Unit::count},
                    {"in", "C", Unit::count},
                    {"growth", "k", Unit::count},
                    {"out", "C + L k", Unit::count},
                    {"next", "next block's C", Unit::count}};
  for (size_t i = 0; i < blocks.size(); ++i) {
    const DenseBlock& block = blocks[i];
    const auto layers = static_cast<int64_t>(block.concats.size());
    const int64_t in = graph.type(block.start).shape.channels(), out = channels_of(graph, block.concats.back());
    const double next = i + 1 < blocks.size() ? real(graph.type(blocks[i + 1].start).shape.channels()) : kNone;
    result.rows.push_back({name_of(graph, block), {real(layers), real(in), real((out - in) / layers), real(out), next}});
  }
  result.text =
      "Every layer of a dense block reads all channels before it and appends k, the growth rate: after L layers C channels have become "
      "C + L k. The transition behind the block compresses them and halves height and width.";
  result.facts = {{"growth_rate", "growth rate", result.rows.front().values[2], Unit::count}};
  if (blocks.size() > 1)
    result.facts.push_back({"compression", "a transition keeps", result.rows[0].values[4] / result.rows[0].values[3], Unit::share});
  return result;
}

std::optional<Explanation> concatenation(const Subject& subject) {
  const Graph& graph = subject.graph;
  const std::vector<DenseBlock> blocks = dense_blocks_of(subject);
  if (blocks.empty()) return std::nullopt;
  Explanation result{
      "concatenation", "Concatenation against addition", "sum of C + l k over l = 1..L, against L C", {}, "block", {}, {}, {}};
  result.columns = {{"concatenated_bytes", "concatenated", Unit::bytes},
                    {"added_bytes", "added", Unit::bytes},
                    {"ratio", "ratio", Unit::ratio},
                    {"shared_bytes", "in one buffer", Unit::bytes}};
  int64_t concatenated = 0, added = 0, shared = 0;
  for (const DenseBlock& block : blocks) {
    const auto layers = static_cast<int64_t>(block.concats.size());
    const int64_t sums = layers * static_cast<int64_t>(graph.type(block.start).bytes());
    int64_t maps = 0;
    for (NodeId node : block.concats) maps += static_cast<int64_t>(graph.type(graph.node(node).outputs[0]).bytes());
    const auto last = static_cast<int64_t>(graph.type(graph.node(block.concats.back()).outputs[0]).bytes());
    result.rows.push_back({name_of(graph, block), {real(maps), real(sums), ratio(maps, sums), real(last)}});
    concatenated += maps;
    added += sums;
    shared += last;
  }
  result.text =
      "The maps that the layers of a block hand on, of one picture. Where a residual block adds, they keep the C channels that came in; "
      "where a dense block concatenates, each is k channels wider than the one before. In one buffer that every layer appends to, only the "
      "last is held.";
  result.facts = {{"concatenated_bytes", "concatenated", real(concatenated), Unit::bytes},
                  {"added_bytes", "added, in residual blocks as wide as what comes in", real(added), Unit::bytes},
                  {"ratio", "ratio", ratio(concatenated, added), Unit::ratio},
                  {"shared_bytes", "concatenated in one buffer a block", real(shared), Unit::bytes}};
  return result;
}

}  // namespace fovea::explain
