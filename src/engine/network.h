// A network with its weights: a registered variant, its classes, its preprocessing and the store that every executable of it shares.
#pragma once

#include <fovea/preprocess.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/seen_pictures.h"
#include "engine/packed_weights.h"
#include "engine/state_store.h"
#include "models/registry.h"
#include "weights/load.h"
#include "weights/state_dict.h"

namespace fovea::engine {

// What, beside the variant, decides which parameters a network has.
struct NetworkForm {
  std::vector<std::string> classes = {};  // one name an output; empty: as many unnamed ones as the published head has, which may be none
  HeadOptions head = {};
  int64_t channels = 3;   // of the pictures
  bool headless = false;  // it ends with its features, though the published one has a head
  Size2 native = {0, 0};  // the size that parameters shaped by it (position embeddings) belong to; 0: the variant's own
};

// The name of the weight of the convolution that reads the pictures; it may be standardized on the way.
std::string first_convolution(const ModelGraph& model);
// Where weights of the variant have their linear head.
weights::HeadPlace head_place(const models::Variant& variant);

// Whether a class of several is told: its probability, the sigmoid of the logit, is not below the threshold.
bool is_told(float logit, double threshold);

struct HeadLayer {
  std::vector<float> weight, bias;
};

class Network {
 public:
  // Weights as the library starts them, from the seed; without one they are zero, to be loaded.
  Network(const models::Variant& variant, NetworkForm form, Preprocessing preprocessing, std::optional<uint64_t> seed);

  // The same with a store of its own.
  std::shared_ptr<Network> clone() const;

  const models::Variant& variant() const { return *variant_; }
  const NetworkForm& form() const { return form_; }
  const std::vector<std::string>& classes() const { return form_.classes; }
  int64_t class_count() const { return static_cast<int64_t>(form_.classes.size()); }
  int64_t channels() const { return form_.channels; }
  // Of independent classes: from which probability on the answer is yes; 0.5 where none were given. Empty for others.
  std::vector<double> thresholds() const;
  const std::vector<double>& given_thresholds() const { return thresholds_; }
  // Throws Error(usage) for another number, for one that is not above 0 and below 1, and for classes that exclude each other; none: as new.
  void set_thresholds(std::vector<double> thresholds);
  const Preprocessing& preprocessing() const { return preprocessing_; }
  void set_preprocessing(const Preprocessing& preprocessing) { preprocessing_ = preprocessing; }
  // Which pictures its weights come from; null: nobody knows.
  const std::shared_ptr<const SeenPictures>& seen() const { return seen_; }
  void set_seen(std::shared_ptr<const SeenPictures> seen) { seen_ = std::move(seen); }
  const std::shared_ptr<StateStore>& store() const { return store_; }
  // Shared by all sessions.
  const std::shared_ptr<PackedWeights>& packed_weights() const { return packed_weights_; }
  // What maps lie in memory as: f32 or bf16. Graphs are built in f32; whoever lowers one passes it through passes::set_precision.
  DType precision() const { return precision_; }
  void set_precision(DType precision) { precision_ = precision; }

  // The graph for a batch and size of its own; 0: those of the preprocessing.
  ModelGraph build(int64_t batch, int64_t height = 0, int64_t width = 0) const;

  // A new head of as many outputs, started as the family's library starts one. Where the old head is of the same kind and width and
  // a class is already known by name, its inner layers are kept and its last layer's rows for such classes, if `keep_known` says so
  // (numbers in place of names say nothing).
  void replace_head(std::vector<std::string> classes, const HeadOptions& head, uint64_t seed, bool keep_known = true);
  // The probability of dropout before the head, in training, in place of the family's.
  void set_dropout(double probability) { form_.head.dropout = probability; }
  // Names of the head's parameters and buffers, in the library's order: "fc.weight", "fc.bias".
  std::vector<std::string> head_states() const;
  // The first layer of the head as one that reads all of its input, [outputs, inputs] and [outputs]: two heads whose answers are averaged
  // are one layer of both vectors side by side.
  HeadLayer head_layer() const;
  void set_head_layer(const HeadLayer& layer);
  // The head as it starts, every class alike where it is linear.
  void restart_head(uint64_t seed);

  // Takes weights by name; the first convolution's and position embeddings are brought to this network's channels and size where the file
  // has others. What begins with one of `without` stays as it is. Throws Error(mismatch) for what does not fit.
  weights::LoadReport load(const weights::StateDict& file, std::vector<std::string> without = {});
  // Everything in the library's order and shape, num_batches_tracked included.
  weights::StateDict state_dict() const;

  // Parameters that do not train: "none", "all" (all but the head), everything up to and including a tap, or those that a pattern of
  // fnmatch(3) names, or that lie below a layer; several of these with commas between. Throws Error(usage) with the nearest names and the
  // taps for what names nothing, or where nothing is left to train.
  std::set<std::string> frozen_by(const std::string& freeze) const;

  int64_t parameter_count() const;

  // Writes the model file (weights/model_file.h) of the network with these tensors, all of `state_dict`.
  void save(const std::filesystem::path& path, weights::StateDict tensors, std::vector<double> thresholds) const;

 private:
  bool has_two_heads() const { return form_.head.kind == HeadKind::linear && !variant_->second_head.empty(); }
  void freeze_part(const ModelGraph& model, const std::vector<std::string>& parameters, const std::string& part,
                   std::set<std::string>& frozen) const;

  const models::Variant* variant_;
  NetworkForm form_;
  Preprocessing preprocessing_;
  std::vector<double> thresholds_;
  DType precision_ = DType::f32;
  std::shared_ptr<const SeenPictures> seen_;
  std::shared_ptr<StateStore> store_;
  std::shared_ptr<PackedWeights> packed_weights_ = std::make_shared<PackedWeights>();
};

}  // namespace fovea::engine
