#include "image/loader.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "base/random.h"

namespace fovea::image {
namespace {

// Decoding fills the gaps that computing leaves on the same cores, and does not take turns with it.
constexpr int niceness = 10;

void lower_priority() {
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + niceness);  // on Linux 0 is the calling thread
}

}  // namespace

std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  const RandomStream random(seed, fnv1a64("epoch order") + mix64(static_cast<uint64_t>(epoch) + 1));
  for (uint64_t i = static_cast<uint64_t>(count); i > 1; --i) std::swap(order[i - 1], order[random.below(i, i)]);
  return order;
}

int64_t stored_view(int64_t epoch, int64_t index, int64_t views) {
  return static_cast<int64_t>((static_cast<uint64_t>(epoch) + mix64(static_cast<uint64_t>(index))) % static_cast<uint64_t>(views));
}

std::vector<int64_t> epoch_order(const std::vector<Sample>& samples, uint64_t seed, int64_t epoch, bool balanced) {
  const auto count = static_cast<int64_t>(samples.size());
  const std::vector<int64_t> plain = epoch_order(count, seed, epoch);
  if (!balanced || samples.empty()) return plain;
  std::map<int32_t, std::vector<int64_t>> classes;  // shuffled
  for (int64_t i : plain) {
    const std::vector<int32_t> labels = labels_of(samples[static_cast<size_t>(i)]);
    if (labels.empty()) classes[-1].push_back(i);
    for (int32_t label : labels) classes[label].push_back(i);
  }
  std::vector<std::pair<const std::vector<int64_t>*, size_t>> turns;  // and how far each class is
  for (const auto& [label, members] : classes) turns.emplace_back(&members, 0);
  // Where the draws do not go up, the classes with one more change from epoch to epoch.
  const size_t first = static_cast<size_t>(epoch) * samples.size() % turns.size();
  std::vector<int64_t> draws, times(samples.size(), 0);
  for (size_t i = 0; i < samples.size(); ++i) {
    auto& [members, at] = turns[(first + i) % turns.size()];
    const int64_t picture = (*members)[at++ % members->size()];
    draws.push_back(picture + count * times[static_cast<size_t>(picture)]++);
  }
  std::vector<int64_t> shuffled;
  for (int64_t place : epoch_order(count, mix64(seed), epoch)) shuffled.push_back(draws[static_cast<size_t>(place)]);
  return shuffled;
}

Loader::Loader(std::vector<Sample> samples, LoaderOptions options)
    : samples_(std::move(samples)),
      options_(std::move(options)),
      batches_{static_cast<int64_t>(samples_.size()), options_.batch, options_.merge_last_single},
      preparer_({.preprocessing = options_.preprocessing,
                 .augmentation = options_.augmentation,
                 .second_fit = options_.second_fit,
                 .cache = options_.cache,
                 .channels = options_.channels}) {
  if (options_.batch < 1 || options_.ahead < 1) fail(ErrorKind::usage, "batches of {}, {} ahead", options_.batch, options_.ahead);
  slots_.resize(static_cast<size_t>(options_.ahead) + 1);
  const int count = options_.workers > 0 ? options_.workers : threads();
  try {
    for (int i = 0; i < count; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    if (!workers_.empty()) return;  // the system gives no more threads; with fewer it takes longer
    stop();
    fail(ErrorKind::io, "no thread can be started to read pictures: {}", error.what());
  } catch (...) {
    stop();
    throw;
  }
}

Loader::~Loader() { stop(); }

void Loader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

Loader::BatchPosition Loader::position_of(int64_t sequence) const {
  const int64_t total = start_.batch + sequence, batches = batches_.count();
  return {start_.epoch + total / batches, total % batches};
}

bool Loader::may_fill() const {
  if (batches_.count() == 0 || filling_ >= next_ - held_ + static_cast<int64_t>(slots_.size())) return false;
  return options_.endless || position_of(filling_).epoch == start_.epoch;
}

void Loader::start(int64_t epoch, int64_t batch) {
  if (epoch < 0 || batch < 0 || batch > batches_.count()) {
    fail(ErrorKind::usage, "starting at batch {} of epoch {}; an epoch has {} batches", batch, epoch, batches_.count());
  }
  std::unique_lock lock(mutex_);
  filling_ = next_ + static_cast<int64_t>(slots_.size());  // nobody takes another picture
  done_.wait(lock, [&] { return failure_ || busy_ == 0; });
  for (Slot& slot : slots_) {
    slot.sequence = -1;
    slot.failure = nullptr;
  }
  start_ = {epoch, batch};
  epoch_ = epoch;
  next_ = filling_ = filling_position_ = 0;
  held_ = false;
  lock.unlock();
  work_.notify_all();
}

const Batch* Loader::next() {
  std::unique_lock lock(mutex_);
  if (std::exchange(held_, false)) work_.notify_all();
  if (batches_.count() == 0) return nullptr;
  if (const int64_t epoch = position_of(next_).epoch; epoch != epoch_) {
    if (options_.endless) epoch_ = epoch;
    return nullptr;
  }
  Slot& slot = slots_[static_cast<size_t>(next_) % slots_.size()];
  const auto ready = [&] { return failure_ || (slot.sequence == next_ && slot.remaining == 0); };
  if (!ready()) {
    const auto begin = std::chrono::steady_clock::now();
    done_.wait(lock, ready);
    waited_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  if (failure_) std::rethrow_exception(failure_);
  if (slot.failure) std::rethrow_exception(slot.failure);
  std::sort(slot.batch.bad.begin(), slot.batch.bad.end(), [](const Batch::Bad& a, const Batch::Bad& b) { return a.position < b.position; });
  ++next_;
  held_ = true;
  return &slot.batch;
}

void Loader::open_slot(Slot& slot, int64_t sequence) {
  const BatchPosition place = position_of(sequence);
  if (options_.shuffle && ordered_epoch_ != place.epoch) {
    order_ = epoch_order(samples_, options_.seed, place.epoch, options_.balanced);
    ordered_epoch_ = place.epoch;
  }
  const int64_t begin = batches_.begin(place.batch), end = begin + batches_.size(place.batch);
  const int64_t floats = preparer_.numbers();
  if (slot.pixels.empty()) slot.pixels.resize(static_cast<size_t>(batches_.largest() * floats) * preparer_.shapes());
  slot.batch.epoch = place.epoch;
  slot.batch.number = place.batch;
  const auto values = static_cast<size_t>((end - begin) * floats);
  slot.batch.images = std::span(slot.pixels).first(values);
  if (preparer_.shapes() > 1) slot.batch.second = std::span(slot.pixels).subspan(values, values);
  slot.batch.labels.clear();
  slot.batch.indices.clear();
  slot.batch.draws.clear();
  slot.batch.bad.clear();
  for (int64_t i = begin; i < end; ++i) {
    const int64_t draw = options_.shuffle ? order_[static_cast<size_t>(i)] : i;
    const int64_t index = draw % static_cast<int64_t>(samples_.size());
    slot.batch.draws.push_back(draw);
    slot.batch.indices.push_back(index);
    slot.batch.labels.push_back(samples_[static_cast<size_t>(index)].label);
  }
  slot.sequence = sequence;
  slot.remaining = end - begin;
  slot.failed_position = -1;
}

Loader::Task Loader::take_task() {
  Slot& slot = slots_[static_cast<size_t>(filling_) % slots_.size()];
  if (filling_position_ == 0) open_slot(slot, filling_);
  const Task task{&slot, filling_position_++};
  if (filling_position_ == slot.batch.size()) {
    ++filling_;
    filling_position_ = 0;
  }
  ++busy_;
  return task;
}

void Loader::work() {
  lower_priority();
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return stopping_ || may_fill(); });
    if (stopping_) return;
    try {
      const Task task = take_task();
      lock.unlock();
      run(task);
      lock.lock();
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      failure_ = std::current_exception();
      stopping_ = true;
      work_.notify_all();
      return done_.notify_all();
    }
  }
}

void Loader::run(const Task& task) {
  Batch& batch = task.slot->batch;
  const auto floats = static_cast<size_t>(preparer_.numbers());
  const int64_t index = batch.indices[static_cast<size_t>(task.position)];
  const Sample& sample = samples_[static_cast<size_t>(index)];
  std::vector<std::span<float>> shapes;
  for (const std::span<float> all : {batch.images, batch.second})
    if (!all.empty()) shapes.push_back(all.subspan(static_cast<size_t>(task.position) * floats, floats));
  std::exception_ptr failure;
  std::string message;  // of a bad picture that is only listed
  try {
    const int64_t draw = batch.draws[static_cast<size_t>(task.position)], views = options_.stored_views;
    const Draw drawn =
        views > 0 ? Draw{options_.seed, stored_view(batch.epoch, draw, views), index} : Draw{options_.seed, batch.epoch, draw};
    preparer_.prepare(sample, drawn, shapes);
  } catch (const Error& error) {
    failure = std::current_exception();
    if (options_.skip_bad && error.kind() == ErrorKind::input) message = error.what();
  } catch (...) {
    failure = std::current_exception();
  }
  for (const std::span<float> shape : shapes)
    if (failure) std::ranges::fill(shape, 0.0f);

  const std::lock_guard lock(mutex_);
  if (!message.empty()) {
    batch.bad.push_back({task.position, {sample.path, message}});
  } else if (failure && (task.slot->failed_position < 0 || task.position < task.slot->failed_position)) {
    task.slot->failed_position = task.position;
    task.slot->failure = std::move(failure);
  }
  --task.slot->remaining;
  --busy_;
  if (task.slot->remaining == 0 || busy_ == 0) done_.notify_all();
}

}  // namespace fovea::image
