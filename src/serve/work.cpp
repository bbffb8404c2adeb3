#include "serve/work.h"

#include <algorithm>

namespace fovea::serve {
namespace {

constexpr int64_t kHeldBytes = 48'000'000;

int64_t bytes_of(const Job& job) { return static_cast<int64_t>(job.picture.pixels.size()); }

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
  const size_t most = static_cast<size_t>(options_.max_batch);
  if (options_.max_delay.count() > 0 && turns_.front().second.front().kind != Job::Kind::alone) {
    const auto full = [&] { return stopping_ || turns_.front().second.size() >= most; };
    prepared_.wait_until(lock, turns_.front().second.front().queued + options_.max_delay, full);
    if (stopping_) return {};
  }
  auto& jobs = turns_.front().second;
  std::vector<Job> batch;
  do {
    batch.push_back(std::move(jobs.front()));
    jobs.pop_front();
  } while (!jobs.empty() && batch.size() < most && batch.front().kind != Job::Kind::alone && jobs.front().kind == batch.front().kind);
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
  int64_t top = 1;
  for (Job& job : batch) {
    top = std::max(top, job.top);
    pictures.push_back(std::move(job.picture));
  }
  std::vector<std::vector<ClassProbability>> classes(batch.size());
  Tensor vectors;
  try {
    if (first.kind == Job::Kind::classes)
      classes = first.model->predictor.predict(pictures, top);
    else
      vectors = first.model->predictor.embed(pictures);
  } catch (...) {
    for (Job& job : batch) job.failed(std::current_exception());
    return;
  }
  const double computed = seconds(Clock::now() - started);
  const size_t width = vectors.empty() ? 0 : static_cast<size_t>(vectors.shape()[1]);
  for (size_t i = 0; i < batch.size(); ++i) {
    Job& job = batch[i];
    if (job.timed) job.timed(seconds(started - job.queued), computed, i == 0 ? static_cast<int64_t>(batch.size()) : 0);
    classes[i].resize(std::min(classes[i].size(), static_cast<size_t>(job.top)));
    try {
      job.done(std::move(classes[i]), vectors.empty() ? std::span<const float>() : vectors.values<float>().subspan(i * width, width));
    } catch (...) {
      job.failed(std::current_exception());
    }
  }
}

}  // namespace fovea::serve
