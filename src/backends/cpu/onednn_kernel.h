// A kernel that is one oneDNN primitive, with reorders around it where the library wants another form of an operand.
#pragma once

#include "backends/cpu/onednn.h"

namespace fovea::cpu {

struct OneDnnArgument {
  int argument;  // DNNL_ARG_...
  size_t index;  // of the operation's inputs or outputs
  memory::desc ours, wanted;
  bool output = false;
  bool constant = false;  // an input that is brought into its form once (Kernel::pack) and not in every run

  static OneDnnArgument in(int argument, size_t index, memory::desc desc) { return {argument, index, desc, desc}; }
  static OneDnnArgument out(int argument, size_t index, memory::desc desc) { return {argument, index, desc, desc, true}; }
};

class OneDnnKernel final : public Kernel {
 public:
  OneDnnKernel(dnnl::primitive primitive, const memory::desc& scratchpad, const std::string& implementation,
               std::vector<OneDnnArgument> arguments);

  size_t workspace_bytes() const override { return workspace_bytes_; }
  size_t packed_bytes(int input) const override;
  void pack(int input, const void* value, void* packed) override;
  std::string packed_form(int input) const override;
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override;
  void run() override;
  // The library's plain matrix product divides its sums between cores where results are few.
  bool depends_on_cores() const override { return description_.find("gemm") != std::string::npos; }
  std::string describe() const override { return description_; }

 private:
  struct Slot {
    OneDnnArgument argument;
    Primitive reorder;  // empty: the forms are one
    size_t offset = 0;  // of the wanted form in the workspace
    size_t bytes = 0;   // of it
    bool packed() const { return argument.constant && reorder; }
  };
  const Slot* packed_slot(int input) const;

  int threads_ = threads();
  std::string description_;
  Primitive primitive_;
  std::vector<Slot> slots_;
  size_t workspace_bytes_ = 0, scratchpad_offset_ = 0;
};

}  // namespace fovea::cpu
