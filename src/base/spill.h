// Memory for what grows with the number of pictures: up to a limit it is memory, beyond it a file without a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace fovea {

// Copies share one limit. Safe to use from several threads.
class Spill {
 public:
  Spill() = default;  // without a limit
  // At most `limit` bytes lie in memory at the same time. What is asked for beyond it lies in a file in `folder`, which has no name: its
  // room is given back with the last use of it, and by the system when the process ends, in whatever way.
  Spill(size_t limit, std::filesystem::path folder);

  // From a 64-byte boundary on, not set to anything; `in_file` says where it lies. Throws Error(io) that names the folder where there is
  // too little room.
  std::shared_ptr<std::byte> take(size_t bytes, bool& in_file) const;
  // The same in memory, whatever the limit is; it counts, so that what is taken later lies in a file earlier.
  std::shared_ptr<std::byte> take_memory(size_t bytes) const;
  size_t in_memory() const;  // bytes that are taken now
  size_t room() const;       // bytes that may still be taken before a file is made

 private:
  struct Limit;
  std::shared_ptr<Limit> limit_;
};

// For memory that `Spill::take` gave and that lies in a file: the pages of this part count as this process's memory again only when they
// are looked at again. Their values stay.
void let_go_of_pages(std::byte* begin, size_t bytes);

// So many numbers from a Spill. Copies are the same numbers.
template <class T>
class SpillArray {
 public:
  SpillArray() = default;
  SpillArray(const Spill& spill, int64_t count)
      : count_(static_cast<size_t>(count)), memory_(count > 0 ? spill.take(count_ * sizeof(T), in_file_) : nullptr) {}
  // In memory, whatever the limit is.
  static SpillArray in_memory(const Spill& spill, int64_t count) {
    SpillArray array;
    array.count_ = static_cast<size_t>(count);
    if (count > 0) array.memory_ = spill.take_memory(array.count_ * sizeof(T));
    return array;
  }

  std::span<T> values() const { return {reinterpret_cast<T*>(memory_.get()), count_}; }
  std::span<T> part(int64_t begin, int64_t count) const { return values().subspan(static_cast<size_t>(begin), static_cast<size_t>(count)); }
  bool in_file() const { return in_file_; }
  size_t bytes_of_memory() const { return in_file_ ? 0 : count_ * sizeof(T); }
  // Called after a stretch of numbers was written or read, so that those in a file do not stay in memory.
  void let_go(int64_t begin, int64_t count) const {
    if (in_file_ && count > 0)
      let_go_of_pages(reinterpret_cast<std::byte*>(part(begin, count).data()), static_cast<size_t>(count) * sizeof(T));
  }
  void let_go() const { let_go(0, static_cast<int64_t>(count_)); }

 private:
  size_t count_ = 0;
  bool in_file_ = false;
  std::shared_ptr<std::byte> memory_;
};

}  // namespace fovea
