// What a backend must provide: plans of single nodes. A plan is built once; running it allocates nothing.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/device_traits.h"
#include "ir/graph.h"

namespace fovea::backend {

// What is known of an operand when a kernel is planned.
struct Operand {
  Type type;
  // Values of rank 4 lie in memory as N, H, W, C; `row_stride` elements lie between two neighbouring pixels (the channels, or more where
  // several values share one buffer). Others are dense and row-major.
  int64_t row_stride = 0;
  bool constant = false;  // known when weights are prepared: the kernel may ask to pack it once (packed_bytes, pack)
  bool used = true;       // an output that nobody reads gets no memory: its pointer is null

  static Operand dense(Type type) {
    const int64_t row = type.shape.rank() == 4 ? type.shape.channels() : 0;
    return {std::move(type), row, false, true};
  }
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // Scratch memory, 64-byte aligned, shared with other kernels: nothing survives in it between runs.
  virtual size_t workspace_bytes() const { return 0; }
  // More than 0 for a constant input that this kernel wants in its own form: `pack` writes it there when weights are prepared, and the
  // pointer given for this input is the packed one.
  virtual size_t packed_bytes(int /*input*/) const { return 0; }
  virtual void pack(int /*input*/, const void* /*value*/, void* /*packed*/) {}
  // Names that form: kernels that give the same name pack the same constant into the same bytes, so that they can share them.
  virtual std::string packed_form(int /*input*/) const { return {}; }

  // Pointers for the following runs; called again whenever memory moves. Unused outputs and absent workspace are null.
  virtual void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) = 0;
  virtual void run() = 0;

  // Whether the number of cores that it was planned for decides bits of what a picture gives.
  virtual bool depends_on_cores() const { return false; }

  // For FOVEA_LOG=kernels and profiles: "onednn jit_avx512_core", "own simd", "reference".
  virtual std::string describe() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  // Libraries and instruction set: with the graph and the number of threads it decides every bit of a result.
  virtual std::string identity() const { return std::string(name()); }
  virtual bool supports(DType dtype) const = 0;
  virtual const DeviceTraits& traits() const = 0;
  // Throws Error(unsupported) with the reasons of every candidate where no kernel takes it.
  virtual std::unique_ptr<Kernel> plan(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs) const = 0;
};

}  // namespace fovea::backend
