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

bool is_right(std::span<const float> targets, int64_t guess) {
  const float target = targets[static_cast<size_t>(guess)];
  return target >= 0.5f || (target > 0 && target == std::ranges::max(targets));
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

std::unique_ptr<engine::Executable> StepRunner::compiled(int64_t batch, Gradients gradients,
                                                         const passes::RecomputeOptions& recompute) const {
  return engine::Executable::compile(build_(batch, gradients, recompute), backend_, store_, arena_, {.reserve = false});
}

engine::Executable& StepRunner::find(int64_t batch, Gradients gradients) {
  auto& executable = executables_[{batch, gradients}];
  if (!executable) executable = compiled(batch, gradients, {.device = &backend_.traits()});
  if (const engine::MemoryUse memory = executable->memory(); memory.arena > arena_bytes_ && !executable->prepared())
    executable = compiled(batch, gradients, {.device = &backend_.traits(), .arena_bytes = memory.values_within(arena_bytes_)});
  return *executable;
}

void StepRunner::compile_within(size_t arena_bytes) {
  arena_bytes_ = arena_bytes;
  for (auto& [key, executable] : executables_) find(key.first, key.second);
}

void StepRunner::compile(const Batches& batches) {
  accumulates_ = batches.accumulate > 1;
  for (int64_t number = 0; number < batches.count(); ++number) {
    const bool last = batches.group(0, number).last;
    find(batches.size(number), !accumulates_ ? Gradients::applied : last ? Gradients::completed : Gradients::collected);
  }
}

engine::Executable& StepRunner::averaging() {
  if (!averaging_) {
    for (const auto& [key, executable] : executables_)
      if (key.second != Gradients::collected)
        averaging_ = engine::Executable::compile(build_average(executable->graph()), backend_, store_, arena_);
    averaging_->prepare();
  }
  return *averaging_;
}

void StepRunner::start_average() {
  for (const State& state : averaging().graph().states())
    if (state.name.starts_with(kAverage)) store_->set(state.name, store_->get(state.name.substr(std::string_view(kAverage).size())));
}

void StepRunner::average(double decay) {
  averaging().set(slots::kKeep, static_cast<float>(decay));
  averaging().set(slots::kScale, static_cast<float>(1 - decay));
  averaging().run();
}

void StepRunner::swap_average() {
  for (const State& state : averaging().graph().states()) {
    if (!state.name.starts_with(kAverage)) continue;
    store_->swap(state.name, state.name.substr(std::string_view(kAverage).size()));
  }
}

StepResult StepRunner::run(const StepInput& input) {
  const Group& group = input.group;
  const Gradients gradients = !accumulates_ ? Gradients::applied : group.last ? Gradients::completed : Gradients::collected;
  engine::Executable& executable = find(static_cast<int64_t>(input.labels.size()), gradients);
  // The executable holds packed weights, and the step of the group before has moved the weights.
  if (!executable.prepared() || (gradients == Gradients::collected && group.first)) executable.prepare();
  size_t taken = 0;
  for (const std::string& name : data_) {
    const auto data = executable.input_as<float>(name);
    if (taken + data.size() > input.data.size()) break;
    std::copy_n(input.data.begin() + static_cast<std::ptrdiff_t>(taken), data.size(), data.begin());
    taken += data.size();
  }
  if (taken != input.data.size()) fail(ErrorKind::internal, "a batch of {} numbers for {}", input.data.size(), fmt::join(data_, ", "));
  write_targets(executable, input);
  executable.set(slots::kRate, static_cast<float>(input.rate));
  executable.set(slots::kKeep, group.first ? 0.0f : 1.0f);
  executable.set(slots::kScale, static_cast<float>(group.share));
  executable.set(slots::kUpdate, group.update);
  executable.set(slots::kStep, input.step);
  executable.set(slots::kSeed, seed_);
  executable.run();
  StepResult result;
  result.loss = static_cast<double>(executable.output(slots::kLoss)[0]);
  const auto logits = executable.output(slots::kLogits);
  const size_t classes = logits.size() / input.labels.size();
  for (size_t i = 0; i < input.labels.size(); ++i) {
    const int64_t guess = argmax(logits.subspan(i * classes, classes));
    result.correct += input.targets.empty() ? guess == input.labels[i] : is_right(input.targets.subspan(i * classes, classes), guess);
  }
  return result;
}

void StepRunner::write_targets(engine::Executable& executable, const StepInput& input) const {
  if (executable.has(slots::kClassWeights)) copy(input.class_weights, executable.input(slots::kClassWeights), "class weights");
  if (executable.has(slots::kLabels)) return copy(input.labels, executable.input(slots::kLabels), "labels");
  const auto targets = executable.input(slots::kTargets);
  if (!input.targets.empty()) return copy(input.targets, targets, "targets");
  const size_t classes = targets.size() / input.labels.size();
  std::ranges::fill(targets, 0.0f);
  for (size_t i = 0; i < input.labels.size(); ++i) targets[i * classes + static_cast<size_t>(input.labels[i])] = 1;
}

engine::MemoryUse StepRunner::memory() const {
  engine::MemoryUse use;
  for (const auto& [key, executable] : executables_) {
    const engine::MemoryUse own = executable->memory();
    use.states = std::max(use.states, own.states);
    use.constants += own.constants;
    use.held += own.held;
    use.arena = std::max(use.arena, own.arena);
  }
  return use;
}

Group Batches::group(int64_t epoch, int64_t number) const {
  const int64_t own = number / accumulate, begin = own * accumulate, end = std::min(count(), begin + accumulate);
  int64_t all = 0;
  for (int64_t i = begin; i < end; ++i) all += size(i);
  return {number == begin, number + 1 == end, static_cast<double>(size(number)) / static_cast<double>(all), epoch * updates() + own};
}

}  // namespace fovea::training
