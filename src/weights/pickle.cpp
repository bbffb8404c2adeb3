#include "weights/pickle.h"

#include <cstring>

#include "base/error.h"
#include "weights/pickle_globals.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

// A checkpoint of a thousand tensors with its optimizer has some 50000 values; this bounds what a hostile one can cost to about 60 MB.
constexpr size_t kMostValues = 1 << 20;
constexpr size_t kMostItems = 4 << 20;

// Operation codes, by their names in Python's pickletools.
enum Operation : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersonalId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyList = ']',
  kEmptyTuple = ')',
  kEmptyDict = '}',
  kProtocol = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8A,
  kLong4 = 0x8B,
  kNewObject = 0x81,
  kNewObjectEx = 0x92,
  kByteArray8 = 0x96,
  kShortBinUnicode = 0x8C,
  kBinUnicode8 = 0x8D,
  kBinBytes8 = 0x8E,
  kEmptySet = 0x8F,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

}  // namespace

const char* to_string(PickleKind kind) {
  switch (kind) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return "a boolean";
    case PickleKind::integer:
    case PickleKind::big_integer:
      return "an integer";
    case PickleKind::text:
      return "a text";
    case PickleKind::tuple:
      return "a tuple";
    case PickleKind::list:
      return "a list";
    case PickleKind::dict:
      return "a dictionary";
    case PickleKind::global:
      return "a name";
    case PickleKind::storage:
      return "a storage";
    case PickleKind::tensor:
      return "a tensor";
    case PickleKind::opaque:
      return "an object";
  }
  return "?";
}

void Unpickler::damaged(std::string_view what) const {
  fail(ErrorKind::format, "the pickle is damaged at byte {}: {}", operation_at_, what);
}

std::string_view Unpickler::take(uint64_t count) {
  if (count > bytes_.size() - position_) {
    fail(ErrorKind::format, "the pickle is truncated: {} bytes wanted at byte {}, the file ends at {}", count, position_, bytes_.size());
  }
  const std::string_view result(reinterpret_cast<const char*>(bytes_.data()) + position_, count);
  position_ += count;
  return result;
}

std::string_view Unpickler::take_line() {
  const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_, bytes_.size() - position_);
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) fail(ErrorKind::format, "the pickle is truncated: a name at byte {} has no end", position_);
  position_ += end + 1;
  return rest.substr(0, end);
}

template <class T>
T Unpickler::little_endian() {
  T result;
  std::memcpy(&result, take(sizeof(T)).data(), sizeof(T));
  return result;
}

ValueId Unpickler::make(PickleKind kind, int64_t number, std::string_view text) {
  if (values_.size() >= kMostValues) fail(ErrorKind::format, "the pickle holds more than {} values, which no checkpoint does", kMostValues);
  values_.push_back({kind, number, text, nullptr, {}});
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Unpickler::pop() {
  const ValueId id = top();
  stack_.pop_back();
  return id;
}

ValueId& Unpickler::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged("it takes from an empty stack");
  return stack_.back();
}

size_t Unpickler::pop_mark() {
  if (marks_.empty()) damaged("a mark is missing");
  const size_t mark = marks_.back();
  marks_.pop_back();
  return mark;
}

std::vector<ValueId> Unpickler::pop_to_mark() {
  const size_t mark = pop_mark();
  std::vector<ValueId> items(stack_.begin() + static_cast<ptrdiff_t>(mark), stack_.end());
  stack_.resize(mark);
  return items;
}

ValueId Unpickler::read() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (step()) {
  }
  return pop();
}

bool Unpickler::step() {
  operation_at_ = position_;
  const auto operation = little_endian<uint8_t>();
  if (operation == kStop) return false;
  if (step_literal(operation) || step_container(operation) || step_memo(operation)) return true;
  switch (operation) {
    case kProtocol:
      if (const auto protocol = little_endian<uint8_t>(); protocol > 5) damaged(fmt::format("protocol {} is not known", protocol));
      break;
    case kFrame:
      little_endian<uint64_t>();
      break;  // a hint for reading ahead
    case kGlobal: {
      const std::string_view module = take_line();
      push_global(module, take_line());
      break;
    }
    case kStackGlobal: {
      const PickleValue &name = value(pop()), &module = value(pop());
      if (name.kind != PickleKind::text || module.kind != PickleKind::text) damaged("a name is not a text");
      push_global(module.text, name.text);
      break;
    }
    case kReduce:
      reduce();
      break;
    case kNewObject:
      make_object(1);
      break;
    case kNewObjectEx:
      make_object(2);
      break;
    case kBuild:
      build();
      break;
    case kBinPersonalId:
      load_persistent();
      break;
    default:
      damaged(fmt::format("operation 0x{:02x} is not one that a weights file uses", operation));
  }
  return true;
}

bool Unpickler::step_literal(uint8_t operation) {
  const auto text = [&](uint64_t count) { push(make(PickleKind::text, 0, take(count))); };
  const auto integer = [&](int64_t number) { push(make(PickleKind::integer, number)); };
  switch (operation) {
    case kNone:
      push(make(PickleKind::none));
      return true;
    case kNewTrue:
      push(make(PickleKind::boolean, 1));
      return true;
    case kNewFalse:
      push(make(PickleKind::boolean, 0));
      return true;
    case kBinInt:
      integer(little_endian<int32_t>());
      return true;
    case kBinInt1:
      integer(little_endian<uint8_t>());
      return true;
    case kBinInt2:
      integer(little_endian<uint16_t>());
      return true;
    case kLong1:
      push_long(little_endian<uint8_t>());
      return true;
    case kLong4:
      push_long(little_endian<uint32_t>());
      return true;
    case kBinFloat:
      take(8);
      push(make(PickleKind::opaque));
      return true;
    case kShortBinString:
    case kShortBinUnicode:
    case kShortBinBytes:
      text(little_endian<uint8_t>());
      return true;
    case kBinString:
    case kBinUnicode:
    case kBinBytes:
      text(little_endian<uint32_t>());
      return true;
    case kBinUnicode8:
    case kBinBytes8:
    case kByteArray8:
      text(little_endian<uint64_t>());
      return true;
    default:
      return false;
  }
}

bool Unpickler::step_container(uint8_t operation) {
  switch (operation) {
    case kMark:
      marks_.push_back(stack_.size());
      return true;
    case kEmptyTuple:
      push(make(PickleKind::tuple));
      return true;
    case kEmptyList:
    case kEmptySet:
      push(make(PickleKind::list));
      return true;
    case kEmptyDict:
      push(make(PickleKind::dict));
      return true;
    case kTuple1:
      push_tuple(1);
      return true;
    case kTuple2:
      push_tuple(2);
      return true;
    case kTuple3:
      push_tuple(3);
      return true;
    case kTuple:
      push_tuple(stack_.size() - (marks_.empty() ? 0 : marks_.back()));
      pop_mark();
      return true;
    case kList:
    case kFrozenSet: {
      std::vector<ValueId> items = pop_to_mark();
      push(make(PickleKind::list));
      append(std::move(items));
      return true;
    }
    case kDict: {
      std::vector<ValueId> items = pop_to_mark();
      push(make(PickleKind::dict));
      set_items(std::move(items));
      return true;
    }
    case kAppend:
      append({pop()});
      return true;
    case kAppends:
    case kAddItems:
      append(pop_to_mark());
      return true;
    case kSetItem: {
      const ValueId item = pop(), key = pop();
      set_items({key, item});
      return true;
    }
    case kSetItems:
      set_items(pop_to_mark());
      return true;
    case kPop:
      pop();
      return true;
    case kPopMark:
      pop_to_mark();
      return true;
    default:
      return false;
  }
}

bool Unpickler::step_memo(uint8_t operation) {
  const auto put = [&](uint32_t slot) { memo_[slot] = top(); };
  const auto get = [&](uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) damaged(fmt::format("memo {} was never written", slot));
    push(found->second);
  };
  switch (operation) {
    case kBinPut:
      put(little_endian<uint8_t>());
      return true;
    case kLongBinPut:
      put(little_endian<uint32_t>());
      return true;
    case kMemoize:
      put(static_cast<uint32_t>(memo_.size()));
      return true;
    case kBinGet:
      get(little_endian<uint8_t>());
      return true;
    case kLongBinGet:
      get(little_endian<uint32_t>());
      return true;
    default:
      return false;
  }
}

void Unpickler::push_long(uint64_t bytes) {
  const std::string_view text = take(bytes);
  if (bytes > 8) return push(make(PickleKind::big_integer, 0, text));
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; ++i) number |= static_cast<uint64_t>(static_cast<uint8_t>(text[i])) << (8 * i);
  if (bytes > 0 && bytes < 8 && (text[bytes - 1] & 0x80)) number |= ~uint64_t{0} << (8 * bytes);
  push(make(PickleKind::integer, static_cast<int64_t>(number)));
}

void Unpickler::push_tuple(size_t count) {
  if (count > stack_.size() - (marks_.empty() ? 0 : marks_.back())) damaged("a tuple takes more than the stack has");
  const ValueId id = make(PickleKind::tuple);
  extend(values_[id], std::span(stack_).last(count));
  stack_.resize(stack_.size() - count);
  push(id);
}

void Unpickler::append(std::vector<ValueId> items) {
  PickleValue& list = values_[top()];
  if (list.kind == PickleKind::opaque) return;  // an object's own list holds no weights
  if (list.kind != PickleKind::list) damaged(fmt::format("it appends to {}", to_string(list.kind)));
  extend(list, items);
}

// A memo lets a few bytes name a long list again and again, so what all containers hold together is bounded too.
void Unpickler::extend(PickleValue& container, std::span<const ValueId> items) {
  items_held_ += items.size();
  if (items_held_ > kMostItems)
    fail(ErrorKind::format, "the pickle's containers hold more than {} items, which no checkpoint's do", kMostItems);
  container.items.insert(container.items.end(), items.begin(), items.end());
}

void Unpickler::set_items(std::vector<ValueId> items) {
  PickleValue& dict = values_[top()];
  if (dict.kind != PickleKind::dict && dict.kind != PickleKind::opaque) damaged(fmt::format("it sets an item of {}", to_string(dict.kind)));
  if (items.size() % 2 != 0) damaged("a key of a dictionary has no value");
  extend(dict, items);
}

void Unpickler::push_global(std::string_view module, std::string_view name) {
  const ValueId id = make(PickleKind::global, 0, name);
  values_[id].global = find_pickle_global(module, name);
  push(id);
}

void Unpickler::reduce() {
  const ValueId arguments = pop(), function = pop();
  if (value(arguments).kind != PickleKind::tuple) damaged(fmt::format("a call's arguments are {}", to_string(value(arguments).kind)));
  push(call(value(function), value(arguments)));
}

// An object of a class, made without a call: CLASS ARGUMENTS [NAMED ARGUMENTS]. A dictionary's own class may be written so too.
void Unpickler::make_object(size_t arguments) {
  for (size_t i = 0; i < arguments; ++i) pop();
  const PickleValue& type = value(pop());
  if (type.kind != PickleKind::global && type.kind != PickleKind::opaque)
    damaged(fmt::format("it makes an object of {}", to_string(type.kind)));
  const bool dictionary = type.global && type.global->function == PickleFunction::dict;
  push(dictionary ? make(PickleKind::dict) : opaque(type.text));
}

ValueId Unpickler::call(const PickleValue& function, const PickleValue& arguments) {
  if (function.kind != PickleKind::global && function.kind != PickleKind::opaque)
    damaged(fmt::format("it calls {}", to_string(function.kind)));
  if (!function.global) return opaque(function.text);
  switch (function.global->function) {
    case PickleFunction::dict:
      return make_dict(arguments);
    case PickleFunction::set:
      return make_set(arguments);
    case PickleFunction::value:
      return opaque(function.text);
    case PickleFunction::rebuild_from_type:
      return rebuild_from_type(arguments);
    case PickleFunction::size:
      if (arguments.items.size() != 1 || value(arguments.items[0]).kind != PickleKind::tuple) damaged("torch.Size is not given one tuple");
      return arguments.items[0];
    case PickleFunction::parameter:
      if (arguments.items.empty()) damaged("a parameter has no tensor");
      if (value(arguments.items[0]).kind != PickleKind::opaque) argument(arguments, 0, PickleKind::tensor, "a parameter's tensor");
      return arguments.items[0];
    case PickleFunction::tensor:
      return rebuild_tensor(arguments, false);
    case PickleFunction::tensor_typed:
      return rebuild_tensor(arguments, true);
    case PickleFunction::untyped_storage:
    case PickleFunction::element_type:
      damaged("it calls a type");
  }
  damaged("it calls an unknown function");
}

ValueId Unpickler::make_dict(const PickleValue& arguments) {
  const ValueId id = make(PickleKind::dict);
  if (arguments.items.empty()) return id;
  const PickleValue& given = value(arguments.items[0]);
  if (given.kind == PickleKind::dict) return arguments.items[0];
  if (given.kind != PickleKind::list && given.kind != PickleKind::tuple) damaged("a dictionary is made of something else than pairs");
  for (ValueId pair_id : given.items) {  // as Python 2 writes them
    const PickleValue& pair = value(pair_id);
    if ((pair.kind != PickleKind::list && pair.kind != PickleKind::tuple) || pair.items.size() != 2) {
      damaged("a dictionary is made of something else than pairs");
    }
    extend(values_[id], pair.items);
  }
  return id;
}

ValueId Unpickler::make_set(const PickleValue& arguments) {
  if (arguments.items.empty()) return make(PickleKind::list);
  const PickleKind given = value(arguments.items[0]).kind;
  if (given != PickleKind::list && given != PickleKind::tuple) damaged(fmt::format("a set is made of {}", to_string(given)));
  return arguments.items[0];
}

// _rebuild_from_type_v2(function, type, arguments, state): a tensor with attributes of its own.
ValueId Unpickler::rebuild_from_type(const PickleValue& arguments) {
  const PickleValue& function = argument(arguments, 0, PickleKind::global, "what rebuilds a tensor");
  const PickleValue& given = argument(arguments, 2, PickleKind::tuple, "what a tensor is rebuilt from");
  const bool known =
      function.global && (function.global->function == PickleFunction::tensor || function.global->function == PickleFunction::tensor_typed);
  return known ? call(function, given) : opaque(function.text);
}

// State of a dictionary (its `_metadata`: version numbers of modules) or of a parameter carries no weights.
void Unpickler::build() {
  const ValueId state = pop();
  PickleValue& object = values_[top()];
  if (object.kind == PickleKind::opaque)
    object.number = int64_t{state} + 1;
  else if (object.kind != PickleKind::dict && object.kind != PickleKind::tensor)
    damaged(fmt::format("it sets attributes of {}", to_string(object.kind)));
}

const PickleValue& Unpickler::argument(const PickleValue& arguments, size_t i, PickleKind kind, const char* what) const {
  if (i >= arguments.items.size()) damaged(fmt::format("{} is missing", what));
  const PickleValue& result = value(arguments.items[i]);
  if (result.kind != kind) damaged(fmt::format("{} is {} and not {}", what, to_string(result.kind), to_string(kind)));
  return result;
}

int64_t Unpickler::integer(ValueId id, const char* what) const {
  const PickleValue& number = value(id);
  if (number.kind != PickleKind::integer || number.number < 0) {
    const std::string found = number.kind == PickleKind::integer ? fmt::format("{}", number.number) : to_string(number.kind);
    damaged(fmt::format("{} is {} and not a count", what, found));
  }
  return number.number;
}

std::vector<int64_t> Unpickler::integers(ValueId id, const char* what) const {
  const PickleValue& list = value(id);
  if (list.kind != PickleKind::tuple && list.kind != PickleKind::list) damaged(fmt::format("{} is {}", what, to_string(list.kind)));
  if (list.items.size() > kMostDimensions)
    damaged(fmt::format("{} has {} dimensions, at most {} are read", what, list.items.size(), kMostDimensions));
  std::vector<int64_t> result;
  for (ValueId item : list.items) result.push_back(integer(item, what));
  return result;
}

// _rebuild_tensor(storage, first, shape, strides), _v2 and _v3 with (requires_grad, hooks[, dtype], metadata) behind.
ValueId Unpickler::rebuild_tensor(const PickleValue& arguments, bool typed) {
  if (!arguments.items.empty() && value(arguments.items[0]).kind == PickleKind::opaque) return opaque(value(arguments.items[0]).text);
  const PickleValue& storage = argument(arguments, 0, PickleKind::storage, "a tensor's storage");
  if (arguments.items.size() < 4) damaged("a tensor has no shape");
  PickledTensor tensor;
  tensor.storage = static_cast<size_t>(storage.number);
  tensor.type = storages_[tensor.storage].type;
  tensor.first = integer(arguments.items[1], "a tensor's offset");
  tensor.shape = integers(arguments.items[2], "a tensor's shape");
  tensor.strides = integers(arguments.items[3], "a tensor's strides");
  if (tensor.shape.size() != tensor.strides.size()) {
    damaged(fmt::format("a tensor has {} dimensions and {} strides", tensor.shape.size(), tensor.strides.size()));
  }
  if (typed) {
    const PickleValue& type = argument(arguments, 6, PickleKind::global, "a tensor's type");
    if (!type.global) return opaque(type.text);
    if (type.global->function != PickleFunction::element_type) damaged("a tensor's type is not one");
    tensor.type = type.global->type;
  }
  tensors_.push_back(std::move(tensor));
  return make(PickleKind::tensor, static_cast<int64_t>(tensors_.size() - 1));
}

// ("storage", type, key, device, elements[, view]), view = None or (key, first element, elements).
void Unpickler::load_persistent() {
  const PickleValue& id = value(pop());
  if (id.kind != PickleKind::tuple) damaged("a storage's identity is not a tuple of five");
  const std::string_view kind = argument(id, 0, PickleKind::text, "a storage's kind").text;
  if (kind == "module" && id.items.size() > 1) return push(id.items[1]);  // old files: the class of a whole module, with its source behind
  if (id.items.size() < 5) damaged("a storage's identity is not a tuple of five");
  if (kind != "storage") damaged("it refers to something else than a storage");
  const PickleValue& named = argument(id, 1, PickleKind::global, "a storage's type");
  if (!named.global) return push(opaque(named.text));
  const PickleGlobal& type = *named.global;
  PickledStorage storage;
  storage.type = type.function == PickleFunction::untyped_storage ? &kUntypedBytes : type.type;
  if (!storage.type) damaged("a storage's type is not one");
  storage.key = argument(id, 2, PickleKind::text, "a storage's key").text;
  storage.elements = storage.view_elements = integer(id.items[4], "a storage's size");
  if (id.items.size() > 5 && value(id.items[5]).kind != PickleKind::none) {
    const PickleValue& view = argument(id, 5, PickleKind::tuple, "a storage's view");
    if (view.items.size() != 3) damaged("a storage's view is not a tuple of three");
    storage.view_first = integer(view.items[1], "a view's offset");
    storage.view_elements = integer(view.items[2], "a view's size");
    if (storage.view_first > storage.elements || storage.view_elements > storage.elements - storage.view_first) {
      damaged(
          fmt::format("a view of {} elements at {} leaves its storage of {}", storage.view_elements, storage.view_first, storage.elements));
    }
  }
  storages_.push_back(storage);
  push(make(PickleKind::storage, static_cast<int64_t>(storages_.size() - 1)));
}

std::optional<ValueId> Unpickler::find(const PickleValue& dict, std::string_view key) const {
  if (dict.kind != PickleKind::dict && dict.kind != PickleKind::opaque) return std::nullopt;
  for (size_t i = dict.items.size(); i >= 2; i -= 2) {
    const PickleValue& candidate = value(dict.items[i - 2]);
    if (candidate.kind == PickleKind::text && candidate.text == key) return dict.items[i - 1];
  }
  return std::nullopt;
}

// A state is a dictionary, or a pair of it and of one of slots.
std::optional<ValueId> Unpickler::attribute(const PickleValue& object, std::string_view name) const {
  if (object.kind != PickleKind::opaque || object.number == 0) return std::nullopt;
  const PickleValue& state = value(static_cast<ValueId>(object.number - 1));
  if (state.kind == PickleKind::tuple && state.items.size() == 2) return find(value(state.items[0]), name);
  return find(state, name);
}

}  // namespace fovea::weights
