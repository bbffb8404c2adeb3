// A network with weights: predict, take features, replace the head, save.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fovea/api.h>
#include <fovea/error.h>
#include <fovea/head.h>
#include <fovea/image.h>
#include <fovea/predictor.h>
#include <fovea/preprocess.h>
#include <fovea/tensor.h>

namespace fovea {

struct LoadOptions {
  std::string weights = "default";  // "default": the published ones, fetched into the cache; a tag of theirs ("IMAGENET1K_V1"); "none"; or
                                    // a file, of several networks in one "FILE#teacher"
  uint64_t seed = 0;                // for weights that start new
  // What maps lie in memory as: "f32" or "bf16", half as large and on processors made for it faster. Weights, statistics, sums, and what
  // goes in and comes out stay f32. Where a short measurement says that bf16 is slower, f32 is kept (LoadSummary::precision_note).
  std::string dtype = "f32";
  // Of the pictures; 0: the model's own, 3 for published weights. The first layer's weights are brought to another number as timm does it:
  // summed for 1, else repeated and scaled. Pictures go into networks of as many channels and, made grey, of 1.
  // A file whose first layer has another number makes a network of that number.
  int64_t channels = 0;
  // Called while published weights are fetched; the total is 0 while it is not known.
  std::function<void(int64_t bytes_done, int64_t bytes_total)> progress = {};
};

struct TapInfo {
  std::string name;
  int64_t channels = 0;
  double stride = 0;           // input pixels from one position to the next
  std::vector<int64_t> shape;  // [channels, height, width] at the size asked for
  // Of a transformer's tokens, whose map is their grid: all of them are "NAME:tokens" [tokens, channels], and where there is a class token
  // it comes first and is "NAME:class_token" [channels]. 0 for other networks.
  int64_t tokens = 0;
  bool class_token = false;
};

// What loading did, by parameter name.
struct LoadSummary {
  int64_t loaded = 0;
  std::vector<std::string> missing, unexpected;  // missing: not in the file, or of no use there; it starts new
  std::vector<std::string> reshaped;             // "NAME [10,512] -> [10,512,1,1]"
  std::vector<std::string> notes;                // what a user should know of how the weights were found and fitted: one line each
  std::string source;                            // the file, or "none"
  std::string weights_note;                      // how many of the weights are no numbers (NaN, infinity), and which; empty: none
  std::string precision_note;                    // why f32 is kept where bf16 was asked for; empty: what was asked for is there
};

// Copies share one network. Const calls may come from several threads at once: they take turns, each uses all cores (Predictor is for many
// callers). The others, and training, must have the model and its copies to themselves; what a const call refers to lasts until then.
// Predictors made before are no part of that: other threads may call, copy and end them all the while.
class FOVEA_API Model {
 public:
  // A registered name ("resnet50", see model_names), also with the tag of timm's weights ("resnet50.a1_in1k"); a model file that training
  // wrote, or the folder of a run, for its model; a folder of a hub, timm's or the transformers library's (config.json beside the weights),
  // also as "local-dir:FOLDER", or "hf-hub:OWNER/NAME[@REVISION]", which is fetched. A weights
  // file for a registered name may have a head of another width than the published one (then its classes are called "0", "1", ...) or none
  // (then the model gives features until it has been given a head) and may itself be a model file. Throws Error: usage for an unknown name
  // (with the nearest), io or format for a file that cannot be read, mismatch for weights of another network, unsupported for another
  // dtype.
  static Model load(const std::string& name_or_file, const LoadOptions& options = {});
  ~Model();
  Model(const Model&);
  Model(Model&&) noexcept;
  Model& operator=(const Model&);
  Model& operator=(Model&&) noexcept;

  // A model with weights of its own: whatever becomes of the one, the other stays as it is.
  Model clone() const;

  // What is referred to lasts as the model does; a temporary gives copies. A model that was moved from throws Error(usage), here and in all
  // other functions.
  const std::string& name() const&;  // the architecture's
  std::string name() const&& { return name(); }
  const std::vector<std::string>& classes() const&;  // one name an output
  std::vector<std::string> classes() const&& { return classes(); }
  const Preprocessing& preprocessing() const&;
  Preprocessing preprocessing() const&& { return preprocessing(); }
  void set_preprocessing(const Preprocessing& preprocessing);
  const LoadSummary& loaded() const&;
  LoadSummary loaded() const&& { return loaded(); }
  int64_t parameter_count() const;  // that can train
  int64_t feature_width() const;    // of the vector that `embed` gives
  int64_t channels() const;         // of the pictures
  std::string dtype() const;        // "f32" or "bf16", see LoadOptions::dtype
  const HeadOptions& head() const&;
  HeadOptions head() const&& { return head(); }
  // Of classes that do not exclude each other: the probability from which on the answer to each is yes. Training chooses them on the
  // validation pictures (TrainResult::thresholds); they are saved with the model, predictions and evaluations go by them. 0.5 each where
  // nothing else was set, and empty for classes that exclude each other. Throws Error(usage) for another number of them, for one that is
  // not above 0 and below 1, and for a model of classes that exclude each other.
  std::vector<double> thresholds() const;
  void set_thresholds(const std::vector<double>& thresholds);

  // A new head for these classes, or for `count` unnamed ones, started as the family's library starts it; rows of classes known by name are
  // kept where the head was of this kind and width before. Throws Error(usage) for no class at all or the same one twice.
  void replace_head(const std::vector<std::string>& classes, uint64_t seed = 0, const HeadOptions& head = {});
  void replace_head(int64_t count, uint64_t seed = 0, const HeadOptions& head = {});
  // For training: what stays as it is. "none", "all" (all but the head), a tap (everything up to and including it), a pattern of parameter
  // names ("*.bn*"; "layer1.0" is all below it), several of these with commas between, or "auto" (by the number of pictures). Throws
  // Error(usage) with the nearest names and the taps for what names nothing, or where nothing is left to train.
  void freeze(const std::string& what);
  const std::string& frozen() const&;
  std::string frozen() const&& { return frozen(); }

  // The most probable classes, best first. Of several pictures each gets what it alone would be answered, bit for bit.
  std::vector<ClassProbability> predict(const Image& image, int64_t top = 5) const;
  std::vector<ClassProbability> predict(const std::string& file, int64_t top = 5) const;
  std::vector<std::vector<ClassProbability>> predict(std::span<const Image> images, int64_t top = 5) const;
  // Probabilities of prepared pictures f32 [N, channels, H, W] (see preprocess): [N, classes], those of `predict`, with their mirror images
  // averaged in where the preprocessing says so. A model that averages over two shapes of a picture (fits_of) takes the pictures in both
  // (see preprocess_views): with one alone its answer would be another, which is an Error(usage), as is another number of shapes.
  Tensor probabilities(const Tensor& images) const;
  Tensor probabilities(std::span<const Tensor> shapes) const;
  // The network's plain outputs, nothing averaged.
  Tensor logits(const Tensor& images) const;

  // The feature vector that the network's own head reads ("pre_logits"): [feature_width] of one picture, [N, feature_width] of prepared
  // ones.
  Tensor embed(const Image& image) const;
  Tensor embed(const std::string& file) const;
  Tensor embed(std::span<const Image> images) const;
  Tensor embed(const Tensor& images) const;
  // Outputs by name; runs only the part of the network that they need. Maps are [N, channels, height, width], vectors [N, width], tokens
  // [N, tokens, channels]. Names: a tap (of a transformer: the grid of its patches; "TAP:tokens" and "TAP:class_token" for the tokens
  // themselves), "last_map", "pooled" (the mean of the last map, or the class token), "pre_logits", "logits", and any layer by its
  // parameters' path
  // ("layer1.0.conv2"; what follows it is "layer1.0.bn2:relu" and the like) or any block ("layer1.0"). Throws Error(usage) with the nearest
  // names for an unknown one.
  std::map<std::string, Tensor> features(const Tensor& images, const std::vector<std::string>& taps) const;
  std::map<std::string, Tensor> features(const Image& image, const std::vector<std::string>& taps) const;
  // "last_map" is what a network gives before pooling: its last map, of a transformer all tokens. What comes behind it, alone: the
  // "logits", "pre_logits" or "pooled" [N, width] of last maps. Throws Error(usage) for a map that the network does not have, naming both
  // shapes.
  Tensor behind_last_map(const Tensor& map, const std::string& output = "logits") const;
  std::vector<TapInfo> taps() const;  // at the size of the preprocessing
  std::vector<TapInfo> taps(int64_t height, int64_t width) const;

  // The model as it is now, for any number of callers at the same time; it stays as it is when the model changes. Throws Error(usage) for
  // fewer than 0 threads a call.
  Predictor predictor(const PredictorOptions& options = {}) const;

  // Parameters and buffers under the library's names and shapes.
  std::map<std::string, Tensor> state_dict() const;
  void load_state_dict(const std::map<std::string, Tensor>& state);

  // One .safetensors with weights, architecture, classes and preprocessing: Model::load reads it back, load_state_dict(strict=True) takes
  // it.
  void save(const std::string& path) const;

  class Implementation;
  Implementation& implementation() const;  // for fovea's own use

 private:
  explicit Model(std::shared_ptr<Implementation> implementation);
  std::shared_ptr<Implementation> implementation_;
};

FOVEA_API std::vector<std::string> model_names();  // sorted

}  // namespace fovea
