#include "reference/nodes.h"

#include <cmath>
#include <map>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/error.h"
#include "engine/executable.h"
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

// Of a node's result: |own - exact| / |exact|, where 0 / 0 is 0.
double relative(const Tensor& own, const Tensor& exact) {
  if (!is_floating(exact.dtype()))
    return std::ranges::equal(own.to(DType::f64).values<double>(), exact.to(DType::f64).values<double>()) ? 0 : 1;
  const auto a = own.values<double>(), b = exact.values<double>();
  std::vector<double> apart(a.size());
  for (size_t i = 0; i < a.size(); ++i) apart[i] = a[i] - b[i];
  const double difference = norm(apart);
  return difference == 0 ? 0 : difference / norm(b);
}

}  // namespace

Report compare_nodes(const Answer& answer) {
  constexpr double kAllowed = 1e-5;
  Report report{fmt::format("{} (nodes)", answer.model), {}};
  return in_context(answer.model, [&] {
    const Graph step = train::build_step(train::lower_for_training(training_model(answer), {}), step_options(answer));
    const ExactRun exact(answer, step);
    const passes::Uses uses(step);
    for (uint32_t n = 0; n < step.node_count(); ++n) {
      const NodeInfo& node = step.node(NodeId{n});
      std::vector<Tensor> inputs;
      for (ValueId id : node.inputs) {
        const Tensor value = exact.value(id);
        inputs.push_back(is_floating(value.dtype()) ? value.to(DType::f32) : value);
      }
      std::vector<bool> used;
      for (ValueId id : node.outputs) used.push_back(!uses.nodes[id.index].empty() || uses.other[id.index] > 0);
      const auto own = run_node(cpu::cpu_backend(), step, node, inputs, used);
      const auto plain = run_node(reference::reference_backend(), exact.graph(), exact.graph().node(NodeId{n}), inputs, used);
      for (size_t k = 0; k < used.size(); ++k)
        if (used[k]) report.add(fmt::format("{} {} result {}", node.name, node.op.name(), k), relative(own[k], plain[k]), kAllowed);
    }
    return report;
  });
}

}  // namespace fovea::answers
