// oneDNN as this backend uses it: one engine, a stream a thread, primitives with their arguments prepared, memory of the caller's.
#pragma once

#include <dnnl.hpp>
#include <string>
#include <vector>

#include "backends/cpu/kernel.h"

namespace fovea::cpu {

dnnl::engine& onednn_engine();
dnnl::stream& onednn_stream();  // of the calling thread

using dnnl::memory;

// The library's name of a type.
memory::data_type onednn_type(DType dtype);

// [N,C,H,W] dense in N, H, W, C.
memory::desc pixels_desc(const Shape& shape, memory::data_type type);
// [O,I/g,kh,kw] dense in O, kh, kw, I/g; with groups > 1 as [g,O/g,I/g,kh,kw].
memory::desc weights_desc(const Shape& shape, int64_t groups);
// A matrix of `rows` rows in memory, `stride` apart; transposed on demand.
inline memory::desc matrix(int64_t rows, int64_t columns, int64_t stride, DType type = DType::f32) {
  return {{rows, columns}, onednn_type(type), {stride, 1}};
}
inline memory::desc transposed(int64_t rows, int64_t columns, int64_t stride, DType type = DType::f32) {
  return {{columns, rows}, onednn_type(type), {1, stride}};
}
// The same dimensions in whatever form of this type the library wants.
memory::desc any_form(const memory::desc& desc, memory::data_type type);

// Tells one form from another: type, dimensions, padding, strides and inner blocks.
std::string form_name(const memory::desc& desc);

// A user scratchpad, and nothing else set.
dnnl::primitive_attr plain_attributes();

// A built primitive. Arguments are declared once; `set` and `execute` allocate nothing of fovea's.
class Primitive {
 public:
  Primitive() = default;
  Primitive(dnnl::primitive primitive, const memory::desc& scratchpad, std::initializer_list<std::pair<int, memory::desc>> arguments);

  explicit operator bool() const { return static_cast<bool>(primitive_); }
  size_t scratchpad_bytes() const { return scratchpad_bytes_; }
  void add(int argument, const memory::desc& desc);
  void set(int argument, const void* pointer);
  void set_scratchpad(void* pointer);
  void execute();

 private:
  dnnl::primitive primitive_;
  size_t scratchpad_bytes_ = 0;
  std::vector<memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

// From one form of a tensor to another.
Primitive reorder_primitive(const memory::desc& from, const memory::desc& to);

}  // namespace fovea::cpu
