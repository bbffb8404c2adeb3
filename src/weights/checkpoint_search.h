// Where the tensors of a network lie in what a checkpoint's pickle holds.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "weights/pickle.h"

namespace fovea::weights {

// Names and what they stand for, which need not be a tensor.
using Entries = std::vector<std::pair<std::string, ValueId>>;

// What a value is where a tensor was expected: "is a quantized tensor, ...", "is an object (Namespace), not a tensor".
std::string describe(const PickleValue& value);

class CheckpointSearch {
 public:
  explicit CheckpointSearch(const Unpickler& pickle) : pickle_(pickle) {}

  // A network is a dictionary of tensors, or a whole module, whose parameters and buffers are found in its state. Of those in the
  // checkpoint it is the one under `state_dict`, `model` and the like (nested too), the root itself, an averaged one (`state_dict_ema`,
  // `ema`, ...), one of self-distillation (`teacher`, `student`), or the largest under another name. Where there are several a line in
  // `notes` says which was taken. Throws Error(format) where there is none.
  Entries find(ValueId root, std::vector<std::string>& notes);
  // The one that is an entry of this name; empty where there is none.
  Entries find_named(ValueId root, std::string_view name);

 private:
  bool is_module(const PickleValue& value) const;
  bool holds_tensors(const PickleValue& value) const;
  std::vector<ValueId> pairs_of(const PickleValue& value) const;
  const PickleValue* network_in(ValueId id, int depth);
  const PickleValue* largest_below(const PickleValue& value, int depth);
  const PickleValue* named(ValueId id, std::string_view part, int depth);
  Entries entries_of(const PickleValue& network);
  void walk(const PickleValue& module, const std::string& prefix, int depth, Entries& entries);
  void work(size_t steps);
  [[noreturn]] void fail_without_tensors(const PickleValue& root) const;

  const Unpickler& pickle_;
  std::unordered_set<ValueId> seen_;  // by `named` and `largest_below`, so that no value is searched twice
  size_t work_ = 0;
};

}  // namespace fovea::weights
