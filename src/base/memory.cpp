#include "base/memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace fovea {
namespace {

constexpr size_t kAlignment = 64;
#ifdef FOVEA_SANITIZED
constexpr size_t kLeastMapped = SIZE_MAX;  // it watches what the allocator gives
#else
constexpr size_t kLeastMapped = size_t{1} << 20;
#endif

std::shared_ptr<std::byte> mapped_memory(size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<std::byte*>(data), [bytes](void* memory) { munmap(memory, bytes); }};
}

}  // namespace

std::shared_ptr<std::byte> aligned_memory(size_t bytes) {
  if (bytes >= kLeastMapped) return mapped_memory(bytes);
  void* data = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (!data) throw std::bad_alloc();
  return {static_cast<std::byte*>(data), std::free};
}

std::shared_ptr<std::byte> zeroed_memory(size_t bytes) {
  std::shared_ptr<std::byte> memory = aligned_memory(bytes);
  std::memset(memory.get(), 0, bytes);  // a new mapping too: what is there is there from now on, and counted
  return memory;
}

}  // namespace fovea
