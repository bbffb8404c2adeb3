// What comes behind a network's last map, alone.
#pragma once

#include <string>

#include "nn/model_graph.h"

namespace fovea::engine {

// The inference graph from the last map (last_map in nn/model_graph.h) to a vector, optimized. Its input "image" is the map [N,C,H,W], of
// transformers the tokens [N,C,T,1]. Throws Error(usage) where the output depends on something else of the picture.
Graph head_graph(ModelGraph model, const std::string& output, DType precision);

}  // namespace fovea::engine
