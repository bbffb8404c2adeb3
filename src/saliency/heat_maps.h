// Heat maps of many pictures by one network: its inference graph, and what the method needs beside, compiled once.
#pragma once

#include <fovea/heat_map.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/executable.h"
#include "engine/network.h"

namespace fovea::saliency {

// A number a position, row by row.
struct Grid {
  int64_t height = 0, width = 0;
  std::vector<float> values;
};

struct Look {
  Grid grid;
  std::vector<float> logits;  // empty: there is no head
  int64_t class_index = -1;   // whose logit is explained; -1: none
};

// Reads the network's weights, as they are when it looks, and writes nothing of it. A new one is needed when the head changes.
class HeatMaps {
 public:
  // Throws as fovea::heat_map does; `options.class_name` is not looked at.
  HeatMaps(std::shared_ptr<const engine::Network> network, const backend::Backend& backend, const HeatMapOptions& options = {});

  HeatMethod method() const { return method_; }
  const std::string& tap() const { return tap_; }

  // Looks at a prepared picture [height, width, channels], as the network takes it. class_index -1 means the most probable class.
  Look look(std::span<const float> prepared, int64_t class_index = -1);
  // What was found in a picture as it is, which the network's preprocessing prepares.
  struct OfPicture {
    Look look;
    Tensor heat;  // as HeatMap's
  };
  OfPicture look(const Image& picture, int64_t class_index = -1);

 private:
  void add_grad_cam(ModelGraph& model);
  void add_rollout(ModelGraph& model);
  Grid grad_cam() const;
  Grid rollout() const;

  std::shared_ptr<const engine::Network> network_;
  HeatMethod method_;
  std::string tap_;
  int64_t prefix_ = 0;  // tokens that belong to no place
  Size2 grid_{0, 0};
  std::vector<int64_t> heads_;  // of rollout's layers
  std::unique_ptr<engine::Executable> executable_;
};

// Grad-CAM's sum: activations and gradients [positions, channels], one number a position. Both start with the positions that are shown.
std::vector<float> weighted_sum(std::span<const float> activations, std::span<const float> gradients, int64_t channels);

// Rollout over layers' probabilities [tokens, tokens] (row: query), the first layer's first: how much of each token reaches the first one,
// or, without a prefix, all of them alike.
std::vector<float> roll_out(const std::vector<std::vector<float>>& probabilities, int64_t tokens, int64_t prefix);

// A grid over the network's input as heat on the picture that was prepared for it.
Tensor on_picture(const Grid& grid, int64_t height, int64_t width, const Preprocessing& preprocessing);

}  // namespace fovea::saliency
