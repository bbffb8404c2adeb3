#include "weights/checkpoint_search.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

constexpr int kDeepest = 4;
constexpr int kDeepestModule = 64;  // of modules in modules
constexpr size_t kLongestPrefix = 512;
// Entries that are looked at: a memo lets a few bytes hold the same dictionary or module again and again.
constexpr size_t kMostWork = size_t{1} << 23;

constexpr std::array kPlain = {"state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params"};
constexpr std::array kElse = {"state_dict_ema", "ema_state_dict", "model_ema", "ema_model", "params_ema", "ema", "teacher", "student"};

// What training keeps beside a network, in tensors too.
bool is_training_state(std::string_view key) {
  constexpr std::array<std::string_view, 5> kBeginnings = {"optim", "scheduler", "lr_scheduler", "scaler", "amp"};
  return std::ranges::any_of(kBeginnings, [&](std::string_view beginning) { return key.starts_with(beginning); });
}

}  // namespace

std::string describe(const PickleValue& value) {
  if (value.kind != PickleKind::opaque) return fmt::format("is {}, not a tensor", to_string(value.kind));
  if (value.text == "_rebuild_qtensor") return "is a quantized tensor, which fovea does not know";
  if (value.text.starts_with("_rebuild_sparse")) return "is a sparse tensor, which fovea does not know";
  if (value.text == "_reconstruct") return "is a NumPy array, not a tensor";
  if (value.text.empty()) return "is a number, not a tensor";
  return fmt::format("is an object ({}), not a tensor", printable(value.text));
}

void CheckpointSearch::work(size_t steps) {
  work_ += steps + 1;
  if (work_ > kMostWork) fail(ErrorKind::format, "its dictionaries and modules hold one another too often");
}

// Key, value, key, value, ...: the entries of a dictionary or of an object like one, then an object's attributes.
std::vector<ValueId> CheckpointSearch::pairs_of(const PickleValue& value) const {
  if (value.kind != PickleKind::dict && value.kind != PickleKind::opaque) return {};
  std::vector<ValueId> pairs = value.items;
  if (value.kind != PickleKind::opaque || value.number == 0) return pairs;
  const PickleValue* state = &pickle_.value(static_cast<ValueId>(value.number - 1));
  if (state->kind == PickleKind::tuple && state->items.size() == 2) state = &pickle_.value(state->items[0]);
  if (state->kind == PickleKind::dict) pairs.insert(pairs.end(), state->items.begin(), state->items.end());
  return pairs;
}

bool CheckpointSearch::is_module(const PickleValue& value) const {
  return pickle_.attribute(value, "_parameters") && pickle_.attribute(value, "_modules");
}

bool CheckpointSearch::holds_tensors(const PickleValue& value) const {
  if (value.kind != PickleKind::dict && value.kind != PickleKind::opaque) return false;
  for (size_t i = 1; i < value.items.size(); i += 2)
    if (pickle_.value(value.items[i]).kind == PickleKind::tensor) return true;
  return false;
}

const PickleValue* CheckpointSearch::network_in(ValueId id, int depth) {
  const PickleValue& root = pickle_.value(id);
  if (depth == 0) return nullptr;
  work(pairs_of(root).size());
  if (is_module(root)) return &root;
  const auto below = [&](const auto& keys) -> const PickleValue* {
    for (const char* key : keys) {
      auto entry = pickle_.find(root, key);
      if (!entry) entry = pickle_.attribute(root, key);
      const PickleValue* found = entry ? network_in(*entry, depth - 1) : nullptr;
      if (found) return found;
    }
    return nullptr;
  };
  if (const PickleValue* found = below(kPlain)) return found;
  if (holds_tensors(root)) return &root;
  return below(kElse);
}

const PickleValue* CheckpointSearch::largest_below(const PickleValue& value, int depth) {
  const PickleValue* largest = nullptr;
  size_t most = 0;
  const std::vector<ValueId> pairs = pairs_of(value);
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const PickleValue& key = pickle_.value(pairs[i]);
    if (key.kind != PickleKind::text || is_training_state(key.text) || !seen_.insert(pairs[i + 1]).second) continue;
    const PickleValue* found = network_in(pairs[i + 1], depth);
    if (!found && depth > 1) found = largest_below(pickle_.value(pairs[i + 1]), depth - 1);
    const size_t size = found ? (is_module(*found) ? entries_of(*found).size() : found->items.size() / 2) : 0;
    if (size <= most) continue;
    largest = found;
    most = size;
  }
  return largest;
}

const PickleValue* CheckpointSearch::named(ValueId id, std::string_view part, int depth) {
  const std::vector<ValueId> pairs = pairs_of(pickle_.value(id));
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const PickleValue& key = pickle_.value(pairs[i]);
    if (key.kind != PickleKind::text || key.text != part) continue;
    if (const PickleValue* found = network_in(pairs[i + 1], kDeepest)) return found;
    if (const PickleValue* found = largest_below(pickle_.value(pairs[i + 1]), kDeepest)) return found;
  }
  for (size_t i = 1; i < pairs.size() && depth > 1; i += 2) {
    if (!seen_.insert(pairs[i]).second) continue;
    if (const PickleValue* found = named(pairs[i], part, depth - 1)) return found;
  }
  return nullptr;
}

Entries CheckpointSearch::entries_of(const PickleValue& network) {
  Entries entries;
  if (is_module(network)) {
    walk(network, "", kDeepestModule, entries);
    return entries;
  }
  for (size_t i = 0; i + 1 < network.items.size(); i += 2) {
    const PickleValue& key = pickle_.value(network.items[i]);
    if (key.kind == PickleKind::text) entries.emplace_back(key.text, network.items[i + 1]);
  }
  return entries;
}

// As torch.nn.Module.state_dict() goes: parameters, buffers that are not marked as passing, then the modules inside.
void CheckpointSearch::walk(const PickleValue& module, const std::string& prefix, int depth, Entries& entries) {
  if (depth == 0) fail(ErrorKind::format, "its modules lie more than {} deep", kDeepestModule);
  work(pairs_of(module).size());
  if (prefix.size() > kLongestPrefix) fail(ErrorKind::format, "the name of a module, {}, is too long", in_quotes(prefix));
  std::unordered_set<std::string_view> passing;
  if (const auto names = pickle_.attribute(module, "_non_persistent_buffers_set"))
    for (ValueId name : pickle_.value(*names).items) {
      work(1);
      passing.insert(pickle_.value(name).text);
    }
  const auto each = [&](const char* attribute, auto&& take) {
    const auto found = pickle_.attribute(module, attribute);
    const PickleValue* dict = found ? &pickle_.value(*found) : nullptr;
    if (!dict || (dict->kind != PickleKind::dict && dict->kind != PickleKind::opaque)) return;
    for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
      work(1);
      const PickleValue& key = pickle_.value(dict->items[i]);
      if (key.kind == PickleKind::text && pickle_.value(dict->items[i + 1]).kind != PickleKind::none) take(key.text, dict->items[i + 1]);
    }
  };
  const auto take = [&](std::string_view name, ValueId id) {
    if (!passing.contains(name)) entries.emplace_back(prefix + std::string(name), id);
  };
  each("_parameters", take);
  each("_buffers", take);
  each("_modules", [&](std::string_view name, ValueId id) {
    const PickleValue& inner = pickle_.value(id);
    if (is_module(inner)) walk(inner, prefix + std::string(name) + ".", depth - 1, entries);
  });
}

void CheckpointSearch::fail_without_tensors(const PickleValue& root) const {
  const std::vector<ValueId> pairs = pairs_of(root);
  if (root.kind != PickleKind::dict && pairs.empty()) {
    const std::string name = root.kind == PickleKind::opaque && !root.text.empty() ? fmt::format(" ({})", printable(root.text)) : "";
    fail(ErrorKind::format, "holds {}{}, not a state dict", to_string(root.kind), name);
  }
  std::string keys;
  for (size_t i = 0; i < pairs.size() && i < 16; i += 2) {
    const PickleValue& key = pickle_.value(pairs[i]);
    keys += (keys.empty() ? "" : ", ") + (key.kind == PickleKind::text ? in_quotes(key.text) : std::string(to_string(key.kind)));
  }
  fail(ErrorKind::format, "holds no state dict; its entries are {}", keys.empty() ? "none" : keys);
}

Entries CheckpointSearch::find_named(ValueId root, std::string_view name) {
  const PickleValue* found = named(root, name, kDeepest);
  seen_.clear();
  return found ? entries_of(*found) : Entries();
}

Entries CheckpointSearch::find(ValueId root, std::vector<std::string>& notes) {
  const PickleValue& whole = pickle_.value(root);
  const PickleValue* network = network_in(root, kDeepest);
  if (!network) network = largest_below(whole, kDeepest);
  if (!network) fail_without_tensors(whole);

  // The networks that lie side by side in the root, where the one that was found is among them.
  std::vector<std::string> others;
  std::string taken;
  const std::vector<ValueId> pairs = pairs_of(whole);
  constexpr size_t kMostLooked = 200;
  for (size_t i = 0; network != &whole && i + 1 < std::min(pairs.size(), kMostLooked); i += 2) {
    const PickleValue& key = pickle_.value(pairs[i]);
    if (key.kind != PickleKind::text || is_training_state(key.text)) continue;
    const PickleValue* found = network_in(pairs[i + 1], kDeepest - 1);
    if (found == network)
      taken = in_quotes(key.text);
    else if (found)
      others.push_back(in_quotes(key.text));
  }
  if (!taken.empty() && !others.empty())
    notes.push_back(
        fmt::format("holds {} beside {}: the weights under {} are taken (FILE#NAME takes others)", fmt::join(others, ", "), taken, taken));
  return entries_of(*network);
}

}  // namespace fovea::weights
