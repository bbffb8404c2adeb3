#include "reference/nodes.h"

#include <cmath>
#include <map>
#include <set>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/error.h"
#include "engine/executable.h"
#include "ops/batch_norm.h"
#include "ops/sgd_update.h"
#include "ops/sum_to.h"
#include "passes/retype.h"
#include "passes/rewrite.h"
#include "reference/compare.h"
#include "reference/formula.h"

namespace fovea::answers {
namespace {

std::vector<int64_t> dims(const Type& type) { return {type.shape.dims().begin(), type.shape.dims().end()}; }

// The float64 run of a step: what every value holds when it is read. Moments start from the formula too, so that their terms count.
class ExactRun {
 public:
  ExactRun(const Answer& answer, const Graph& step) : store_(std::make_shared<engine::StateStore>(DType::f64)) {
    executable_ = engine::Executable::compile(passes::retype(step, DType::f64), reference::reference_backend(), store_,
                                              std::make_shared<engine::Arena>(), {.keep_values = true});
    for (const State& state : graph().states()) {
      store_->set(state.name, parameter(state.name, state.stored_shape, answer.seed));
      before_.emplace(state.value.index, executable_->value(state.value));
    }
    for (const auto& [name, tensor] : step_inputs(answer, 0))
      if (executable_->has_input(name)) executable_->write_input(name, tensor);
    executable_->prepare();
    executable_->run();
  }

  const Graph& graph() const { return executable_->graph(); }
  // In logical order; a state as it was before the step.
  Tensor value(ValueId id) const {
    const auto found = before_.find(id.index);
    return found != before_.end() ? found->second : executable_->value(id);
  }

 private:
  std::shared_ptr<engine::StateStore> store_;
  std::unique_ptr<engine::Executable> executable_;
  std::map<uint32_t, Tensor> before_;
};

// One node by itself; results that `used` leaves out stay empty. Floating results as f64.
std::vector<Tensor> run_node(const backend::Backend& backend, const Graph& graph, const NodeInfo& node, const std::vector<Tensor>& inputs,
                             const std::vector<bool>& used) {
  std::vector<backend::Operand> in, out;
  for (ValueId id : node.inputs) in.push_back(backend::Operand::dense(graph.type(id)));
  for (size_t k = 0; k < node.outputs.size(); ++k) {
    out.push_back(backend::Operand::dense(graph.type(node.outputs[k])));
    out.back().used = used[k];
  }
  const auto kernel = backend.plan(node.op, in, out);
  std::vector<Tensor> memory;  // in the engine's order
  std::vector<void*> in_memory, out_memory;
  for (size_t i = 0; i < in.size(); ++i) {
    memory.emplace_back(in[i].type.dtype, dims(in[i].type));
    in_memory.push_back(memory.back().mutable_raw());
    engine::write_memory(inputs[i], in[i].type, in_memory.back());
  }
  for (size_t k = 0; k < out.size(); ++k) {
    memory.emplace_back(out[k].type.dtype, dims(out[k].type));
    out_memory.push_back(used[k] ? memory.back().mutable_raw() : nullptr);
  }
  Tensor workspace(DType::u8, {static_cast<int64_t>(kernel->workspace_bytes())});
  kernel->bind(in_memory, out_memory, kernel->workspace_bytes() > 0 ? workspace.mutable_raw() : nullptr);
  kernel->run();
  std::vector<Tensor> results;
  for (size_t k = 0; k < out.size(); ++k)
    results.push_back(used[k] ? engine::read_memory(out_memory[k], out[k].type, dims(out[k].type), DType::f64) : Tensor());
  return results;
}

double norm(std::span<const double> values) {
  double squares = 0;
  for (double value : values) squares += value * value;
  return std::sqrt(squares);
}

// Of a node's result: |own - exact| over `scale`, where 0 / 0 is 0.
double relative(const Tensor& own, const Tensor& exact, double scale) {
  const auto a = own.values<double>(), b = exact.values<double>();
  std::vector<double> apart(a.size());
  for (size_t i = 0; i < a.size(); ++i) apart[i] = a[i] - b[i];
  const double difference = norm(apart);
  return difference == 0 ? 0 : difference / scale;
}

double unequal(const Tensor& own, const Tensor& exact) {
  const auto a = static_cast<const char*>(own.raw()), b = static_cast<const char*>(exact.raw());
  return own.bytes() == exact.bytes() && std::equal(a, a + own.bytes(), b) ? 0 : 1;
}

// The values that hold gradients which algebra makes zero.
std::set<ValueId> zero_gradients(const Answer& answer, const Graph& step) {
  std::set<ValueId> values;
  for (const std::string& name : answer.train.zero_gradients) {
    const State* state = step.find_state(name);
    if (!state || !state->next.valid()) fail(ErrorKind::mismatch, "{} is no parameter that trains here", name);
    const NodeInfo& update = step.node(step.value(state->next).producer);
    if (!update.op.as<SgdUpdate>()) fail(ErrorKind::internal, "{} is not updated by SGD", name);
    values.insert(update.inputs[1]);
  }
  return values;
}

// What a sum that comes to zero is a sum of.
const Tensor& terms_of(const NodeInfo& node, size_t result, const std::vector<Tensor>& inputs) {
  const auto* norm = node.op.as<BatchNormTrainingGrad>();
  const bool dbeta = norm && norm->activation == ActivationKind::identity && result == 2;
  if (!dbeta && !node.op.as<SumTo>()) fail(ErrorKind::internal, "{} {}: its terms are not known", node.name, node.op.name());
  return inputs[0];
}

// What a result's error is measured by: its norm. A gradient of gamma that is far smaller than what it sums is what cancellation left
// (DenseNet's first batch norm is followed by others alone, which take its scale out again): its terms' rounding stays, so a twentieth of
// their norm is the least.
double scale_of(const NodeInfo& node, size_t result, const Tensor& exact, const std::vector<Tensor>& inputs) {
  constexpr double kLeast = 0.05;
  const double own = norm(exact.values<double>());
  if (!node.op.as<BatchNormTrainingGrad>() || result != 1) return own;
  const Tensor terms = inputs[0].to(DType::f64);
  return std::max(own, kLeast * norm(terms.values<double>()));
}

bool near_kink(ActivationKind kind, double argument) {
  constexpr double kRounding = 1e-6;  // some ulps of arguments around 1
  const auto at = [&](double kink) { return std::abs(argument - kink) < kRounding; };
  switch (kind) {
    case ActivationKind::relu:
      return at(0);
    case ActivationKind::relu6:
      return at(0) || at(6);
    case ActivationKind::hard_swish:
    case ActivationKind::hard_sigmoid:
      return at(-3) || at(3);
    default:
      return false;
  }
}

// Clears the gradient where the node's own activation is within rounding of a kink; inputs are (dy, x, gamma, mean, inv_std, beta).
void clear_near_kinks(const BatchNormTrainingGrad& op, std::vector<Tensor>& inputs) {
  if (!op.with_beta) return;
  const int64_t channels = inputs[1].shape()[1], area = inputs[1].shape()[2] * inputs[1].shape()[3];
  const auto x = inputs[1].values<float>(), gamma = inputs[2].values<float>(), mean = inputs[3].values<float>(),
             inv_std = inputs[4].values<float>(), beta = inputs[5].values<float>();
  Tensor gradient = inputs[0].clone();
  const auto dy = gradient.mutable_values<float>();
  for (size_t i = 0; i < dy.size(); ++i) {
    const size_t c = static_cast<size_t>(static_cast<int64_t>(i) / area % channels);
    const double z = static_cast<double>(gamma[c]) * (static_cast<double>(x[i]) - mean[c]) * inv_std[c] + beta[c];
    if (near_kink(op.activation, z)) dy[i] = 0;
  }
  inputs[0] = gradient;
}

std::vector<Tensor> rounded_inputs(const ExactRun& exact, const NodeInfo& node) {
  std::vector<Tensor> inputs;
  for (ValueId id : node.inputs) {
    const Tensor value = exact.value(id);
    inputs.push_back(is_floating(value.dtype()) ? value.to(DType::f32) : value);
  }
  if (const auto* norm = node.op.as<BatchNormTrainingGrad>()) clear_near_kinks(*norm, inputs);
  return inputs;
}

}  // namespace

Report compare_nodes(const Answer& answer) {
  constexpr double kAllowed = 1e-5;
  Report report{fmt::format("{} (nodes)", answer.model), {}};
  return in_context(answer.model, [&] {
    const Graph step = training::build_step(training::lower_for_training(training_model(answer), {}), step_options(answer),
                                            {.recompute = {.device = &cpu::cpu_backend().traits()}});
    const ExactRun exact(answer, step);
    const passes::Uses uses(step);
    const std::set<ValueId> zero = zero_gradients(answer, step);
    for (uint32_t n = 0; n < step.node_count(); ++n) {
      const NodeInfo& node = step.node(NodeId{n});
      const std::vector<Tensor> inputs = rounded_inputs(exact, node);
      std::vector<bool> used;
      for (ValueId id : node.outputs) used.push_back(!uses.nodes[id.index].empty() || uses.other[id.index] > 0);
      const auto own = run_node(cpu::cpu_backend(), step, node, inputs, used);
      const auto plain = run_node(reference::reference_backend(), exact.graph(), exact.graph().node(NodeId{n}), inputs, used);
      for (size_t k = 0; k < used.size(); ++k) {
        if (!used[k]) continue;
        const std::string name = fmt::format("{} {} result {}", node.name, node.op.name(), k);
        if (!is_floating(plain[k].dtype()))
          report.add(name, unequal(own[k], plain[k]), 0);
        else if (zero.contains(node.outputs[k])) {
          const Tensor terms = terms_of(node, k, inputs).to(DType::f64);
          report.add(name, relative(own[k], plain[k], norm(terms.values<double>())), kAllowed, "of its terms' norm: they cancel");
        } else
          report.add(name, relative(own[k], plain[k], scale_of(node, k, plain[k], inputs)), kAllowed);
      }
    }
    return report;
  });
}

}  // namespace fovea::answers
