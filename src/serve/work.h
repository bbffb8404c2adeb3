// Who computes when: pictures of many requests in batches, models in turns, on all cores.
#pragma once

#include <fovea/image.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "serve/models.h"

namespace fovea::serve {

using Clock = std::chrono::steady_clock;

// What is asked of the cores for one picture. Exactly one of `done` and `failed` is called, unless `wanted` says no when its turn comes:
// then neither is.
struct Job {
  ServedModel model;
  enum class Kind { classes, vector, alone } kind = Kind::classes;
  Image picture;                  // of classes and vector
  int64_t top = 1;                // of classes
  std::function<void()> compute;  // of alone: does all of the work, and answers
  Clock::time_point queued;       // when `Cores::compute` got it
  std::function<bool()> wanted;   // whether anybody still waits for it
  // The classes, most probable first, or the vector.
  std::function<void(std::vector<ClassProbability>, std::span<const float>)> done;
  std::function<void(std::exception_ptr)> failed;
  // Told before the answer: seconds of waiting and of computing, and the pictures of its batch; 0 but for the first job of one.
  std::function<void(double waited, double computed, int64_t pictures)> timed;
};

// Takes jobs to the cores, one batch at a time: the models in turns, of each the jobs in order of arrival. Those of one kind are computed
// together, a core a picture; each gets the bits that it would get alone.
class Cores {
 public:
  struct Options {
    int64_t max_batch = 16;                 // pictures
    std::chrono::microseconds max_delay{};  // that the first job of a batch waits for others while the cores are free
    int64_t threads = 1;                    // that prepare: they read requests and decode pictures while the cores compute
    int64_t queue = 256;                    // requests that wait or are being prepared or computed
  };
  explicit Cores(const Options& options);
  ~Cores();  // answers nothing more

  // A place in the queue; false where it is full. Each is given back by `leave`.
  bool enter();
  void leave() { --inside_; }
  int64_t inside() const { return inside_; }

  void prepare(std::function<void()> task);
  // Called by what prepares: waits while the pictures that are decoded already take much memory.
  void compute(Job job);

 private:
  void prepare_loop();
  void compute_loop();
  std::vector<Job> next_batch(std::unique_lock<std::mutex>& lock);
  void run(std::vector<Job> batch);

  const Options options_;
  std::atomic<int64_t> inside_ = 0;
  std::mutex mutex_;  // of what follows
  std::condition_variable prepared_, tasks_there_, room_;
  bool stopping_ = false;
  int64_t held_ = 0;  // bytes of decoded pictures
  std::deque<std::function<void()>> tasks_;
  // Jobs by model, the model whose turn it is first.
  std::list<std::pair<const Served*, std::deque<Job>>> turns_;
  std::vector<std::thread> threads_;
};

}  // namespace fovea::serve
