// How many pictures of a list are looked at before what came of them is handed over.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/parallel.h"

namespace fovea::look {

// A few at first, then as many as take about a fifth of a second.
class Stretch {
 public:
  // As many as all cores take at once; never more than `most`, if that is not less than these.
  Stretch(int64_t at_once, int64_t most) : pictures_(at_once), most_(std::max(at_once, most)) {}

  int64_t pictures() const { return pictures_; }
  // Calls body() for a stretch, and learns from how long it takes.
  template <class Body>
  void run(Body&& body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    constexpr auto kShort = std::chrono::milliseconds(200);
    if (std::chrono::steady_clock::now() - start < kShort && 2 * pictures_ <= most_) pictures_ *= 2;
  }

 private:
  int64_t pictures_, most_;
};

}  // namespace fovea::look
