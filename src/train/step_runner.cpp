#include "train/step_runner.h"

#include <algorithm>
#include <cstddef>

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
  if (!executable) executable = compiled(batch, gradients, {});
  if (const engine::MemoryUse memory = executable->memory(); memory.arena > arena_bytes_ && !executable->prepared())
    executable = compiled(batch, gradients, {.arena_bytes = memory.values_within(arena_bytes_)});
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
  averaging().input_as<float>("keep")[0] = static_cast<float>(decay);
  averaging().input_as<float>("scale")[0] = static_cast<float>(1 - decay);
  averaging().run();
}

void StepRunner::swap_average() {
  for (const State& state : averaging().graph().states()) {
    if (!state.name.starts_with(kAverage)) continue;
    auto* const average = static_cast<std::byte*>(store_->memory(state.name));
    auto* const value = static_cast<std::byte*>(store_->memory(state.name.substr(std::string_view(kAverage).size())));
    std::swap_ranges(average, average + store_->at(state.name).memory.bytes(), value);
  }
  store_->changed();
}

StepResult StepRunner::run(const StepInput& input) {
  const Group& group = input.group;
  const Gradients gradients = !accumulates_ ? Gradients::applied : group.last ? Gradients::completed : Gradients::collected;
  engine::Executable& executable = find(static_cast<int64_t>(input.labels.size()), gradients);
  // It holds packed weights, and the group before has moved them.
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
  if (executable.has_input("rate")) executable.input_as<float>("rate")[0] = static_cast<float>(input.rate);
  if (executable.has_input("keep")) executable.input_as<float>("keep")[0] = group.first ? 0.0f : 1.0f;
  if (executable.has_input("scale")) executable.input_as<float>("scale")[0] = static_cast<float>(group.share);
  if (executable.has_input("update")) executable.input_as<int64_t>("update")[0] = group.update;
  if (executable.has_input("step")) executable.input_as<int64_t>("step")[0] = input.step;
  if (executable.has_input("seed")) executable.input_as<int64_t>("seed")[0] = seed_;
  executable.run();
  StepResult result;
  result.loss = static_cast<double>(executable.output_as<float>("loss")[0]);
  const auto logits = executable.output_as<float>("logits");
  const size_t classes = logits.size() / input.labels.size();
  for (size_t i = 0; i < input.labels.size(); ++i) {
    const int64_t guess = argmax(logits.subspan(i * classes, classes));
    result.correct += input.targets.empty() ? guess == input.labels[i] : is_right(input.targets.subspan(i * classes, classes), guess);
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
  for (const auto& [key, executable] : executables_) {
    const engine::MemoryUse own = executable->memory();
    use.states = std::max(use.states, own.states);
    use.constants += own.constants;
    use.held += own.held;
    use.arena = std::max(use.arena, own.arena);
  }
  return use;
}

int64_t Batches::count() const {
  if (pictures <= 0) return 0;
  const bool single = pictures % batch == 1 && pictures > batch;
  return (pictures + batch - 1) / batch - (single ? 1 : 0);
}

int64_t Batches::size(int64_t number) const { return number + 1 < count() ? batch : pictures - begin(number); }

Group Batches::group(int64_t epoch, int64_t number) const {
  const int64_t own = number / accumulate, begin = own * accumulate, end = std::min(count(), begin + accumulate);
  int64_t all = 0;
  for (int64_t i = begin; i < end; ++i) all += size(i);
  return {number == begin, number + 1 == end, static_cast<double>(size(number)) / static_cast<double>(all), epoch * updates() + own};
}

}  // namespace fovea::training
