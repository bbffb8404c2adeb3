// Runs one operation, or a small graph, on a backend, with memory that shows every stray write.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "op_case.h"

namespace fovea::testing {

using Values = std::vector<double>;  // in logical order: N, C, H, W

// The type in which a floating operand runs.
Type as(Type type, DType dtype);
// The same of a case's input; bf16 is for maps alone, not for parameters.
Type as(const CaseInput& input, DType dtype);
// The case with its maps' numbers as bf16 holds them.
OpCase rounded_to_bf16(OpCase test);

// Memory of an operand between sentinels: before it, after it and, where rows are wider than the channels, between them.
class GuardedBuffer {
 public:
  // `slice`: of rank 4, the channels are part of wider rows and start at no aligned place.
  GuardedBuffer(const Type& type, bool slice);

  void write(const Values& values);
  Values read() const;
  void* data() { return bytes_.get() + start_; }
  const backend::Operand& operand() const { return operand_; }
  // The first place outside the operand's elements that was written, in words.
  std::optional<std::string> stray_write() const;
  bool same_bytes(const GuardedBuffer& other) const;

 private:
  size_t offset_of(int64_t element) const;  // of a logical element, in bytes from the operand's first

  backend::Operand operand_;
  size_t size_, start_;
  std::unique_ptr<std::byte[], void (*)(void*)> bytes_;
};

struct RunOptions {
  DType dtype = DType::f32;
  bool slices = false;                                  // rank 4 values lie in wider rows
  bool constants = false;                               // parameters are known when weights are prepared
  std::optional<std::pair<size_t, size_t>> alias = {};  // this input's memory is this output's
  std::optional<size_t> unused = {};                    // this output has no memory
};

std::string describe(const RunOptions& options);

// The results of a case on a backend; an unused one is empty. Reports stray writes, changed inputs and a second run that differs as
// test failures. Empty where the backend refuses the operation as unsupported.
std::optional<std::vector<Values>> run_case(const backend::Backend& backend, const OpCase& test, const RunOptions& options);

// The values asked for, of a graph whose inputs are fed by name, on the reference backend.
std::vector<Values> run_graph(const Graph& graph, const std::map<std::string, Values>& feeds, std::span<const ValueId> wanted);

// |a - b| / |b|; |a| where b is all zeros.
double distance(const Values& a, const Values& b);

}  // namespace fovea::testing
