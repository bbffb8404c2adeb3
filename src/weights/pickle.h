// Python's pickle, read as data: a closed list of operations. It builds values and can call nothing: what a pickle would make by a function
// or a class that is not in pickle_globals.cpp becomes an object of which only the entries and the state that the pickle itself gives it
// are kept.
#pragma once

#include <fovea/tensor.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weights/float8.h"

namespace fovea::weights {

using ValueId = uint32_t;
struct PickleGlobal;
enum class PickleFunction : uint8_t;

enum class PickleKind : uint8_t { none, boolean, integer, big_integer, text, tuple, list, dict, global, storage, tensor, opaque };
const char* to_string(PickleKind kind);

struct PickleValue {
  PickleKind kind = PickleKind::none;
  // boolean, integer; storage, tensor: the index into its list; opaque: the value that is its state, counted from 1, or 0 where it has none
  int64_t number = 0;
  std::string_view text;                 // text; big_integer: little-endian two's complement bytes; global, opaque: the name alone
  const PickleGlobal* global = nullptr;  // global: null for a name that is not in the list
  std::vector<ValueId> items;            // tuple, list; dict, opaque: key, value, key, value, ...
};

// What the elements of a storage are. No dtype where fovea has none (complex numbers, say): an error only once such a tensor is wanted.
struct ElementType {
  const char* name;
  std::optional<DType> dtype;
  int64_t bytes;                 // in the file
  Float8 float8 = Float8::none;  // which of them become f32
};

// A run of elements that tensors look into. Where it lies in the file is the container's business.
struct PickledStorage {
  std::string_view key;
  const ElementType* type = nullptr;
  int64_t elements = 0;  // of the whole storage under this key
  int64_t view_first = 0, view_elements = 0;
};

struct PickledTensor {
  size_t storage = 0;
  const ElementType* type = nullptr;
  int64_t first = 0;  // element of the storage's view
  std::vector<int64_t> shape, strides;
};

class Unpickler {
 public:
  explicit Unpickler(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // Reads one pickle from `position()` to its STOP. Throws Error(format) that names the byte for everything that is not a weights file's.
  ValueId read();
  size_t position() const { return position_; }

  const PickleValue& value(ValueId id) const { return values_[id]; }
  size_t storage_count() const { return storages_.size(); }
  const PickledStorage& storage(size_t index) const { return storages_[index]; }
  const PickledTensor& tensor(size_t index) const { return tensors_[index]; }
  // The value under a text key of a dictionary or of an object's entries, the last one where there are several.
  std::optional<ValueId> find(const PickleValue& dict, std::string_view key) const;
  // An attribute of an object, as its state has it.
  std::optional<ValueId> attribute(const PickleValue& object, std::string_view name) const;

 private:
  template <class T>
  T little_endian();
  std::string_view take(uint64_t count);
  std::string_view take_line();
  ValueId make(PickleKind kind, int64_t number = 0, std::string_view text = {});
  void push(ValueId id) { stack_.push_back(id); }
  ValueId pop();
  ValueId& top();
  size_t pop_mark();
  std::vector<ValueId> pop_to_mark();

  bool step();  // false after STOP
  bool step_literal(uint8_t operation);
  bool step_container(uint8_t operation);
  bool step_memo(uint8_t operation);
  void push_long(uint64_t bytes);
  void push_tuple(size_t count);
  void append(std::vector<ValueId> items);
  void set_items(std::vector<ValueId> items);
  void extend(PickleValue& container, std::span<const ValueId> items);
  void push_global(std::string_view module, std::string_view name);
  void reduce();
  void make_object(size_t arguments);
  void build();
  void load_persistent();
  ValueId call(const PickleValue& function, const PickleValue& arguments);
  ValueId opaque(std::string_view name) { return make(PickleKind::opaque, 0, name); }
  ValueId rebuild_tensor(const PickleValue& arguments, bool typed);
  ValueId rebuild_from_type(const PickleValue& arguments);
  ValueId make_set(const PickleValue& arguments);
  ValueId make_dict(const PickleValue& arguments);
  int64_t integer(ValueId id, const char* what) const;
  std::vector<int64_t> integers(ValueId id, const char* what) const;
  const PickleValue& argument(const PickleValue& arguments, size_t i, PickleKind kind, const char* what) const;
  [[noreturn]] void damaged(std::string_view what) const;

  std::span<const std::byte> bytes_;
  size_t position_ = 0, operation_at_ = 0;
  size_t items_held_ = 0;
  std::deque<PickleValue> values_;
  std::vector<ValueId> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, ValueId> memo_;
  std::vector<PickledStorage> storages_;
  std::vector<PickledTensor> tensors_;
};

}  // namespace fovea::weights
