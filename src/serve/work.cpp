#include "serve/work.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace fovea::serve {
namespace {

constexpr int64_t kHeldBytes = 48'000'000;

int64_t pictures_of(const Job& job) { return std::max<int64_t>(1, static_cast<int64_t>(job.pictures.size())); }

int64_t bytes_of(const Job& job) {
  int64_t bytes = 0;
  for (const Image& picture : job.pictures) bytes += static_cast<int64_t>(picture.pixels.size());
  return bytes;
}

}  // namespace

Cores::Cores(const Options& options) : options_(options) {
  for (int64_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { prepare_loop(); });
  threads_.emplace_back([this] { compute_loop(); });
}

Cores::~Cores() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  prepared_.notify_all();
  tasks_there_.notify_all();
  room_.notify_all();
  for (std::thread& one : threads_) one.join();
}

bool Cores::enter() {
  if (++inside_ <= options_.queue) return true;
  --inside_;
  return false;
}

void Cores::prepare(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  tasks_there_.notify_one();
}

void Cores::compute(Job job) {
  job.queued = Clock::now();
  const int64_t bytes = bytes_of(job);
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return stopping_ || held_ == 0 || held_ + bytes <= kHeldBytes; });
    held_ += bytes;
    const auto found = std::ranges::find(turns_, job.model.get(), [](const auto& turn) { return turn.first; });
    if (found != turns_.end()) {
      found->second.push_back(std::move(job));
    } else {
      const Served* model = job.model.get();
      turns_.emplace_back(model, std::deque<Job>()).second.push_back(std::move(job));
    }
  }
  prepared_.notify_one();
}

void Cores::prepare_loop() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      tasks_there_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

// Waits for the first job, then for others until the batch is full or the first has waited long enough.
std::vector<Job> Cores::next_batch(std::unique_lock<std::mutex>& lock) {
  prepared_.wait(lock, [&] { return stopping_ || !turns_.empty(); });
  if (stopping_) return {};
  if (options_.max_delay.count() > 0 && turns_.front().second.front().kind != Job::Kind::alone) {
    const auto full = [&] {
      int64_t waiting = 0;
      for (const Job& job : turns_.front().second) waiting += pictures_of(job);
      return stopping_ || waiting >= options_.max_batch;
    };
    prepared_.wait_until(lock, turns_.front().second.front().queued + options_.max_delay, full);
    if (stopping_) return {};
  }
  auto& [model, jobs] = turns_.front();
  std::vector<Job> batch;
  int64_t pictures = 0;
  while (!jobs.empty()) {
    const bool together = batch.empty() || (jobs.front().kind == batch.front().kind && batch.front().kind != Job::Kind::alone &&
                                            pictures + pictures_of(jobs.front()) <= options_.max_batch);
    if (!together) break;
    pictures += pictures_of(jobs.front());
    batch.push_back(std::move(jobs.front()));
    jobs.pop_front();
  }
  // The next model's turn comes before this one's again.
  if (jobs.empty())
    turns_.pop_front();
  else
    turns_.splice(turns_.end(), turns_, turns_.begin());
  return batch;
}

void Cores::compute_loop() {
  for (;;) {
    std::vector<Job> batch;
    {
      std::unique_lock lock(mutex_);
      batch = next_batch(lock);
      if (stopping_) return;
    }
    int64_t bytes = 0;
    for (const Job& job : batch) bytes += bytes_of(job);
    std::erase_if(batch, [](const Job& job) { return job.wanted && !job.wanted(); });
    if (!batch.empty()) run(std::move(batch));
    {
      const std::lock_guard lock(mutex_);
      held_ -= bytes;
    }
    room_.notify_all();
  }
}

namespace {

Tensor rows(const Tensor& all, size_t first, size_t count) {
  const size_t width = static_cast<size_t>(all.shape()[1]);
  Tensor part(DType::f32, {static_cast<int64_t>(count), static_cast<int64_t>(width)});
  std::memcpy(part.mutable_raw(), all.values<float>().data() + first * width, count * width * sizeof(float));
  return part;
}

}  // namespace

void Cores::run(std::vector<Job> batch) {
  const Job& first = batch.front();
  const auto started = Clock::now();
  const auto seconds = [](Clock::duration time) { return std::chrono::duration<double>(time).count(); };
  if (first.kind == Job::Kind::alone) {
    if (first.timed) first.timed(seconds(started - first.queued), 0, 0);
    try {
      first.compute();
    } catch (...) {
      first.failed(std::current_exception());
    }
    return;
  }
  std::vector<Image> pictures;
  std::vector<size_t> counts;
  int64_t top = 1;
  for (Job& job : batch) {
    counts.push_back(job.pictures.size());
    top = std::max(top, job.top);
    std::ranges::move(job.pictures, std::back_inserter(pictures));
  }
  const Predictor& predictor = first.model->predictor;
  std::vector<std::vector<ClassProbability>> classes;
  Tensor vectors;
  try {
    if (first.kind == Job::Kind::classes)
      classes = predictor.predict(pictures, top);
    else
      vectors = predictor.embed(pictures);
  } catch (...) {
    for (Job& job : batch) job.failed(std::current_exception());
    return;
  }
  const double computed = seconds(Clock::now() - started);
  size_t at = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    Job& job = batch[i];
    if (job.timed) job.timed(seconds(started - job.queued), computed, i == 0 ? static_cast<int64_t>(pictures.size()) : 0);
    std::vector<std::vector<ClassProbability>> own;
    if (!classes.empty())
      own.assign(std::make_move_iterator(classes.begin() + static_cast<std::ptrdiff_t>(at)),
                 std::make_move_iterator(classes.begin() + static_cast<std::ptrdiff_t>(at + counts[i])));
    Tensor part = vectors.empty() ? Tensor() : rows(vectors, at, counts[i]);
    at += counts[i];
    try {
      job.done(std::move(own), std::move(part));
    } catch (...) {
      job.failed(std::current_exception());
    }
  }
}

}  // namespace fovea::serve
