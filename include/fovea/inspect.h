// What a network is made of and what it costs: parameters, multiply-adds, memory and receptive field by stage, the formulas of its kind
// worked out, measured time, and several networks side by side.
#pragma once

#include <fovea/api.h>
#include <fovea/model.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

struct ModelInfo {
  std::string name, family;
  std::string layout;         // whose parameter names: "torchvision" or "timm"
  int64_t input_size = 0;     // usual height and width
  int64_t feature_width = 0;  // of the pooled vector
  int64_t parameters = 0;     // as published: with 1000 classes, or without a head
};
FOVEA_API std::vector<ModelInfo> list_models();  // by name

struct SummaryOptions {
  int64_t height = 0, width = 0;  // 0: the model's own
  int64_t batch = 1;
  std::string freeze = "none";  // for the memory of training
  std::string tag = "";         // of published weights, whose size a registered name is counted at; nothing is fetched
};

// How much of the picture one position of a map can see. Araujo et al. 2019, "Computing receptive fields of convolutional neural networks"
// (distill.pub/2019/computing-receptive-fields), says how it is counted; padding counts, so it may be larger than the picture.
struct ReceptiveField {
  int64_t height = 0, width = 0;  // pixels, through convolutions and pools alone; 0: what is no map any more has no window of its own
  bool whole = false;             // through means over the map (squeeze-excite, pooling), attention or group statistics it sees everything
};

// From one tap to the next, then pooling, the layers between it and the head, and the head. Bytes are of one picture.
struct StageSummary {
  std::string name;            // the tap's, or its layers'
  bool is_tap = false;         // the result can be asked for by this name
  std::vector<int64_t> shape;  // of one picture's result: [channels, height, width]; tokens: of their grid; vectors: [channels]
  double stride = 0;           // input pixels from one position to the next; 0 for a vector
  ReceptiveField field;        // of one position of the result
  int64_t layers = 0;          // that have parameters
  int64_t parameters = 0;
  int64_t multiply_adds = 0;    // of one picture
  int64_t inference_bytes = 0;  // most activations held at once while the stage runs for inference, what later stages still need included
  int64_t training_bytes = 0;   // activations of the stage that are held until the backward reads them
};

// A node of the network whose result can be asked for by its name.
struct NodeSummary {
  std::string name;            // "layer1.0.bn1:relu"
  std::string operation;       // "activation"
  std::vector<int64_t> shape;  // of one picture's result: [channels, height, width]
};

enum class Unit { count, multiply_adds, bytes, pixels, ratio, share };  // how a number is meant; a share is a part of 1

struct ExplanationColumn {
  std::string key, title;  // for programs, for people
  Unit unit = Unit::count;
};
struct ExplanationRow {
  std::string name;
  std::vector<double> values;  // one a column; not a number where the row has none
};
struct Fact {
  std::string key, title;
  double value = 0;
  Unit unit = Unit::count;
};

// A formula of the network's kind, worked out for this network at this size: what it is, and every number that goes into it.
struct Explanation {
  std::string topic;    // for programs: "depthwise_separable"
  std::string title;    // "Depthwise separable convolutions"
  std::string formula;  // "1/N + 1/K^2"
  std::string text;     // what its letters mean, and what follows for this network
  std::string rows_are;
  std::vector<ExplanationColumn> columns;
  std::vector<ExplanationRow> rows;  // in the network's order
  std::vector<Fact> facts;
};

// Planned, before anything runs; bytes for the whole batch.
struct MemorySummary {
  int64_t weights = 0;            // parameters and buffers
  int64_t inference = 0;          // values and workspace
  int64_t inference_weights = 0;  // folded and packed copies of the weights
  // Values and workspace of a step; 0 where none is possible: without a head, or where a batch norm gets one value a channel (the last maps
  // of small pictures, in a batch of 1).
  int64_t training = 0;
  int64_t optimizer = 0;  // SGD's momentum
};

struct Summary {
  std::string model;
  int64_t height = 0, width = 0, batch = 1;
  int64_t classes = 0;
  int64_t parameters = 0;              // that can train
  int64_t trainable_parameters = 0;    // that are not frozen
  int64_t multiply_adds = 0;           // of one picture, forward
  int64_t training_multiply_adds = 0;  // of one picture, forward and backward
  int64_t inference_bytes = 0;         // of one picture: the most that any stage holds
  int64_t training_bytes = 0;          // of one picture: what all stages hold
  std::vector<TapInfo> taps;
  std::vector<StageSummary> stages;
  std::vector<NodeSummary> nodes;
  std::vector<Explanation> explanations;
  MemorySummary memory;
};

// Throws Error(usage) for a size that the network cannot take, or a tap to freeze that it does not have.
FOVEA_API Summary summary(const Model& model, const SummaryOptions& options = {});
// Of a registered name or a model file; needs no weights.
FOVEA_API Summary summary(const std::string& name_or_file, const SummaryOptions& options = {});

// The network as text, as its layers are written: what bug reports should carry. `compiled`: as it runs, with everything folded and fused.
FOVEA_API std::string graph_text(const std::string& name_or_file, const SummaryOptions& options = {}, bool compiled = false);

enum class BenchMode { infer, train };  // train: forward, loss, backward and an SGD update with momentum

struct BenchOptions {
  BenchMode mode = BenchMode::infer;
  int64_t batch = 1;
  int64_t height = 0, width = 0;  // 0: the model's own
  double seconds = 3;             // to measure for; at least three runs
  std::string weights = "none";   // as for Model::load; random ones take the same time
  std::string dtype = "f32";
  std::string freeze = "none";  // as for Model::freeze; not "auto"
  bool profile = false;         // the time of each node
  // Bytes that the process may grow by, 0: no limit. A training step computes again in its backward part as much as is needed for it (no
  // bit of the result changes). Error(usage) that names the least possible where nothing is enough.
  int64_t memory_bytes = 0;
  std::function<void(int64_t planned_bytes)> planned = {};  // called before the first run
};

// A node of the compiled graph, or all of one operation or kernel.
struct ProfileRow {
  std::string name;            // the node's: "layer1.0.conv2"; that of a gradient begins with "grad:"
  std::string operation;       // "conv2d"
  std::string kernel;          // what computes it: "onednn brgconv:avx512_core"
  std::vector<int64_t> shape;  // of the node's first result
  int64_t nodes = 0;
  double milliseconds = 0;  // in one run: the median of all runs; of several nodes the sum of their medians
  double share = 0;         // of all nodes' time
  int64_t multiply_adds = 0;
  int64_t bytes = 0;  // read and written, each operand once

  double gflops() const { return milliseconds > 0 ? 2e-6 * static_cast<double>(multiply_adds) / milliseconds : 0; }
  double gigabytes_per_second() const { return milliseconds > 0 ? 1e-6 * static_cast<double>(bytes) / milliseconds : 0; }
};

// Each list slowest first. The nodes of a frozen part, which runs before the step, are among them.
struct Profile {
  std::vector<ProfileRow> nodes;
  std::vector<ProfileRow> operations;
  std::vector<ProfileRow> kernels;  // of each operation
};

struct BenchResult {
  double least_milliseconds = 0, median_milliseconds = 0;  // of one run of the whole batch
  double pictures_per_second = 0;                          // by the median
  int64_t runs = 0;
  int threads = 0;
  int64_t height = 0, width = 0;
  // Planned: by how much the process had grown when everything was built, before the first run, and what the arena will add to it.
  // Measured: by how much it grew at most, from before the network was built to the end of the runs.
  int64_t planned_bytes = 0, measured_bytes = 0;
  Profile profile;  // empty where none was asked for
  // Where something is frozen: the step with nothing frozen, run in turns with it, and what keeping the frozen part's outputs leaves of the
  // step (0 where everything that the pictures meet first trains).
  struct Full {
    double least_milliseconds = 0;
    int64_t planned_bytes = 0, measured_bytes = 0;
    double least_milliseconds_kept = 0;
  };
  std::optional<Full> full;
};

FOVEA_API BenchResult bench(const std::string& name_or_file, const BenchOptions& options = {});

struct CompareOptions {
  int64_t batch = 1;
  int64_t height = 0, width = 0;  // 0: each model's own
  double seconds = 2;             // to measure each model for; 0: no time is measured
};

// One network beside others.
struct Comparison {
  std::string name;  // as it was asked for
  std::string model;
  int64_t height = 0, width = 0;
  int64_t parameters = 0;
  int64_t weights_bytes = 0;
  int64_t multiply_adds = 0;                        // of one picture
  int64_t inference_bytes = 0, training_bytes = 0;  // activations of one picture, as in Summary
  MemorySummary memory;                             // planned for the batch
  int64_t feature_width = 0;                        // of the vector that the head reads
  double stride = 0;                                // of the last map
  ReceptiveField field;                             // likewise
  std::string weights;                              // the tag that the accuracy is of: the default weights
  std::optional<double> accuracy1, accuracy5;       // ImageNet-1k validation, %, as published; of a registered name alone
  // Inference of the whole batch; 0 where nothing was measured.
  double least_milliseconds = 0, median_milliseconds = 0;
  int64_t runs = 0;
};

// In the order asked for. Every round runs each network once, so that whatever else the machine does meets all of them alike.
FOVEA_API std::vector<Comparison> compare(const std::vector<std::string>& names_or_files, const CompareOptions& options = {});

}  // namespace fovea
