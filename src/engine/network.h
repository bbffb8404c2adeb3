// A network with its weights: a registered variant, its classes, its preprocessing and the store that every executable of it shares.
#pragma once

#include <fovea/preprocess.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/state_store.h"
#include "models/registry.h"
#include "weights/load.h"
#include "weights/state_dict.h"

namespace fovea::engine {

class Network {
 public:
  // Weights as the library starts them, from the seed; without one they are zero, to be loaded. `classes` name the head's outputs (empty:
  // 1000 unnamed ones).
  Network(const models::Variant& variant, std::vector<std::string> classes, Preprocessing preprocessing, std::optional<uint64_t> seed,
          int64_t channels = 3);

  const models::Variant& variant() const { return *variant_; }
  const std::vector<std::string>& classes() const { return classes_; }
  int64_t class_count() const { return static_cast<int64_t>(classes_.size()); }
  int64_t channels() const { return channels_; }
  const Preprocessing& preprocessing() const { return preprocessing_; }
  void set_preprocessing(const Preprocessing& preprocessing) { preprocessing_ = preprocessing; }
  const std::shared_ptr<StateStore>& store() const { return store_; }

  // The graph for a batch and size of its own; 0: those of the preprocessing.
  ModelGraph build(int64_t batch, int64_t height = 0, int64_t width = 0) const;

  // A new head of as many outputs, started as the family's library starts one. Its rows for classes already known, by name, are kept where
  // `keep_known` says so (numbers in place of names say nothing).
  void replace_head(std::vector<std::string> classes, uint64_t seed, bool keep_known = true);
  // Names of the head's parameters: "fc.weight", "fc.bias".
  std::vector<std::string> head_parameters() const;

  // Takes weights by name. `with_head`: false leaves the head as it is. Throws Error(mismatch) for what does not fit.
  weights::LoadReport load(const weights::StateDict& file, bool with_head = true);
  // Everything in the library's order and shape, num_batches_tracked included.
  weights::StateDict state_dict() const;

  // Parameters that do not train: everything up to and including a tap, "none" or "all" (all but the head). Throws Error(usage) that lists
  // the taps.
  std::set<std::string> frozen_by(const std::string& freeze) const;

  int64_t parameter_count() const;

 private:
  const models::Variant* variant_;
  std::vector<std::string> classes_;
  int64_t channels_ = 3;
  Preprocessing preprocessing_;
  std::shared_ptr<StateStore> store_;
};

}  // namespace fovea::engine
