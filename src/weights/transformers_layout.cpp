#include "weights/transformers_layout.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>

#include "base/error.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

// How the parts of one attention are called.
constexpr std::array<std::array<std::string_view, 3>, 2> kParts{{{".query.", ".key.", ".value."}, {".q_proj.", ".k_proj.", ".v_proj."}}};

Tensor stacked(const std::array<const Tensor*, 3>& parts) {
  std::vector<int64_t> shape = parts[0]->shape();
  for (const Tensor* part : parts)
    if (part->shape() != shape || part->dtype() != parts[0]->dtype() || shape.empty())
      fail(ErrorKind::mismatch, "query, key and value have the shapes {}, {} and {}", shape_string(parts[0]->shape()),
           shape_string(parts[1]->shape()), shape_string(parts[2]->shape()));
  shape[0] *= 3;
  Tensor result(parts[0]->dtype(), shape);
  auto* to = static_cast<std::byte*>(result.mutable_raw());
  for (const Tensor* part : parts) {
    if (part->bytes() > 0) std::memcpy(to, part->raw(), part->bytes());
    to += part->bytes();
  }
  return result;
}

// The rows from `begin` to `end` of the first dimension.
Tensor rows_of(const Tensor& tensor, int64_t begin, int64_t end) {
  std::vector<int64_t> shape = tensor.shape();
  const size_t row = tensor.bytes() / static_cast<size_t>(shape[0]);
  shape[0] = end - begin;
  Tensor result(tensor.dtype(), shape);
  std::memcpy(result.mutable_raw(), static_cast<const std::byte*>(tensor.raw()) + static_cast<size_t>(begin) * row, result.bytes());
  return result;
}

class Layout {
 public:
  explicit Layout(StateDict file) : file_(std::move(file)) {
    distilled_ = std::ranges::any_of(file_, [](const auto& named) { return named.name.ends_with("embeddings.distillation_token"); });
  }

  StateDict run() {
    if (std::ranges::none_of(file_, [&](const NamedTensor& named) { return part_of_attention(named) || pools(named); }))
      return std::move(file_);
    StateDict result;
    result.metadata = file_.metadata;
    result.unusable = file_.unusable;
    result.outside = file_.outside;
    result.notes = file_.notes;
    for (const NamedTensor& named : file_) in_context(printable(named.name), [&] { add(named, result); });
    return result;
  }

 private:
  struct Part {
    size_t place, at;  // which of the three, and where in the name
    const std::array<std::string_view, 3>* names;
  };

  // Only where all three are there. Convolutions of such names are those of another library's network.
  std::optional<Part> part_of_attention(const NamedTensor& named) const {
    const std::string& name = named.name;
    if (named.tensor.shape().size() > 2) return std::nullopt;
    for (const auto& names : kParts)
      for (size_t i = 0; i < names.size(); ++i) {
        const size_t at = name.rfind(names[i]);
        if (at == std::string::npos) continue;
        const Part part{i, at, &names};
        if (std::ranges::all_of(names, [&](std::string_view other) { return sibling(name, part, other); })) return part;
      }
    return std::nullopt;
  }

  const Tensor* sibling(const std::string& name, const Part& part, std::string_view other) const {
    return file_.find(std::string(name).replace(part.at, (*part.names)[part.place].size(), other));
  }

  static bool pools(const NamedTensor& named) {
    return (named.name.ends_with("head.attention.in_proj_weight") || named.name.ends_with("head.attention.in_proj_bias")) &&
           !named.tensor.shape().empty() && named.tensor.shape()[0] > 0 && named.tensor.shape()[0] % 3 == 0;
  }

  void add(const NamedTensor& named, StateDict& result) const {
    const std::string& name = named.name;
    if (const auto part = part_of_attention(named)) {
      if (part->place != 0) return;  // taken with its query
      const auto& names = *part->names;
      result.add(std::string(name).replace(part->at, names[0].size(), ".qkv."),
                 stacked({&named.tensor, sibling(name, *part, names[1]), sibling(name, *part, names[2])}));
    } else if (pools(named)) {
      const size_t at = name.rfind("in_proj_");
      const std::string before = name.substr(0, at), last = name.substr(at + std::string_view("in_proj_").size());
      const int64_t rows = named.tensor.shape()[0];
      result.add(before + "q." + last, rows_of(named.tensor, 0, rows / 3));
      result.add(before + "kv." + last, rows_of(named.tensor, rows / 3, rows));
    } else if (const Tensor* positions = positions_with_registers(name, "cls_token")) {
      result.add(name, sum(named.tensor, *positions));
    } else if (positions_with_registers(name, "position_embeddings")) {
      result.add(name, without_first(named.tensor));
    } else if (distilled_ && name.starts_with("classifier.")) {
      const Tensor zeros(DType::f32, named.tensor.shape());
      result.add("cls_" + name, sum(named.tensor, named.tensor));
      result.add("distillation_" + name, zeros);
    } else {
      result.add(name, named.tensor);
    }
  }

  // The table of positions that lies beside an entry called `last`, where there are registers, whose networks give the class token none.
  const Tensor* positions_with_registers(const std::string& name, std::string_view last) const {
    if (!name.ends_with("embeddings." + std::string(last))) return nullptr;
    const std::string place = name.substr(0, name.size() - last.size());
    const Tensor *positions = file_.find(place + "position_embeddings"), *token = file_.find(place + "cls_token");
    const bool usable = positions && token && file_.find(place + "register_tokens") && positions->shape().size() == 3 &&
                        positions->shape()[1] > 1 && token->shape() == std::vector<int64_t>{1, 1, positions->shape()[2]};
    return usable ? positions : nullptr;
  }

  static Tensor sum(const Tensor& one, const Tensor& other) {
    Tensor result(DType::f32, one.shape());
    const Tensor a = one.to(DType::f32), b = other.to(DType::f32);
    const auto out = result.mutable_values<float>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = a.values<float>()[i] + b.values<float>()[i];
    return result;
  }

  static Tensor without_first(const Tensor& positions) {
    const int64_t count = positions.shape()[1], width = positions.shape()[2];
    return rows_of(positions.reshaped({count, width}), 1, count).reshaped({1, count - 1, width});
  }

  StateDict file_;
  bool distilled_ = false;
};

}  // namespace

StateDict with_joined_attention(StateDict file) { return Layout(std::move(file)).run(); }

}  // namespace fovea::weights
