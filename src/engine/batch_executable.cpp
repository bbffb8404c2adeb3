#include "engine/batch_executable.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "base/team.h"
#include "engine/layout.h"
#include "ir/slots.h"

namespace fovea::engine {
namespace {

size_t aligned(size_t bytes) {
  constexpr size_t kAlignment = 64;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

Type of_batch(Type type, int64_t batch) {
  type.shape[0] = batch;
  return type;
}

}  // namespace

Grouping grouping(int64_t batch, int cores, const DeviceTraits& device) {
  Grouping best{batch, 1, 1};
  double least = device.all_cores * static_cast<double>(batch) / cores;
  for (int64_t pictures = std::min(device.group_pictures, batch); pictures > 0; --pictures) {
    const int64_t groups = (batch + pictures - 1) / pictures, rounds = (groups + cores - 1) / cores;
    const double time = static_cast<double>(rounds) * (static_cast<double>(pictures) + device.group_weights);
    if (time >= least || (groups == 1 && cores > 1)) continue;
    least = time;
    best = {pictures, groups, static_cast<int>(std::min<int64_t>(cores, groups))};
  }
  return best;
}

std::unique_ptr<BatchExecutable> BatchExecutable::compile(const Build& build, int64_t batch, const backend::Backend& backend,
                                                          std::shared_ptr<StateStore> store, std::shared_ptr<Arena> arena,
                                                          std::shared_ptr<PackedWeights> packed) {
  const CoresScope same(threads());                         // for the grouping and all workers, whatever another thread sets meanwhile
  if (!packed) packed = std::make_shared<PackedWeights>();  // the workers share it
  std::unique_ptr<BatchExecutable> result(new BatchExecutable);
  result->batch_ = batch;
  result->arena_ = std::move(arena);
  const Grouping& cut = result->grouping_ = engine::grouping(batch, threads(), backend.traits());
  const Graph graph = build(cut.pictures);
  const auto checked = [&](const NamedValue& value) {
    const Type& type = graph.type(value.value);
    if (type.dtype != DType::f32 || type.shape.rank() == 0 || type.shape[0] != cut.pictures)
      fail(ErrorKind::internal, "'{}' is {}, f32 of {} pictures expected", value.name, to_string(type), cut.pictures);
    return type;
  };
  for (const NamedValue& input : graph.inputs()) {
    if (input.name != slots::kImage.name) fail(ErrorKind::internal, "an input '{}' beside the image", input.name);
    result->image_ = of_batch(checked(input), batch);
  }
  size_t end = result->image_room();
  for (const NamedValue& output : graph.outputs()) {
    const Type type = checked(output);
    result->outputs_.push_back({output.name, of_batch(type, batch), end, type.bytes() / static_cast<size_t>(cut.pictures)});
    end += aligned(result->outputs_.back().type.bytes());
  }
  for (int i = 0; i < cut.workers; ++i) {
    const CompileOptions options{
        .reserve = false, .cores = cut.groups > 1 ? 1 : 0, .arena_begin = end, .inputs_outside = true, .packed = packed};
    result->workers_.push_back(Executable::compile(graph, backend, store, result->arena_, options));
    end += aligned(result->workers_.back()->arena_bytes());
  }
  result->seconds_.resize(result->workers_.size());
  return result;
}

void BatchExecutable::prepare() {
  arena_->reserve(arena_bytes());
  for (auto& worker : workers_) worker->prepare();
}

std::span<float> BatchExecutable::image() { return {reinterpret_cast<float*>(arena_->data()), static_cast<size_t>(image_.elements())}; }

const BatchExecutable::Output& BatchExecutable::find(std::string_view name) const {
  const auto found = std::ranges::find(outputs_, name, &Output::name);
  if (found == outputs_.end()) fail(ErrorKind::internal, "there is no output '{}'", name);
  return *found;
}

std::span<const float> BatchExecutable::output(std::string_view name) const {
  const Output& found = find(name);
  return {reinterpret_cast<const float*>(arena_->data() + found.offset), static_cast<size_t>(found.type.elements())};
}

void BatchExecutable::write_image(const Tensor& images) {
  in_context(slots::kImage.name, [&] { write_memory(images, image_, image().data()); });
}

Tensor BatchExecutable::read_output(std::string_view name) const {
  const Output& found = find(name);
  const auto dims = found.type.shape.dims();
  return read_memory(output(name).data(), found.type, {dims.begin(), dims.end()}, DType::f32);
}

void BatchExecutable::run() { run_groups({}); }

void BatchExecutable::run_timed(std::span<double> seconds) { run_groups(seconds); }

void BatchExecutable::run_groups(std::span<double> seconds) {
  for (auto& own : seconds_) own.assign(seconds.size(), 0.0);
  share_out(grouping_.groups, [&](size_t worker, int64_t group) { run_group(worker, group, seconds_[worker]); });
  for (const auto& own : seconds_)
    for (size_t i = 0; i < seconds.size(); ++i) seconds[i] += own[i] / static_cast<double>(seconds_.size());
}

void BatchExecutable::for_groups(int64_t groups, const std::function<void(int64_t, Group&)>& body) {
  for (size_t worker = 0; worker < workers_.size(); ++worker)
    workers_[worker]->bind_input(slots::kImage.name, reinterpret_cast<std::byte*>(Group(*this, worker).image().data()));
  share_out(groups, [&](size_t worker, int64_t group) {
    Group own(*this, worker);
    body(group, own);
  });
}

std::span<float> BatchExecutable::Group::image() const {
  const int64_t numbers = owner_.picture_numbers() * pictures();
  return {reinterpret_cast<float*>(owner_.arena_->data()) + static_cast<int64_t>(worker_) * numbers, static_cast<size_t>(numbers)};
}

std::span<const float> BatchExecutable::Group::output(std::string_view name) const {
  return {reinterpret_cast<const float*>(owner_.workers_[worker_]->output(name)),
          static_cast<size_t>(owner_.picture_numbers(name) * pictures())};
}

void BatchExecutable::share_out(int64_t groups, const std::function<void(size_t, int64_t)>& body) {
  std::mutex mutex;
  std::exception_ptr failure;
  next_group_ = 0;
  parallel_for(static_cast<int64_t>(workers_.size()), 1, [&](int64_t begin, int64_t end) {
    try {
      for (int64_t worker = begin; worker < end; ++worker)
        for (int64_t group; (group = next_group_++) < groups;) body(static_cast<size_t>(worker), group);
    } catch (...) {
      next_group_ = groups;  // nobody begins another one
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

void BatchExecutable::run_worker(size_t worker, std::span<double> seconds) {
  Executable& executable = *workers_[worker];
  const auto run = [&] {
    if (seconds.empty())
      executable.run();
    else
      executable.run_timed(seconds);
  };
  if (grouping_.groups > 1)
    on_cores(1, run);
  else
    run();
}

void BatchExecutable::run_group(size_t worker, int64_t group, std::span<double> seconds) {
  Executable& executable = *workers_[worker];
  // The last one begins where it fills its pictures; of those that the one before has too, that one's results count.
  const int64_t wanted = group * grouping_.pictures, begin = std::min(wanted, batch_ - grouping_.pictures);
  const size_t picture = image_.bytes() / static_cast<size_t>(batch_);
  executable.bind_input(slots::kImage.name, arena_->data() + static_cast<size_t>(begin) * picture);
  run_worker(worker, seconds);
  const auto skipped = static_cast<size_t>(wanted - begin), count = static_cast<size_t>(grouping_.pictures) - skipped;
  for (const Output& output : outputs_)
    std::memcpy(arena_->data() + output.offset + static_cast<size_t>(wanted) * output.picture_bytes,
                static_cast<const char*>(executable.output(output.name)) + skipped * output.picture_bytes, count * output.picture_bytes);
}

MemoryUse BatchExecutable::memory() const {
  MemoryUse use = workers_[0]->memory();
  use.workspace *= workers_.size();
  use.arena = arena_bytes();
  return use;
}

size_t BatchExecutable::image_room() const {
  const size_t picture = image_.bytes() / static_cast<size_t>(batch_);
  return aligned(picture * static_cast<size_t>(std::max(batch_, grouping_.pictures * int64_t{grouping_.workers})));
}

size_t BatchExecutable::arena_bytes() const {
  size_t sum = aligned(workers_[0]->arena_bytes()) * workers_.size() + image_room();
  for (const Output& output : outputs_) sum += aligned(output.type.bytes());
  return sum;
}

}  // namespace fovea::engine
