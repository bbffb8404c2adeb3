// A network as a graph that knows no mode, no device and no weights: what the registry builds and every job starts from.
#pragma once

#include <fovea/head.h>

#include <string>
#include <vector>

#include "nn/scope.h"

namespace fovea {

struct BuildOptions {
  int64_t batch = 1;
  int64_t height = 224, width = 224;
  int64_t channels = 3;
  int64_t classes = 1000;  // 0: no head, the graph ends with the features
  HeadOptions head = {};
  // The size that parameters shaped by it (position embeddings) belong to; another height and width resizes them in the graph. 0: the
  // variant's own.
  int64_t native_height = 0, native_width = 0;
};

// What a network's text gives, before any head.
struct Features {
  Value map;                             // the last feature map [N, C, H, W]; a transformer's is the grid of its patches
  Value pooled;                          // one vector a picture [N, C, 1, 1]: the mean of the map, or the class token
  Value pre_logits;                      // what the head reads [N, K, 1, 1]: pooled, or what further layers make of it
  std::vector<Value> head_vectors = {};  // of a network with two linear heads what each reads [N, K, 1, 1]; pre_logits is their mean
};
// The features of a network that ends with a map: `pooled` is the map's mean, and `pre_logits` is the same.
Features features_of(Value map);

struct ModelGraph {
  Graph graph;
  ValueId image;          // input "image" f32 [N, channels, height, width]
  ValueId map;            // the last feature map, before pooling
  ValueId pooled;         // [N, C, 1, 1]
  ValueId pre_logits;     // the feature vector that the head reads [N, K, 1, 1]
  ValueId head_input;     // [N, K, 1, 1]: all that the head reads; invalid without a head
  ValueId logits;         // [N, classes, 1, 1]; invalid without a head
  std::vector<Tap> taps;  // in the order of the network
  std::vector<PositionTable> positions;
};

// The states of the layers that `value` depends on, counters included, in the graph's order: what freezing a tap freezes.
std::vector<std::string> states_below(const Graph& graph, ValueId value);

// A value by name, and how it is to be read.
struct OutputView {
  enum class Form { map, vector, tokens };  // [N,C,H,W]; [N,C]; [N,T,C]
  ValueId value;
  Form form = Form::map;
};

// What the network's text gives before any pooling and head: the last map, of transformers all tokens.
OutputView last_map(ModelGraph& model);

// "logits", "pooled", "pre_logits", "last_map"; a tap (tokens as a map of their grid; "TAP:tokens": all of them, the class token too;
// "TAP:class_token"); a node by its label (see node_labels), or a place: "layer1.0" is what the last node below it gives. May append nodes
// to the graph. Throws Error(usage) with the nearest names and the taps for an unknown one.
OutputView find_output(ModelGraph& model, const std::string& name);

// What comes out at the end: "logits", or "pre_logits" where there is no head.
std::string last_output(const ModelGraph& model);

// Gives each node a name of its own: the path of its layer. Further nodes of the same path (activations, additions) say what they do behind
// a colon, as in "layer1.0.bn1:relu".
std::vector<std::string> node_labels(const Graph& graph);

// Gives for each value how many rows of `image` lie between two of its rows, the product of the strides on the way; 0 where none do.
std::vector<int64_t> strides_from(const Graph& graph, ValueId image);

}  // namespace fovea
