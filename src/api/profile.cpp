#include "api/profile.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "api/measure.h"

namespace fovea {
namespace {

void sort_by_time(std::vector<ProfileRow>& rows) {
  std::ranges::stable_sort(rows, [](const ProfileRow& a, const ProfileRow& b) { return a.milliseconds > b.milliseconds; });
}

// One row for all nodes of an operation, or of one of its kernels.
std::vector<ProfileRow> summed(const std::vector<ProfileRow>& nodes, bool by_kernel) {
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
  for (const ProfileRow& node : nodes) {
    const std::string kernel = by_kernel ? node.kernel : "";
    ProfileRow& row = rows[{node.operation, kernel}];
    row.operation = node.operation;
    row.kernel = kernel;
    row.nodes += node.nodes;
    row.milliseconds += node.milliseconds;
    row.share += node.share;
    row.multiply_adds += node.multiply_adds;
    row.bytes += node.bytes;
  }
  std::vector<ProfileRow> result;
  for (auto& [key, row] : rows) result.push_back(std::move(row));
  sort_by_time(result);
  return result;
}

}  // namespace

NodeTimes::NodeTimes(const engine::Executable& executable, int64_t times) : executable_(executable), times_(times) {}

std::span<double> NodeTimes::next_run() { return runs_.emplace_back(executable_.graph().node_count()); }

void NodeTimes::append_to(std::vector<ProfileRow>& nodes) const {
  const Graph& graph = executable_.graph();
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    std::vector<double> times;
    for (const auto& run : runs_) times.push_back(run[n]);
    std::ranges::sort(times);
    if (times.empty() || times.back() == 0) continue;  // ran once, when the weights were prepared
    const NodeInfo& node = graph.node(NodeId{n});
    const Types inputs = graph.types(node.inputs), outputs = graph.types(node.outputs);
    const Cost cost = node.op.cost(inputs, outputs);
    ProfileRow row;
    row.name = node.name;
    row.operation = node.op.name();
    row.kernel = executable_.kernel(NodeId{n});
    if (!outputs.empty()) row.shape.assign(outputs[0].shape.dims().begin(), outputs[0].shape.dims().end());
    row.nodes = 1;
    row.milliseconds = 1000 * median(times);
    row.multiply_adds = times_ * cost.multiply_adds;
    row.bytes = times_ * cost.bytes;
    nodes.push_back(std::move(row));
  }
}

Profile profile_of(std::vector<ProfileRow> nodes) {
  double sum = 0;
  for (const ProfileRow& node : nodes) sum += node.milliseconds;
  for (ProfileRow& node : nodes) node.share = sum > 0 ? node.milliseconds / sum : 0;
  sort_by_time(nodes);
  Profile profile;
  profile.operations = summed(nodes, false);
  profile.kernels = summed(nodes, true);
  profile.nodes = std::move(nodes);
  return profile;
}

}  // namespace fovea
