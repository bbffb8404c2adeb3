// Heads: what turns a network's features into logits. The same for all families.
#pragma once

#include <functional>
#include <string>

#include "nn/layers.h"
#include "nn/model_graph.h"

namespace fovea {

struct Head {
  int64_t classes = 1000;
  HeadOptions options;
  double dropout = 0;           // the network's own
  bool as_convolution = false;  // the library stores a linear head as [classes, K, 1, 1]
  std::string second;           // path of a second linear head, whose answers are averaged with the first's; empty: there is none
  // How the library that trained the network's weights starts a linear layer.
  std::function<Init(int64_t inputs, int64_t outputs)> weight, bias;
};
struct HeadValues {
  Value input;   // [N, K, 1, 1]: all that the head's layers read of the network
  Value logits;  // [N, classes, 1, 1]
};
// In the place `path` of a network.
HeadValues head(Scope network, const std::string& path, const Features& features, const Head& head);

}  // namespace fovea
