// How many bytes of activations the parts of a network hold.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace fovea {

// By value: the first of `ends`, in the order of the network, that depends on it, and -1 for what none does.
std::vector<int> stages_of(const Graph& graph, std::span<const ValueId> ends);

// Outputs of these names mark the stages' ends in a graph that passes have still to go through.
std::string stage_output(size_t stage);

// Of an optimized inference graph with its stages marked: the most bytes that are held at once, by stage, while its operations run; memory
// planned as for running, weights apart.
std::vector<int64_t> held_for_inference(const Graph& marked, size_t stages);

// Of an optimized training step with its stages marked and the output "loss": the bytes made by each stage on the way to the loss, pictures
// included, that anything after it reads.
std::vector<int64_t> held_for_training(const Graph& marked, size_t stages);

}  // namespace fovea
