// Every network by name. One row a variant, in its family's file; one line a family, in families.h.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/model_graph.h"

namespace fovea::models {

struct Variant {
  std::string name;               // "resnet50"; "timm/convnext_tiny" where the short name is torchvision's
  std::string family;             // "resnet"
  std::string layout;             // whose parameter names: "torchvision" or "timm"
  int64_t feature_width = 0;      // of the pre-logits vector
  int64_t input_size = 224;       // default height and width
  int64_t least_size = 1;         // smaller pictures leave a layer without a window
  int64_t size_multiple = 1;      // pictures' height and width must be multiples of it (patches)
  int64_t classes = 1000;         // of the published weights; 0: they have no head
  std::string head;               // path of the linear head: "fc", "classifier.1"
  std::string second_head;        // of a network whose answers are the mean of two heads'; empty: it has one
  bool head_convolution = false;  // the library stores it as a 1x1 convolution
  double head_dropout = 0;
  // To the features; names its taps. `native` is the size that parameters shaped by it belong to.
  std::function<Features(Scope, Value image, Size2 native)> body;
  std::function<Init(int64_t inputs, int64_t outputs)> head_weight_init;  // as the library starts a new head
  std::function<Init(int64_t inputs, int64_t outputs)> head_bias_init;
};

// For the rest of the process; from then on it is found like the others. Throws Error(usage) for a name that there is already.
void add(Variant variant);

// Whether a parameter or buffer of this name belongs to the head.
bool in_head(const Variant& variant, std::string_view name);

std::vector<std::string> names();            // sorted
const Variant* find(std::string_view name);  // null for an unknown name; "timm/NAME" and "torchvision/NAME" say the layout
const Variant& get(std::string_view name);   // throws Error(usage) that suggests the nearest names

// Body, global average pooling, dropout, linear head. Throws Error(usage) naming a size that the network cannot take.
ModelGraph build(const Variant& variant, const BuildOptions& options);

}  // namespace fovea::models
