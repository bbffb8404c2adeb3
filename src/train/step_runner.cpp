#include "train/step_runner.h"

#include <algorithm>

#include "base/error.h"
#include "train/metrics.h"

namespace fovea::training {
namespace {

template <class T>
void copy(std::span<const T> from, std::span<T> to, const char* what) {
  if (from.size() != to.size()) fail(ErrorKind::internal, "a batch's {} are {} numbers, {} expected", what, from.size(), to.size());
  std::ranges::copy(from, to.begin());
}

}  // namespace

StepRunner::StepRunner(Build build, std::vector<std::string> data, const backend::Backend& backend,
                       std::shared_ptr<engine::StateStore> store, std::shared_ptr<engine::Arena> arena, uint64_t seed)
    : build_(std::move(build)),
      data_(std::move(data)),
      backend_(backend),
      store_(std::move(store)),
      arena_(std::move(arena)),
      seed_(static_cast<int64_t>(seed >> 1)) {}

engine::Executable& StepRunner::find(int64_t batch) {
  auto& executable = executables_[batch];
  if (!executable) {
    executable = engine::Executable::compile(build_(batch), backend_, store_, arena_);
    executable->prepare();
  }
  return *executable;
}

StepResult StepRunner::run(const StepInput& input) {
  engine::Executable& executable = find(static_cast<int64_t>(input.labels.size()));
  size_t taken = 0;
  for (const std::string& name : data_) {
    const auto data = executable.input_as<float>(name);
    if (taken + data.size() > input.data.size()) break;
    std::copy_n(input.data.begin() + static_cast<std::ptrdiff_t>(taken), data.size(), data.begin());
    taken += data.size();
  }
  if (taken != input.data.size()) fail(ErrorKind::internal, "a batch of {} numbers for {}", input.data.size(), fmt::join(data_, ", "));
  write_targets(executable, input);
  executable.input_as<float>("rate")[0] = static_cast<float>(input.rate);
  if (executable.has_input("step")) executable.input_as<int64_t>("step")[0] = input.step;
  if (executable.has_input("seed")) executable.input_as<int64_t>("seed")[0] = seed_;
  executable.run();
  StepResult result;
  result.loss = static_cast<double>(executable.output_as<float>("loss")[0]);
  const auto logits = executable.output_as<float>("logits");
  const size_t classes = logits.size() / input.labels.size();
  for (size_t i = 0; i < input.labels.size(); ++i) {
    const int64_t guess = argmax(logits.subspan(i * classes, classes));
    result.correct += input.targets.empty() ? guess == input.labels[i] : input.targets[i * classes + static_cast<size_t>(guess)] >= 0.5f;
  }
  return result;
}

void StepRunner::write_targets(engine::Executable& executable, const StepInput& input) const {
  if (executable.has_input("class_weights")) copy(input.class_weights, executable.input_as<float>("class_weights"), "class weights");
  if (executable.has_input("labels")) return copy(input.labels, executable.input_as<int32_t>("labels"), "labels");
  const auto targets = executable.input_as<float>("targets");
  if (!input.targets.empty()) return copy(input.targets, targets, "targets");
  const size_t classes = targets.size() / input.labels.size();
  std::ranges::fill(targets, 0.0f);
  for (size_t i = 0; i < input.labels.size(); ++i) targets[i * classes + static_cast<size_t>(input.labels[i])] = 1;
}

engine::MemoryUse StepRunner::memory() const {
  engine::MemoryUse use;
  use.arena = arena_->bytes();
  for (const auto& [batch, executable] : executables_) {
    const engine::MemoryUse own = executable->memory();
    use.states = std::max(use.states, own.states);
    use.constants += own.constants;
  }
  return use;
}

int64_t Batches::count() const {
  if (pictures <= 0) return 0;
  const bool single = pictures % batch == 1 && pictures > batch;
  return (pictures + batch - 1) / batch - (single ? 1 : 0);
}

int64_t Batches::size(int64_t number) const { return number + 1 < count() ? batch : pictures - begin(number); }

}  // namespace fovea::training
