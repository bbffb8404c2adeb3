// The order of a loop over many pictures: some of them are looked at, on all cores, then what came of them is handed over one by one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace fovea::look {

// A few at first, then as many as take about a fifth of a second.
class Stretch {
 public:
  // `at_once` is what all cores take at once. A stretch never has more pictures than `most`, unless that is less than these.
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

// For `total` pictures: look(begin, count) looks at a stretch of them, then give(index) is called for each in order; false stops. Whether
// all were given.
template <class Look, class Give>
bool in_stretches(int64_t total, Stretch stretch, Look&& look, Give&& give) {
  for (int64_t begin = 0; begin < total;) {
    const int64_t count = std::min(stretch.pictures(), total - begin);
    stretch.run([&] { look(begin, count); });
    for (const int64_t end = begin + count; begin < end; ++begin)
      if (!give(begin)) return false;
  }
  return true;
}

}  // namespace fovea::look
