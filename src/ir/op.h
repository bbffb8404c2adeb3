// An operation: a plain struct of attributes with up to four functions, held behind one immutable, cheaply copied handle.
//
//   struct Conv2d {
//     static constexpr std::string_view kName = "conv2d";
//     Size2 stride{1, 1};
//     template <class Self, class Visit> static void fields(Self& self, Visit&& visit) { visit("stride", self.stride); }
//   };
//   Types infer(const Conv2d&, std::span<const Type> inputs);                                    // throws a sentence with both values
//   Cost cost(const Conv2d&, std::span<const Type> inputs, std::span<const Type> outputs);       // optional; default: bytes only
//   void gradient(const Conv2d&, GradientContext&);                                              // optional; default: no gradient
//   bool overwrites(const Conv2d&, int input, int output);                                       // optional; see Op::overwrites
//   bool stays_float(const Conv2d&, int output);                                                 // optional; see Op::infer
//
// Printing, parsing and equality all follow from `fields`.
#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>

#include "ir/fields.h"
#include "ir/types.h"

namespace fovea {

class GradientContext;

struct Cost {
  int64_t multiply_adds = 0;
  int64_t bytes = 0;  // read and written, each operand once
};

Cost bytes_only(std::span<const Type> inputs, std::span<const Type> outputs);

// Calls by argument-dependent lookup; apart from class Op, whose members would hide them.
namespace op_detail {
template <class T>
Types call_infer(const T& op, std::span<const Type> inputs) {
  return infer(op, inputs);
}
template <class T>
concept HasCost = requires(const T& op, std::span<const Type> types) {
  { cost(op, types, types) } -> std::same_as<Cost>;
};
template <class T>
Cost call_cost(const T& op, std::span<const Type> inputs, std::span<const Type> outputs) {
  return cost(op, inputs, outputs);
}
template <class T>
concept HasGradient = requires(const T& op, GradientContext& context) {
  gradient(op, context);
};
template <class T>
void call_gradient(const T& op, GradientContext& context) {
  gradient(op, context);
}
template <class T>
concept HasOverwrites = requires(const T& op) {
  { overwrites(op, 0, 0) } -> std::same_as<bool>;
};
template <class T>
bool call_overwrites(const T& op, int input, int output) {
  return overwrites(op, input, output);
}
template <class T>
concept HasStaysFloat = requires(const T& op) {
  { stays_float(op, 0) } -> std::same_as<bool>;
};
template <class T>
bool call_stays_float(const T& op, int output) {
  return stays_float(op, output);
}
}  // namespace op_detail

class Op {
 public:
  template <class T>
  requires requires { T::kName; }
  Op(T attributes) : self_(std::make_shared<Holder<T>>(std::move(attributes))) {}  // implicit: an op is written where an Op is wanted

  std::string_view name() const { return self_->name(); }
  // The attributes, or null where this is another operation.
  template <class T>
  const T* as() const {
    return self_->type() == typeid(T) ? &static_cast<const Holder<T>*>(self_.get())->attributes_ : nullptr;
  }
  // Operands of f32 and bf16 may meet, and an operation's own rule sees them all as f32: results are bf16 where an operand is, but those
  // that `stays_float` names, statistics and what parameters take, are f32 all the same.
  Types infer(std::span<const Type> inputs) const { return self_->infer(inputs); }
  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const { return self_->cost(inputs, outputs); }
  bool has_gradient() const { return self_->has_gradient(); }
  void gradient(GradientContext& context) const { self_->gradient(context); }
  // Whether every kernel of this operation may be given the same memory for this input and this output.
  bool overwrites(int input, int output) const { return self_->overwrites(input, output); }
  // "stride=2,2 groups=1": the attributes in the order of `fields`.
  std::string attributes() const { return self_->attributes(); }
  bool operator==(const Op& other) const { return name() == other.name() && attributes() == other.attributes(); }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual std::string_view name() const = 0;
    virtual const std::type_info& type() const = 0;
    virtual Types infer(std::span<const Type>) const = 0;
    virtual Cost cost(std::span<const Type>, std::span<const Type>) const = 0;
    virtual bool has_gradient() const = 0;
    virtual void gradient(GradientContext&) const = 0;
    virtual bool overwrites(int, int) const = 0;
    virtual std::string attributes() const = 0;
  };

  template <class T>
  struct Holder final : Concept {
    explicit Holder(T attributes) : attributes_(std::move(attributes)) {}
    std::string_view name() const override { return T::kName; }
    const std::type_info& type() const override { return typeid(T); }
    Types infer(std::span<const Type> inputs) const override {
      if (!any_bf16(inputs)) return op_detail::call_infer(attributes_, inputs);
      Types results = op_detail::call_infer(attributes_, widened(inputs));
      for (size_t k = 0; k < results.size(); ++k)
        if (results[k].dtype == DType::f32 && !result_stays_float(static_cast<int>(k))) results[k].dtype = DType::bf16;
      return results;
    }
    Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
      if constexpr (op_detail::HasCost<T>) return op_detail::call_cost(attributes_, inputs, outputs);
      return bytes_only(inputs, outputs);
    }
    bool has_gradient() const override { return op_detail::HasGradient<T>; }
    void gradient(GradientContext& context) const override {
      if constexpr (op_detail::HasGradient<T>) op_detail::call_gradient(attributes_, context);
    }
    bool overwrites(int input, int output) const override {
      if constexpr (op_detail::HasOverwrites<T>) return op_detail::call_overwrites(attributes_, input, output);
      return false;
    }
    std::string attributes() const override { return print_fields(attributes_); }
    bool result_stays_float(int output) const {
      if constexpr (op_detail::HasStaysFloat<T>) return op_detail::call_stays_float(attributes_, output);
      return false;
    }
    T attributes_;
  };

  std::shared_ptr<const Concept> self_;
};

}  // namespace fovea
