// What a network costs: parameters, multiply-adds and memory by layer, and measured time.
#pragma once

#include <fovea/model.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

struct ModelInfo {
  std::string name, family;
  std::string layout;         // whose parameter names: "torchvision" or "timm"
  int64_t input_size = 0;     // usual height and width
  int64_t feature_width = 0;  // of the pooled vector
  int64_t parameters = 0;     // with 1000 classes
};
std::vector<ModelInfo> list_models();  // by name

struct SummaryOptions {
  int64_t height = 0, width = 0;  // 0: the model's own
  int64_t batch = 1;
  std::string freeze = "none";  // for the memory of training
};

// From one tap to the next, then pooling and head.
struct StageSummary {
  std::string name;            // the tap's, or the head's
  std::vector<int64_t> shape;  // of one picture's result: [channels, height, width], or [classes]
  int64_t layers = 0;          // that have parameters
  int64_t parameters = 0;
  int64_t multiply_adds = 0;     // of one picture
  int64_t activation_bytes = 0;  // of one picture: what its operations write, before memory is shared
};

// Planned, before anything runs; bytes for the whole batch.
struct MemorySummary {
  int64_t weights = 0;            // parameters and buffers
  int64_t inference = 0;          // values and workspace
  int64_t inference_weights = 0;  // folded and packed copies of the weights
  int64_t training = 0;           // values and workspace of a step
  int64_t optimizer = 0;          // SGD's momentum
};

struct Summary {
  std::string model;
  int64_t height = 0, width = 0, batch = 1;
  int64_t classes = 0;
  int64_t parameters = 0;              // that can train
  int64_t trainable_parameters = 0;    // that are not frozen
  int64_t multiply_adds = 0;           // of one picture, forward
  int64_t training_multiply_adds = 0;  // of one picture, forward and backward
  std::vector<TapInfo> taps;
  std::vector<StageSummary> stages;
  MemorySummary memory;
};

// Throws Error(usage) for a size that the network cannot take, or a tap to freeze that it does not have.
Summary summary(const Model& model, const SummaryOptions& options = {});
// Of a registered name or a model file; needs no weights.
Summary summary(const std::string& name_or_file, const SummaryOptions& options = {});

// The network as text, as its layers are written: what bug reports should carry. `compiled`: as it runs, with everything folded and fused.
std::string graph_text(const std::string& name_or_file, const SummaryOptions& options = {}, bool compiled = false);

enum class BenchMode { infer, train };  // train: forward, loss, backward and an SGD update with momentum

struct BenchOptions {
  BenchMode mode = BenchMode::infer;
  int64_t batch = 1;
  int64_t height = 0, width = 0;  // 0: the model's own
  double seconds = 3;             // to measure for; at least three runs
  std::string weights = "none";   // as for Model::load; random ones take the same time
  std::string dtype = "f32";
  std::string freeze = "none";
  bool profile = false;
};

struct ProfileRow {
  std::string operation, kernel;
  int64_t nodes = 0;
  double milliseconds = 0;  // in one run
};

struct BenchResult {
  double least_milliseconds = 0, median_milliseconds = 0;  // of one run of the whole batch
  double pictures_per_second = 0;                          // by the median
  int64_t runs = 0;
  int threads = 0;
  int64_t height = 0, width = 0;
  // Planned: weights, their copies, values and workspace. Measured: by how much the process grew at most from before the network was built
  // to the end of the runs.
  int64_t planned_bytes = 0, measured_bytes = 0;
  std::vector<ProfileRow> profile;  // slowest first
};

BenchResult bench(const std::string& name_or_file, const BenchOptions& options = {});

}  // namespace fovea
