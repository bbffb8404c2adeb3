// How many bytes of activations the parts of a network hold.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace fovea {

// Gives for each value the first of `ends`, in the order of the network, that depends on it, and -1 where none does.
std::vector<int> stages_of(const Graph& graph, std::span<const ValueId> ends);

// Outputs of these names mark the stages' ends in a graph that passes have still to go through.
std::string stage_output(size_t stage);

// Takes an optimized inference graph with its stages marked, and gives for each stage the most bytes that are held at once while its
// operations run. Memory is planned as for running; weights do not count.
std::vector<int64_t> held_for_inference(const Graph& marked, size_t stages);

// Takes an optimized training step with its stages marked, and gives for each stage the bytes that it makes on the way to the loss and that
// anything after it reads, pictures included.
std::vector<int64_t> held_for_training(const Graph& marked, size_t stages);

}  // namespace fovea
