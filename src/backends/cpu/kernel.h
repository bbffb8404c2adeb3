// How this backend's kernels are written: a candidate looks at a request and either accepts with a plan or refuses with a reason.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "backend/backend.h"
#include "backends/cpu/storage.h"
#include "base/denormals.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/team.h"

namespace fovea::cpu {

using backend::Kernel;
using backend::Operand;

struct Request {
  const Op& op;
  std::span<const Operand> inputs, outputs;
};

struct Planned {
  std::unique_ptr<Kernel> kernel;  // null: refused
  std::string refusal;
};

using Candidate = Planned (*)(const Request&);

template <class... Args>
Planned refuse(fmt::format_string<Args...> format, Args&&... args) {
  return {nullptr, fmt::format(format, std::forward<Args>(args)...)};
}

// Pointers of a run.
struct Bound {
  static constexpr size_t kMost = 8;
  std::array<const void*, kMost> inputs{};
  std::array<void*, kMost> outputs{};
  std::byte* workspace = nullptr;

  template <class T = float>
  const T* in(size_t i) const {
    return static_cast<const T*>(inputs[i]);
  }
  template <class T = float>
  T* out(size_t i) const {
    return static_cast<T*>(outputs[i]);
  }
  // Maps of either type of storage.
  Source source(size_t i, DType dtype) const { return {inputs[i], dtype}; }
  Target target(size_t i, DType dtype) const { return {outputs[i], dtype}; }
  template <class T>
  T* scratch(size_t byte_offset = 0) const {
    return reinterpret_cast<T*>(workspace + byte_offset);
  }
  void set(std::span<void* const> in, std::span<void* const> out, void* work) {
    for (size_t i = 0; i < in.size(); ++i) inputs[i] = in[i];
    for (size_t i = 0; i < out.size(); ++i) outputs[i] = out[i];
    workspace = static_cast<std::byte*>(work);
  }
};

// A kernel made of one function of the bound pointers.
template <class Body>
class FunctionKernel final : public Kernel {
 public:
  FunctionKernel(size_t workspace_bytes, Body body, std::string description)
      : workspace_bytes_(workspace_bytes), body_(std::move(body)), description_(std::move(description)) {}
  size_t workspace_bytes() const override { return workspace_bytes_; }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    bound_.set(inputs, outputs, workspace);
  }
  void run() override {
    on_cores(threads_, [this] { body_(bound_); });
  }
  std::string describe() const override { return description_; }

 private:
  size_t workspace_bytes_;
  int threads_ = threads();
  Body body_;
  std::string description_;
  Bound bound_;
};

template <class Body>
Planned accept(size_t workspace_bytes, Body body, std::string description = "own simd") {
  return {std::make_unique<FunctionKernel<Body>>(workspace_bytes, std::move(body), std::move(description)), {}};
}
template <class Body>
Planned accept(Body body) {
  return accept(0, std::move(body));
}

// parallel_for with denormals off on every worker.
template <class Body>
void parallel_kernel(int64_t count, int64_t grain, const Body& body) {
  parallel_for(count, grain, [&body](int64_t begin, int64_t end) {
    const FlushDenormals flush;
    body(begin, end);
  });
}

constexpr size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

// The pixels of a value of rank 4: `count` rows of `channels` numbers, `stride` apart.
struct Rows {
  int64_t count = 0, channels = 0, stride = 0;
  bool dense() const { return stride == channels; }
};
inline Rows rows_of(const Operand& operand) {
  const Shape& shape = operand.type.shape;
  if (shape.rank() != 4) return {1, shape.elements(), shape.elements()};
  return {shape.batch() * shape.height() * shape.width(), shape.channels(), operand.row_stride};
}
// Whether it is a map, or a stack of them, with anything in it.
inline bool has_pixels(const Operand& operand) { return operand.type.shape.rank() == 4 && operand.type.elements() > 0; }
inline bool is_dense(const Operand& operand) {
  return operand.type.shape.rank() != 4 || operand.row_stride == operand.type.shape.channels() ||
         operand.type.shape.elements() == operand.type.shape.channels();
}

// Whether these operands have one type.
inline bool of_one_type(std::initializer_list<const Operand*> operands) {
  for (const Operand* operand : operands)
    if (operand->type.dtype != (*operands.begin())->type.dtype) return false;
  return true;
}

// Calls body(offset of each operand..., length) over ranges of elements that are contiguous in every operand; all have one shape.
template <size_t K, class Body>
void over_ranges(const std::array<Rows, K>& operands, int64_t grain, const Body& body) {
  bool dense = true;
  for (const Rows& rows : operands) dense = dense && rows.dense();
  if (dense) {
    parallel_kernel(operands[0].count * operands[0].channels, grain, [&](int64_t begin, int64_t end) {
      std::array<int64_t, K> offsets;
      offsets.fill(begin);
      body(offsets, end - begin);
    });
    return;
  }
  const int64_t channels = operands[0].channels;
  parallel_kernel(operands[0].count, std::max<int64_t>(1, grain / std::max<int64_t>(1, channels)), [&](int64_t begin, int64_t end) {
    std::array<int64_t, K> offsets;
    for (int64_t row = begin; row < end; ++row) {
      for (size_t k = 0; k < K; ++k) offsets[k] = row * operands[k].stride;
      body(offsets, channels);
    }
  });
}

// Elements a thread should have at least, for work bound by memory.
constexpr int64_t kGrain = 8192;

}  // namespace fovea::cpu
