#include "engine/session.h"

#include <algorithm>

#include "base/error.h"
#include "passes/drop_dead.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"

namespace fovea::engine {

Graph inference_graph(const ModelGraph& model, const std::vector<std::string>& outputs) {
  Graph graph = model.graph;
  for (const std::string& name : outputs) {
    if (graph.find_output(name)) continue;  // asked for twice
    ValueId value;
    if (name == "logits") value = model.logits;
    if (name == "pooled") value = model.pooled;
    std::string taps;
    for (const Tap& tap : model.taps) {
      if (tap.name == name) value = tap.value;
      taps += ", " + tap.name;
    }
    if (!value.valid()) fail(ErrorKind::usage, "the network has no tap '{}'; there are logits, pooled{}", name, taps);
    graph.output(name, value);
  }
  return passes::optimize(passes::lower_mode(graph, {}));
}

Session::Session(std::shared_ptr<const Network> network, const backend::Backend& backend)
    : network_(std::move(network)), backend_(backend), arena_(std::make_shared<Arena>()) {}

Executable& Session::find(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs) {
  // Sizes change from call to call in some uses: what was used longest ago goes when there are too many.
  constexpr size_t kMostExecutables = 8;
  const Key key{batch, height, width, outputs};
  auto found = executables_.find(key);
  if (found == executables_.end()) {
    if (executables_.size() >= kMostExecutables) {
      const auto by_use = [](const auto& a, const auto& b) { return a.second.used < b.second.used; };
      executables_.erase(std::min_element(executables_.begin(), executables_.end(), by_use));
    }
    Graph graph = inference_graph(network_->build(batch, height, width), outputs);
    found = executables_.emplace(key, Entry{Executable::compile(std::move(graph), backend_, network_->store(), arena_), false, 0}).first;
  }
  Entry& entry = found->second;
  entry.used = ++uses_;
  if (!entry.prepared) {
    entry.executable->prepare();
    entry.prepared = true;
  }
  return *entry.executable;
}

std::vector<Tensor> Session::run(const Tensor& images, const std::vector<std::string>& outputs) {
  const auto& shape = images.shape();
  if (shape.size() != 4 || shape[1] != network_->channels()) {
    fail(ErrorKind::usage, "pictures of shape {}, [N,{},height,width] expected", shape_string(shape), network_->channels());
  }
  std::vector<Tensor> results;
  run(
      shape[0], shape[2], shape[3], outputs, [&](Executable& executable) { executable.write_input("image", images); },
      [&](const Executable& executable) {
        for (const std::string& name : outputs) {
          Tensor result = executable.read_output(name);
          if (name == "logits" || name == "pooled") result = result.reshaped({result.shape()[0], result.shape()[1]});
          results.push_back(std::move(result));
        }
      });
  return results;
}

void Session::weights_changed() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, entry] : executables_) entry.prepared = false;
}

void Session::network_changed() {
  const std::lock_guard lock(mutex_);
  executables_.clear();
}

MemoryUse Session::memory() const {
  const std::lock_guard lock(mutex_);
  MemoryUse sum;
  sum.states = network_->store()->bytes();
  for (const auto& [key, entry] : executables_) sum.constants += entry.executable->memory().constants;
  sum.arena = arena_->bytes();
  return sum;
}

}  // namespace fovea::engine
