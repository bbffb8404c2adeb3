// Where a network looked: what in a picture speaks for a class.
#pragma once

#include <fovea/api.h>
#include <fovea/image.h>
#include <fovea/model.h>
#include <fovea/tensor.h>

#include <cstdint>
#include <string>

namespace fovea {

enum class HeatMethod {
  automatic,  // rollout for networks of attention, grad_cam for others
  // Selvaraju et al. 2017, arXiv:1610.02391, section 3: the channels of a map, each weighted by the mean over its positions of the class's
  // logit's gradient by it, added up, what is negative left out.
  grad_cam,
  // Abnar and Zuidema 2020, arXiv:2005.00928, section 3.1: from which patches information reaches the class token (all tokens alike where
  // there is none) through every block's attention, averaged over the heads, and the shortcut around it. The same for every class.
  rollout,
};

FOVEA_API std::string to_string(HeatMethod);
FOVEA_API HeatMethod parse_heat_method(const std::string&);  // "auto", "gradcam", "rollout"; throws Error(usage) that lists them

struct HeatMapOptions {
  HeatMethod method = HeatMethod::automatic;
  // Of grad_cam: a map that Model::features knows by this name. Empty: the last one, of transformers the tokens that the last block reads.
  std::string tap = {};
  std::string class_name = {};  // empty: the most probable one
};

struct HeatMap {
  HeatMethod method = HeatMethod::grad_cam;
  std::string tap;             // grad_cam's
  ClassProbability explained;  // index -1: the network has no head (rollout)
  // f32 [height, width] of the picture, 1 where the map has its maximum, bilinear between the map's positions; 0 where the network saw
  // nothing of the picture (cropped away), and everywhere where nothing speaks for the class.
  Tensor heat;
  Tensor map;  // f32 [rows, columns]: one number a position of the network's map, as the method gives it
};

// Changes nothing in the model. Throws Error: usage for a class or a tap that is not there (with the nearest), a tap that is no map or on
// which the class does not depend, rollout of a network without attention, grad_cam of one without a head.
FOVEA_API HeatMap heat_map(const Model& model, const Image& picture, const HeatMapOptions& options = {});

// The picture with the heat over it in the colours of viridis (yellow: 1), the thinner the less it is: where it is 0 the picture stays as it
// is. `heat` is [height, width] of the picture, 0..1; throws
// Error(mismatch) naming both sizes.
FOVEA_API Image overlay(const Image& picture, const Tensor& heat);

}  // namespace fovea
