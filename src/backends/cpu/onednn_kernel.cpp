#include "backends/cpu/onednn_kernel.h"

namespace fovea::cpu {
namespace {

// oneDNN generates the code of its matrix products when the first of them runs, and reads some megabytes of itself for it. A product of one
// number makes it do so while kernels are planned, so that this counts among what is there before the first step.
void generate_products() {
  static const bool generated = [] {
    const float one = 1;
    float product = 0;
    return dnnl_sgemm('N', 'N', 1, 1, 1, 1, &one, 1, &one, 1, 0, &product, 1) == dnnl_success;
  }();
  (void)generated;
}

}  // namespace

OneDnnKernel::OneDnnKernel(dnnl::primitive primitive, const memory::desc& scratchpad, const std::string& implementation,
                           std::vector<OneDnnArgument> arguments)
    : description_("onednn " + implementation), primitive_(std::move(primitive), scratchpad, {}) {
  if (implementation.find("gemm") != std::string::npos) generate_products();
  size_t reorder_scratch = 0;
  for (OneDnnArgument& argument : arguments) {
    primitive_.add(argument.argument, argument.wanted);
    Slot slot;
    slot.argument = std::move(argument);
    if (const auto& [unused, index, ours, wanted, output, constant] = slot.argument; ours != wanted) {
      slot.reorder = output ? reorder_primitive(wanted, ours) : reorder_primitive(ours, wanted);
      slot.bytes = wanted.get_size();
      reorder_scratch = std::max(reorder_scratch, slot.reorder.scratchpad_bytes());
      if (!constant) {
        slot.offset = workspace_bytes_;
        workspace_bytes_ += align64(slot.bytes);
        description_ += output ? ", result reordered" : ", weights reordered";
      }
    }
    slots_.push_back(std::move(slot));
  }
  scratchpad_offset_ = workspace_bytes_;
  workspace_bytes_ += align64(std::max(primitive_.scratchpad_bytes(), reorder_scratch));
}

const OneDnnKernel::Slot* OneDnnKernel::packed_slot(int input) const {
  for (const Slot& slot : slots_)
    if (slot.packed() && static_cast<int>(slot.argument.index) == input) return &slot;
  return nullptr;
}

size_t OneDnnKernel::packed_bytes(int input) const {
  const Slot* slot = packed_slot(input);
  return slot ? slot->bytes : 0;
}

void OneDnnKernel::pack(int input, const void* value, void* packed) {
  const Slot* slot = packed_slot(input);
  if (!slot) fail(ErrorKind::internal, "input {} of a kernel ({}) has no packed form", input, description_);
  Primitive reorder = slot->reorder;
  std::vector<std::byte> scratch(reorder.scratchpad_bytes() + 64);
  reorder.set(DNNL_ARG_FROM, value);
  reorder.set(DNNL_ARG_TO, packed);
  reorder.set_scratchpad(reinterpret_cast<void*>(align64(reinterpret_cast<size_t>(scratch.data()))));
  on_cores(threads_, [&] { reorder.execute(); });
}

std::string OneDnnKernel::packed_form(int input) const {
  const Slot* slot = packed_slot(input);
  if (!slot) return {};
  const memory::desc& wanted = slot->argument.wanted;
  // What the library does not describe is a form of this implementation alone.
  const std::string of = wanted.get_format_kind() == memory::format_kind::blocked ? "onednn" : description_;
  return of + " " + form_name(slot->argument.ours) + " as " + form_name(wanted);
}

void OneDnnKernel::bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) {
  auto* const work = static_cast<std::byte*>(workspace);
  for (Slot& slot : slots_) {
    void* const outside = (slot.argument.output ? outputs : inputs)[slot.argument.index];
    const bool staged = slot.reorder && !slot.argument.constant;
    void* const inside = staged ? work + slot.offset : outside;
    primitive_.set(slot.argument.argument, inside);
    if (!staged) continue;
    slot.reorder.set(DNNL_ARG_FROM, slot.argument.output ? inside : outside);
    slot.reorder.set(DNNL_ARG_TO, slot.argument.output ? outside : inside);
    slot.reorder.set_scratchpad(work + scratchpad_offset_);
  }
  primitive_.set_scratchpad(work + scratchpad_offset_);
}

void OneDnnKernel::run() {
  on_cores(threads_, [this] {
    for (Slot& slot : slots_)
      if (slot.reorder && !slot.argument.output && !slot.argument.constant) slot.reorder.execute();
    primitive_.execute();
    for (Slot& slot : slots_)
      if (slot.reorder && slot.argument.output) slot.reorder.execute();
  });
}

}  // namespace fovea::cpu
