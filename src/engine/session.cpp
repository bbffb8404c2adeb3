#include "engine/session.h"

#include <algorithm>

#include "base/error.h"
#include "passes/drop_dead.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/set_precision.h"

namespace fovea::engine {

Graph inference_graph(ModelGraph model, const std::vector<std::string>& outputs, DType precision, std::vector<OutputView::Form>* forms) {
  for (const std::string& name : outputs) {
    const OutputView output = find_output(model, name);
    if (forms) forms->push_back(output.form);
    if (!model.graph.find_output(name)) model.graph.output(name, output.value);  // else asked for twice
  }
  return passes::optimize(passes::set_precision(passes::lower_mode(model.graph, {}), precision));
}

std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures,
                                                   const std::vector<std::string>& outputs, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena, std::vector<OutputView::Form>* forms) {
  const auto build = [&](int64_t batch) {
    return inference_graph(network.build(batch, pictures.height, pictures.width), outputs, network.precision(), forms);
  };
  return BatchExecutable::compile(build, pictures.batch, backend, network.store(), std::move(arena));
}

std::unique_ptr<BatchExecutable> compile_inference(const Network& network, const PictureBatch& pictures, const backend::Backend& backend,
                                                   std::shared_ptr<Arena> arena) {
  return compile_inference(network, pictures, {last_output(network.build(1, pictures.height, pictures.width))}, backend, std::move(arena));
}

Session::Session(std::shared_ptr<const Network> network, const backend::Backend& backend, std::shared_ptr<Arena> arena)
    : network_(std::move(network)), backend_(backend), arena_(arena ? std::move(arena) : std::make_shared<Arena>()) {}

void Session::compile(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs) {
  const std::lock_guard lock(mutex_);
  compiled(batch, height, width, outputs);
}

Session::Entry& Session::find(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs) {
  Entry& entry = compiled(batch, height, width, outputs);
  if (!entry.prepared) {
    entry.executable->prepare();
    entry.prepared = true;
  }
  return entry;
}

Session::Entry& Session::compiled(int64_t batch, int64_t height, int64_t width, const std::vector<std::string>& outputs) {
  // Sizes change from call to call in some uses: what was used longest ago goes when there are too many.
  constexpr size_t kMostExecutables = 8;
  const Key key{batch, height, width, outputs};
  auto found = executables_.find(key);
  if (found == executables_.end()) {
    if (executables_.size() >= kMostExecutables) {
      const auto by_use = [](const auto& a, const auto& b) { return a.second.used < b.second.used; };
      executables_.erase(std::min_element(executables_.begin(), executables_.end(), by_use));
    }
    Entry entry;
    entry.executable = compile_inference(*network_, {batch, height, width}, outputs, backend_, arena_, &entry.forms);
    found = executables_.emplace(key, std::move(entry)).first;
  }
  Entry& entry = found->second;
  entry.used = ++uses_;
  return entry;
}

std::vector<Tensor> Session::run(const Tensor& images, const std::vector<std::string>& outputs) {
  const auto& shape = images.shape();
  if (shape.size() != 4 || shape[1] != network_->channels()) {
    fail(ErrorKind::usage, "pictures of shape {}, [N,{},height,width] expected", shape_string(shape), network_->channels());
  }
  const std::lock_guard lock(mutex_);
  const Entry& entry = find(shape[0], shape[2], shape[3], outputs);
  entry.executable->write_image(images);
  entry.executable->run();
  std::vector<Tensor> results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor result = entry.executable->read_output(outputs[i]);
    if (entry.forms[i] == OutputView::Form::vector) result = result.reshaped({result.shape()[0], result.shape()[1]});
    results.push_back(std::move(result));
  }
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
  sum.arena = arena_->bytes();
  for (const auto& [key, entry] : executables_) {
    const MemoryUse own = entry.executable->memory();
    sum.constants += own.constants;
    sum.held += own.held;
    sum.arena = std::max(sum.arena, own.arena);
  }
  return sum;
}

}  // namespace fovea::engine
