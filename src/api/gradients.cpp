#include <fovea/train.h>

#include <algorithm>

#include "api/device.h"
#include "api/implementation.h"
#include "base/error.h"
#include "engine/executable.h"
#include "ir/slots.h"
#include "train/step.h"

namespace fovea {
namespace {

void check(const engine::Network& network, const Tensor& images, const std::vector<int64_t>& labels) {
  const auto& shape = images.shape();
  if (shape.size() != 4 || shape[1] != network.channels())
    fail(ErrorKind::usage, "pictures of {}, [N,{},height,width] expected", shape_string(shape), network.channels());
  if (static_cast<int64_t>(labels.size()) != shape[0]) fail(ErrorKind::usage, "{} labels of {} pictures", labels.size(), shape[0]);
  for (const int64_t label : labels)
    if (label < 0 || label >= network.class_count())
      fail(ErrorKind::usage, "the label {}, one of 0 to {} expected", label, network.class_count() - 1);
}

}  // namespace

LossGradients loss_gradients(const Model& model, const Tensor& images, const std::vector<int64_t>& labels) {
  const engine::Network& network = model.implementation().network();
  check(network, images, labels);
  // The gradients come from a step of the rate 0 on a copy, since a step moves running statistics.
  const std::shared_ptr<engine::Network> copy = network.clone();
  const auto& shape = images.shape();
  training::StepOptions options;
  options.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  options.frozen = copy->frozen_by(model.frozen() == "auto" ? "none" : model.frozen());
  options.gradients_as_outputs = true;
  Graph step = training::build_step(training::lower_for_training(copy->build(shape[0], shape[2], shape[3]), options.frozen), options,
                                    {.recompute = {.device = &device().traits()}});
  const auto executable = engine::Executable::compile(std::move(step), device(), copy->store(), std::make_shared<engine::Arena>());
  executable->prepare();
  executable->write_input(slots::kImage.name, images);
  std::ranges::transform(labels, executable->input(slots::kLabels).begin(), [](int64_t label) { return static_cast<int32_t>(label); });
  executable->set(slots::kRate, 0);
  executable->set(slots::kSeed, 0);
  executable->run();

  LossGradients result;
  result.loss = executable->output(slots::kLoss)[0];
  const Graph& graph = executable->graph();
  for (const State& state : graph.states()) {
    const std::string output = slots::kGradient + state.name;
    if (!graph.find_output(output)) continue;
    result.gradients.emplace(state.name, executable->read_output(output).reshaped(state.stored_shape));
  }
  return result;
}

}  // namespace fovea
