#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "base/parallel.h"

namespace fovea::test {

// So many threads, and as before afterwards.
class Threads {
 public:
  explicit Threads(int count) : before_(threads()) { set_threads(count); }
  ~Threads() { set_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// Calls body(index) on so many threads, which begin together.
template <class Body>
void at_once(int count, Body&& body) {
  std::vector<std::thread> threads;
  std::atomic<int> ready{0};
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      ++ready;
      while (ready < count) std::this_thread::yield();
      body(i);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace fovea::test
