// Networks whose constants are folded answer as they do with every operation by itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cpu/cpu.h"
#include "base/random.h"
#include "engine/executable.h"
#include "ops/registry.h"
#include "passes/pipeline.h"

namespace fovea {
namespace {

Tensor noise_named(const std::vector<int64_t>& shape, std::string_view name) {
  Tensor tensor(DType::f32, shape);
  const RandomStream stream(11, name);
  auto values = tensor.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(2 * stream.uniform(i) - 1);
  return tensor;
}

std::vector<float> answer(const Graph& graph) {
  auto store = std::make_shared<engine::StateStore>();
  const auto executable = engine::Executable::compile(graph, cpu::cpu_backend(), store, std::make_shared<engine::Arena>());
  for (const State& state : graph.states()) store->set(state.name, noise_named(store->at(state.name).stored_shape, state.name));
  executable->prepare();
  executable->write_input("x", noise_named({2, 6, 9, 7}, "x"));
  executable->write_input("r", noise_named({2, 10, 9, 7}, "r"));
  executable->run();
  const Tensor y = executable->read_output("y");
  return {y.values<float>().begin(), y.values<float>().end()};
}

TEST(Folding, AChannelScaleBeforeAnAddition) {
  for (const std::string bias : {"", ", b"}) {
    const Graph graph = parse(
        "input x f32[2,6,9,7]\ninput r f32[2,10,9,7]\n"
        "parameter w f32[10,3,3,3] stored=[10,3,3,3] init=constant:0\n"
        "parameter b f32[1,10,1,1] stored=[10] init=constant:0\nparameter s f32[1,10,1,1] stored=[10,1,1] init=constant:0\n"
        "%0 = conv2d(x, w" +
            bias +
            ") stride=1,1 padding=1,1,1,1 groups=2 @conv\n"
            "%1 = multiply(%0, s) @scale\n%2 = add(%1, r) @add\noutput y = %2\n",
        parse_op);
    const std::vector<float> plain = answer(passes::optimize(graph, {.fuse = false})), folded = answer(passes::optimize(graph));
    ASSERT_EQ(folded.size(), plain.size());
    for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(folded[i], plain[i], 3e-6) << "element " << i;
    EXPECT_GT(std::abs(*std::max_element(plain.begin(), plain.end())), 1.0f);
  }
}

}  // namespace
}  // namespace fovea
