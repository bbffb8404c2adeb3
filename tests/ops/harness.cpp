#include "harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/reference/reference.h"
#include "base/error.h"
#include "base/float_formats.h"

namespace fovea::testing {
namespace {

constexpr size_t guard_bytes = 256;
constexpr auto sentinel = std::byte{0xC7};  // as a float or double: a large negative number, nothing that kernels compute

double load(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::f32:
      return *reinterpret_cast<const float*>(at);
    case DType::f64:
      return *reinterpret_cast<const double*>(at);
    case DType::bf16:
      return bfloat16_to_float(*reinterpret_cast<const uint16_t*>(at));
    case DType::i32:
      return *reinterpret_cast<const int32_t*>(at);
    case DType::i64:
      return static_cast<double>(*reinterpret_cast<const int64_t*>(at));
    default:
      ADD_FAILURE() << "no operand has type " << to_string(dtype);
      return 0;
  }
}

void store(DType dtype, std::byte* at, double value) {
  switch (dtype) {
    case DType::f32:
      *reinterpret_cast<float*>(at) = static_cast<float>(value);
      break;
    case DType::f64:
      *reinterpret_cast<double*>(at) = value;
      break;
    case DType::bf16:
      *reinterpret_cast<uint16_t*>(at) = float_to_bfloat16(static_cast<float>(value));
      break;
    case DType::i32:
      *reinterpret_cast<int32_t*>(at) = static_cast<int32_t>(value);
      break;
    case DType::i64:
      *reinterpret_cast<int64_t*>(at) = static_cast<int64_t>(value);
      break;
    default:
      ADD_FAILURE() << "no operand has type " << to_string(dtype);
  }
}

// What an output holds before a run: no kernel may leave or read it.
double poison(DType dtype) { return is_floating(dtype) ? std::numeric_limits<double>::quiet_NaN() : -77; }

}  // namespace

Type as(Type type, DType dtype) {
  if (is_floating(type.dtype)) type.dtype = dtype;
  return type;
}

Type as(const CaseInput& input, DType dtype) {
  if (dtype == DType::bf16 && (input.parameter || input.type.shape.rank() != Shape::max_rank)) return input.type;
  return as(input.type, dtype);
}

OpCase rounded_to_bf16(OpCase test) {
  for (CaseInput& input : test.inputs)
    if (as(input, DType::bf16).dtype == DType::bf16)
      for (double& value : input.values) value = bfloat16_to_float(float_to_bfloat16(static_cast<float>(value)));
  return test;
}

GuardedBuffer::GuardedBuffer(const Type& type, bool slice) : operand_(backend::Operand::dense(type)), bytes_(nullptr, std::free) {
  const bool sliced = slice && type.shape.rank() == 4;
  if (sliced) operand_.row_stride = type.shape.channels() + 5;
  const int64_t pixels = type.shape.rank() == 4 ? type.elements() / type.shape.channels() : 1;
  const int64_t row = type.shape.rank() == 4 ? operand_.row_stride : type.elements();
  start_ = guard_bytes + (sliced ? 3 * size_of(type.dtype) : 0);
  size_ = (start_ + static_cast<size_t>(pixels * row) * size_of(type.dtype) + guard_bytes + 63) / 64 * 64;
  bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(64, size_)));
  std::memset(bytes_.get(), static_cast<int>(sentinel), size_);
  write(Values(static_cast<size_t>(type.elements()), poison(type.dtype)));
}

size_t GuardedBuffer::offset_of(int64_t element) const {
  const Shape& shape = operand_.type.shape;
  int64_t place = element;
  if (shape.rank() == 4) {
    const int64_t w = element % shape[3], h = element / shape[3] % shape[2], c = element / (shape[3] * shape[2]) % shape[1];
    const int64_t n = element / (shape[3] * shape[2] * shape[1]);
    place = ((n * shape[2] + h) * shape[3] + w) * operand_.row_stride + c;
  }
  return static_cast<size_t>(place) * size_of(operand_.type.dtype);
}

void GuardedBuffer::write(const Values& values) {
  ASSERT_EQ(static_cast<int64_t>(values.size()), operand_.type.elements());
  for (size_t i = 0; i < values.size(); ++i)
    store(operand_.type.dtype, bytes_.get() + start_ + offset_of(static_cast<int64_t>(i)), values[i]);
}

Values GuardedBuffer::read() const {
  Values values(static_cast<size_t>(operand_.type.elements()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = load(operand_.type.dtype, bytes_.get() + start_ + offset_of(static_cast<int64_t>(i)));
  return values;
}

std::optional<std::string> GuardedBuffer::stray_write() const {
  std::vector<bool> owned(size_, false);
  for (int64_t i = 0; i < operand_.type.elements(); ++i) {
    const size_t at = start_ + offset_of(i);
    std::fill_n(owned.begin() + static_cast<ptrdiff_t>(at), size_of(operand_.type.dtype), true);
  }
  for (size_t i = 0; i < size_; ++i)
    if (!owned[i] && bytes_[i] != sentinel)
      return fmt::format("byte {} of {} was written", static_cast<int64_t>(i) - static_cast<int64_t>(start_), to_string(operand_.type));
  return std::nullopt;
}

bool GuardedBuffer::same_bytes(const GuardedBuffer& other) const {
  return size_ == other.size_ && std::memcmp(bytes_.get(), other.bytes_.get(), size_) == 0;
}

std::string describe(const RunOptions& options) {
  std::string text = to_string(options.dtype);
  if (options.slices) text += ", slices";
  if (options.constants) text += ", constants";
  if (options.alias) text += fmt::format(", input {} is output {}", options.alias->first, options.alias->second);
  if (options.unused) text += fmt::format(", output {} unused", *options.unused);
  return text;
}

namespace {

// One planned kernel with all its memory.
class BoundCase {
 public:
  BoundCase(const OpCase& test, const RunOptions& options) : test_(test), options_(options) {
    Types types;
    for (const CaseInput& input : test.inputs) {
      types.push_back(as(input, options.dtype));
      inputs_.push_back(std::make_unique<GuardedBuffer>(types.back(), options.slices && !input.parameter));
    }
    const Types results = with_dtype(test.op.infer(types));
    for (size_t o = 0; o < results.size(); ++o) {
      const bool dense = std::count(test.dense_outputs.begin(), test.dense_outputs.end(), o) > 0;
      outputs_.push_back(std::make_unique<GuardedBuffer>(results[o], options.slices && !dense));
    }
  }

  // False where the backend does not support it.
  bool plan(const backend::Backend& backend) {
    std::vector<backend::Operand> in, out;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      in.push_back(inputs_[i]->operand());
      in.back().constant = constant(i);
    }
    for (size_t o = 0; o < outputs_.size(); ++o) {
      out.push_back(outputs_[o]->operand());
      out.back().used = options_.unused != o;
    }
    try {
      kernel_ = backend.plan(test_.op, in, out);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unsupported) return false;
      throw;
    }
    workspace_ = std::make_unique<GuardedBuffer>(Type{DType::i32, {static_cast<int64_t>(kernel_->workspace_bytes() + 3) / 4}}, false);
    fill_inputs();
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const size_t bytes = constant(i) ? kernel_->packed_bytes(static_cast<int>(i)) : 0;
      packed_.push_back(bytes == 0 ? nullptr
                                   : std::make_unique<GuardedBuffer>(Type{DType::i32, {static_cast<int64_t>(bytes + 3) / 4}}, false));
      if (bytes > 0) kernel_->pack(static_cast<int>(i), inputs_[i]->data(), packed_[i]->data());
    }
    return true;
  }

  std::vector<Values> run() {
    fill_inputs();
    for (const auto& output : outputs_)
      output->write(Values(static_cast<size_t>(output->operand().type.elements()), poison(output->operand().type.dtype)));
    workspace_->write(Values(static_cast<size_t>(workspace_->operand().type.elements()), -1));  // NaN as float or double
    std::vector<void*> in, out;
    for (size_t i = 0; i < inputs_.size(); ++i) in.push_back(packed_[i] ? packed_[i]->data() : inputs_[i]->data());
    for (size_t o = 0; o < outputs_.size(); ++o) out.push_back(options_.unused == o ? nullptr : result(o).data());
    kernel_->bind(in, out, kernel_->workspace_bytes() > 0 ? workspace_->data() : nullptr);
    kernel_->run();
    check_memory();
    std::vector<Values> results;
    for (size_t o = 0; o < outputs_.size(); ++o) results.push_back(options_.unused == o ? Values{} : result(o).read());
    return results;
  }

  std::string kernel_name() const { return kernel_->describe(); }

 private:
  bool constant(size_t input) const { return options_.constants && test_.inputs[input].parameter; }
  // Constants name their type themselves.
  Types with_dtype(Types types) const {
    if (options_.dtype == DType::bf16) return types;
    for (Type& type : types) type = test_.inputs.empty() ? type : as(type, options_.dtype);
    return types;
  }
  GuardedBuffer& result(size_t output) {
    return options_.alias && options_.alias->second == output ? *inputs_[options_.alias->first] : *outputs_[output];
  }

  void fill_inputs() {
    for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i]->write(test_.inputs[i].values);
  }

  void check_memory() const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (const auto stray = inputs_[i]->stray_write()) ADD_FAILURE() << "input " << i << ": " << *stray;
      const bool overwritten = options_.alias && options_.alias->first == i;
      EXPECT_TRUE(overwritten || inputs_[i]->read() == test_.inputs[i].values) << "input " << i << " was changed";
      if (packed_[i])
        if (const auto stray = packed_[i]->stray_write()) ADD_FAILURE() << "packed input " << i << ": " << *stray;
    }
    for (size_t o = 0; o < outputs_.size(); ++o)
      if (const auto stray = outputs_[o]->stray_write()) ADD_FAILURE() << "output " << o << ": " << *stray;
    if (const auto stray = workspace_->stray_write()) ADD_FAILURE() << "workspace: " << *stray;
  }

  const OpCase& test_;
  const RunOptions& options_;
  std::vector<std::unique_ptr<GuardedBuffer>> inputs_, outputs_, packed_;
  std::unique_ptr<GuardedBuffer> workspace_;
  std::unique_ptr<backend::Kernel> kernel_;
};

}  // namespace

std::optional<std::vector<Values>> run_case(const backend::Backend& backend, const OpCase& test, const RunOptions& options) {
  BoundCase bound(test, options);
  if (!bound.plan(backend)) return std::nullopt;
  SCOPED_TRACE(fmt::format("{} on {} ({}), {}", test.name, backend.name(), bound.kernel_name(), describe(options)));
  const std::vector<Values> first = bound.run(), second = bound.run();
  for (size_t o = 0; o < first.size(); ++o)
    for (size_t i = 0; i < first[o].size(); ++i)
      if (std::memcmp(&first[o][i], &second[o][i], sizeof(double)) != 0) {
        ADD_FAILURE() << "output " << o << " element " << i << " was " << first[o][i] << ", run again " << second[o][i];
        break;
      }
  return first;
}

std::vector<Values> run_graph(const Graph& graph, const std::map<std::string, Values>& feeds, std::span<const ValueId> wanted) {
  std::vector<std::unique_ptr<GuardedBuffer>> buffers;
  for (const ValueInfo& value : graph.values()) buffers.push_back(std::make_unique<GuardedBuffer>(value.type, false));
  for (const NamedValue& input : graph.inputs()) buffers[input.value.index]->write(feeds.at(input.name));
  for (const NodeInfo& node : graph.nodes()) {
    std::vector<backend::Operand> in, out;
    std::vector<void*> in_data, out_data;
    for (ValueId id : node.inputs) {
      in.push_back(buffers[id.index]->operand());
      in_data.push_back(buffers[id.index]->data());
    }
    for (ValueId id : node.outputs) {
      out.push_back(buffers[id.index]->operand());
      out_data.push_back(buffers[id.index]->data());
    }
    const auto kernel = reference::reference_backend().plan(node.op, in, out);
    std::vector<double> workspace((kernel->workspace_bytes() + 7) / 8);
    kernel->bind(in_data, out_data, workspace.data());
    kernel->run();
  }
  std::vector<Values> results;
  for (ValueId id : wanted) results.push_back(buffers[id.index]->read());
  return results;
}

double distance(const Values& a, const Values& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return std::numeric_limits<double>::infinity();
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

}  // namespace fovea::testing
