#include "cpu/op_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/float_formats.h"
#include "base/random.h"

namespace fovea::test {
namespace {

constexpr size_t kGuardBytes = size_t{1} << 16;
constexpr unsigned char kCanary = 0xA5;

// 64-byte aligned memory with guards on both sides, filled with the canary.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t bytes) : bytes_(bytes), storage_(bytes + 2 * kGuardBytes + 64, kCanary) {
    auto address = reinterpret_cast<uintptr_t>(storage_.data()) + kGuardBytes;
    data_ = reinterpret_cast<unsigned char*>((address + 63) / 64 * 64);
  }
  void* data() { return data_; }
  size_t bytes() const { return bytes_; }
  bool guards_intact() const {
    const auto intact = [](const unsigned char* p) {
      return std::all_of(p, p + kGuardBytes - 64, [](unsigned char c) { return c == kCanary; });
    };
    return intact(data_ - kGuardBytes + 64) && intact(data_ + bytes_);
  }

 private:
  size_t bytes_;
  std::vector<unsigned char> storage_;
  unsigned char* data_;
};

bool contains(const std::vector<int>& list, int item) { return std::find(list.begin(), list.end(), item) != list.end(); }

struct Geometry {
  int64_t rows, channels, stride;
};
Geometry geometry(const backend::Operand& operand) {
  const Shape& shape = operand.type.shape;
  if (shape.rank() != 4) return {1, shape.elements(), shape.elements()};
  return {shape.batch() * shape.height() * shape.width(), shape.channels(), operand.row_stride};
}
size_t memory_bytes(const backend::Operand& operand) {
  const Geometry g = geometry(operand);
  return static_cast<size_t>(g.rows * g.stride) * size_of(operand.type.dtype);
}

template <class Visit>
void for_elements(const backend::Operand& operand, const Visit& visit) {
  const Geometry g = geometry(operand);
  for (int64_t row = 0; row < g.rows; ++row)
    for (int64_t c = 0; c < g.channels; ++c) visit(static_cast<size_t>(row * g.channels + c), static_cast<size_t>(row * g.stride + c));
}

void store(const Array& from, const backend::Operand& operand, void* to) {
  for_elements(operand, [&](size_t dense, size_t placed) {
    const double value = from.values[dense];
    switch (operand.type.dtype) {
      case DType::f32:
        static_cast<float*>(to)[placed] = static_cast<float>(value);
        break;
      case DType::f64:
        static_cast<double*>(to)[placed] = value;
        break;
      case DType::i64:
        static_cast<int64_t*>(to)[placed] = static_cast<int64_t>(value);
        break;
      case DType::i32:
        static_cast<int32_t*>(to)[placed] = static_cast<int32_t>(value);
        break;
      case DType::bf16:
        static_cast<uint16_t*>(to)[placed] = float_to_bfloat16(static_cast<float>(value));
        break;
      default:
        FAIL() << "no test memory of this type";
    }
  });
}

Array fetch(const void* from, const backend::Operand& operand) {
  Array array{operand.type, std::vector<double>(static_cast<size_t>(operand.type.elements()))};
  for_elements(operand, [&](size_t dense, size_t placed) {
    double& value = array.values[dense];
    switch (operand.type.dtype) {
      case DType::f32:
        value = static_cast<const float*>(from)[placed];
        break;
      case DType::f64:
        value = static_cast<const double*>(from)[placed];
        break;
      case DType::i64:
        value = static_cast<double>(static_cast<const int64_t*>(from)[placed]);
        break;
      case DType::i32:
        value = static_cast<const int32_t*>(from)[placed];
        break;
      case DType::bf16:
        value = bfloat16_to_float(static_cast<const uint16_t*>(from)[placed]);
        break;
      default:
        ADD_FAILURE() << "no test memory of this type";
    }
  });
  return array;
}

void expect_gaps_intact(const void* memory, const backend::Operand& operand, const std::string& what) {
  const Geometry g = geometry(operand);
  const size_t element = size_of(operand.type.dtype);
  for (int64_t row = 0; row < g.rows; ++row)
    for (size_t at = static_cast<size_t>(row * g.stride + g.channels) * element; at < static_cast<size_t>((row + 1) * g.stride) * element;
         ++at)
      if (static_cast<const unsigned char*>(memory)[at] != kCanary) {
        ADD_FAILURE() << what << ": written between rows, after row " << row;
        return;
      }
}

class Execution {
 public:
  Execution(const backend::Backend& backend, const Op& op, const std::vector<Array>& inputs, DType number, const CheckOptions& options)
      : options_(options), arrays_(inputs) {
    Types types;
    const auto typed = [number](Type type) { return Type{is_floating(type.dtype) ? number : type.dtype, type.shape}; };
    for (const Array& input : inputs) types.push_back(typed(input.type));
    for (int input : options.bf16_inputs) types[static_cast<size_t>(input)].dtype = DType::bf16;
    for (size_t i = 0; i < types.size(); ++i) inputs_.push_back(operand(types[i], static_cast<int>(i)));
    const Types results = op.infer(types);
    for (size_t i = 0; i < results.size(); ++i) {
      outputs_.push_back(operand(results[i], 100 + static_cast<int>(i)));
      outputs_.back().used = !contains(options.unused_outputs, static_cast<int>(i));
    }
    for (const auto& [input, output] : options.aliases)
      outputs_[static_cast<size_t>(output)].row_stride = inputs_[static_cast<size_t>(input)].row_stride;
    kernel_ = backend.plan(op, inputs_, outputs_);
    allocate();
  }

  std::vector<Array> run() {
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (packed_[i] == nullptr) store(arrays_[i], inputs_[i], input_memory_[i]->data());
    kernel_->run();
    std::vector<Array> results;
    for (size_t i = 0; i < outputs_.size(); ++i)
      results.push_back(outputs_[i].used ? fetch(output_pointers_[i], outputs_[i]) : Array{outputs_[i].type, {}});
    return results;
  }

  void expect_intact(const std::string& name) {
    for (size_t i = 0; i < outputs_.size(); ++i)
      if (outputs_[i].used) expect_gaps_intact(output_pointers_[i], outputs_[i], name + ", result " + std::to_string(i));
    for (const auto& memory : {&input_memory_, &output_memory_, &packed_})
      for (const auto& one : *memory) EXPECT_TRUE(!one || one->guards_intact()) << name << ": written outside an operand";
    EXPECT_TRUE(workspace_->guards_intact()) << name << ": written outside the workspace";
  }
  const backend::Kernel& kernel() const { return *kernel_; }

 private:
  backend::Operand operand(const Type& type, int index) const {
    backend::Operand operand = backend::Operand::dense(type);
    if (type.shape.rank() == 4 && !contains(options_.dense_operands, index)) operand.row_stride += options_.extra_stride;
    operand.constant = contains(options_.constant_inputs, index);
    return operand;
  }

  void allocate() {
    std::vector<void*> inputs;
    packed_.resize(inputs_.size());
    for (size_t i = 0; i < inputs_.size(); ++i) {
      input_memory_.push_back(std::make_unique<GuardedMemory>(memory_bytes(inputs_[i])));
      inputs.push_back(input_memory_[i]->data());
      if (const size_t bytes = kernel_->packed_bytes(static_cast<int>(i)); bytes > 0) {
        EXPECT_TRUE(inputs_[i].constant) << "input " << i << " is not constant and yet packed";
        packed_[i] = std::make_unique<GuardedMemory>(bytes);
        store(arrays_[i], inputs_[i], inputs[i]);
        kernel_->pack(static_cast<int>(i), inputs[i], packed_[i]->data());
        inputs[i] = packed_[i]->data();
      }
    }
    for (const backend::Operand& output : outputs_) {
      output_memory_.push_back(std::make_unique<GuardedMemory>(memory_bytes(output)));
      output_pointers_.push_back(output.used ? output_memory_.back()->data() : nullptr);
    }
    for (const auto& [input, output] : options_.aliases) output_pointers_[static_cast<size_t>(output)] = inputs[static_cast<size_t>(input)];
    workspace_ = std::make_unique<GuardedMemory>(kernel_->workspace_bytes());
    kernel_->bind(inputs, output_pointers_, workspace_->bytes() > 0 ? workspace_->data() : nullptr);
  }

  CheckOptions options_;
  std::vector<Array> arrays_;
  std::vector<backend::Operand> inputs_, outputs_;
  std::unique_ptr<backend::Kernel> kernel_;
  std::vector<std::unique_ptr<GuardedMemory>> input_memory_, output_memory_, packed_;
  std::vector<void*> output_pointers_;
  std::unique_ptr<GuardedMemory> workspace_;
};

double distance(const Array& found, const Array& wanted) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < wanted.values.size(); ++i) {
    if (std::isnan(found.values[i]) && std::isnan(wanted.values[i])) continue;
    difference += (found.values[i] - wanted.values[i]) * (found.values[i] - wanted.values[i]);
    norm += wanted.values[i] * wanted.values[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), 1e-30);
}

}  // namespace

Array random_array(Shape shape, uint64_t seed, double scale, double shift) {
  const RandomStream random(seed, "test");
  Array array{{DType::f32, shape}, std::vector<double>(static_cast<size_t>(shape.elements()))};
  for (size_t i = 0; i < array.values.size(); ++i) array.values[i] = static_cast<float>(shift + scale * random.normal(i));
  return array;
}
Array rounded_to_bf16(Array array) {
  for (double& value : array.values) value = bfloat16_to_float(float_to_bfloat16(static_cast<float>(value)));
  return array;
}
Array scalar_f32(double value) { return {{DType::f32, Shape{}}, {static_cast<double>(static_cast<float>(value))}}; }
Array scalar_i64(int64_t value) { return {{DType::i64, Shape{}}, {static_cast<double>(value)}}; }

Outcome check_op(const Op& op, const std::vector<Array>& inputs, const CheckOptions& options) {
  CheckOptions plain;
  plain.unused_outputs = options.unused_outputs;
  Execution oracle(reference::reference_backend(), op, inputs, DType::f64, plain);
  Execution tested(cpu::cpu_backend(), op, inputs, DType::f32, options);
  Outcome outcome{tested.run(), oracle.run(), tested.kernel().describe()};
  const std::string name = std::string(op.name()) + " " + op.attributes() + " (" + outcome.kernel + ")";
  const std::vector<Array> again = tested.run();
  for (size_t i = 0; i < outcome.results.size(); ++i) {
    if (outcome.results[i].values.empty()) continue;
    EXPECT_LE(distance(outcome.results[i], outcome.wanted[i]), options.tolerance) << name << ", result " << i;
    EXPECT_EQ(0, std::memcmp(outcome.results[i].values.data(), again[i].values.data(), again[i].values.size() * sizeof(double)))
        << name << ", result " << i << ": a second run gives other bits";
  }
  tested.expect_intact(name);
  return outcome;
}

}  // namespace fovea::test
