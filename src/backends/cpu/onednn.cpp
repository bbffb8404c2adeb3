#include "backends/cpu/onednn.h"

namespace fovea::cpu {

dnnl::engine& onednn_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& onednn_stream() {
  thread_local dnnl::stream stream(onednn_engine());
  return stream;
}

memory::data_type onednn_type(DType dtype) { return dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32; }

memory::desc pixels_desc(const Shape& shape, memory::data_type type) {
  return {{shape.batch(), shape.channels(), shape.height(), shape.width()}, type, memory::format_tag::nhwc};
}

memory::desc weights_desc(const Shape& shape, int64_t groups) {
  const int64_t outputs = shape[0], inputs = shape[1], height = shape[2], width = shape[3], each = inputs * height * width;
  if (groups == 1) return {{outputs, inputs, height, width}, memory::data_type::f32, {each, 1, width * inputs, inputs}};
  return {{groups, outputs / groups, inputs, height, width},
          memory::data_type::f32,
          {outputs / groups * each, each, 1, width * inputs, inputs}};
}

memory::desc any_form(const memory::desc& desc, memory::data_type type) { return {desc.get_dims(), type, memory::format_tag::any}; }

std::string form_name(const memory::desc& desc) {
  return fmt::format("{} {} [{}] padded [{}] strides [{}] blocks [{}] of [{}], {} bytes", static_cast<int>(desc.get_format_kind()),
                     static_cast<int>(desc.get_data_type()), fmt::join(desc.get_dims(), ","), fmt::join(desc.get_padded_dims(), ","),
                     fmt::join(desc.get_strides(), ","), fmt::join(desc.get_inner_blks(), ","), fmt::join(desc.get_inner_idxs(), ","),
                     desc.get_size());
}

dnnl::primitive_attr plain_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

Primitive::Primitive(dnnl::primitive primitive, const memory::desc& scratchpad,
                     std::initializer_list<std::pair<int, memory::desc>> arguments)
    : primitive_(std::move(primitive)), scratchpad_bytes_(scratchpad.get_size()) {
  for (const auto& [argument, desc] : arguments) add(argument, desc);
  if (scratchpad_bytes_ > 0) add(DNNL_ARG_SCRATCHPAD, scratchpad);
}

void Primitive::add(int argument, const memory::desc& desc) {
  memories_.emplace_back(desc, onednn_engine(), nullptr);
  arguments_.push_back({argument, memories_.back().get()});
}

void Primitive::set(int argument, const void* pointer) {
  for (const dnnl_exec_arg_t& entry : arguments_)
    if (entry.arg == argument) dnnl_memory_set_data_handle(entry.memory, const_cast<void*>(pointer));
}

void Primitive::set_scratchpad(void* pointer) {
  if (scratchpad_bytes_ > 0) set(DNNL_ARG_SCRATCHPAD, pointer);
}

void Primitive::execute() {
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive_.get(), onednn_stream().get(), static_cast<int>(arguments_.size()), arguments_.data());
  if (status != dnnl_success) fail(ErrorKind::internal, "oneDNN could not run a primitive: status {}", static_cast<int>(status));
}

Primitive reorder_primitive(const memory::desc& from, const memory::desc& to) {
  const dnnl::reorder::primitive_desc desc(onednn_engine(), from, onednn_engine(), to, plain_attributes());
  return {dnnl::reorder(desc), desc.scratchpad_desc(), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
}

}  // namespace fovea::cpu
