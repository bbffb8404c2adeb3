// Numbers as they lie in memory: float, or its upper half (bfloat16). Kernels compute in float either way.
#pragma once

#include <cstdint>

namespace fovea {
enum class DType : uint8_t;
}

namespace fovea::cpu {

struct Bf16 {
  uint16_t bits;
};

// Memory of either type to read from; the offset counts numbers. A plain float pointer is one.
struct Source {
  const void* data = nullptr;
  bool bf16 = false;

  Source() = default;
  Source(const float* floats) : data(floats) {}  // implicit: most callers have floats
  Source(const Bf16* numbers) : data(numbers), bf16(true) {}
  Source(const void* memory, DType dtype);

  explicit operator bool() const { return data != nullptr; }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  Source operator+(int64_t n) const {
    Source moved = *this;
    moved.data = static_cast<const char*>(data) + n * (bf16 ? 2 : 4);
    return moved;
  }
};

// The same to write to.
struct Target {
  void* data = nullptr;
  bool bf16 = false;

  Target() = default;
  Target(float* floats) : data(floats) {}
  Target(Bf16* numbers) : data(numbers), bf16(true) {}
  Target(void* memory, DType dtype);

  explicit operator bool() const { return data != nullptr; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  operator Source() const {
    Source source;
    source.data = data;
    source.bf16 = bf16;
    return source;
  }
  Target operator+(int64_t n) const {
    Target moved = *this;
    moved.data = static_cast<char*>(data) + n * (bf16 ? 2 : 4);
    return moved;
  }
};

}  // namespace fovea::cpu
