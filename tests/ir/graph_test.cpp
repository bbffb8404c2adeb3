// What a graph promises to those who build it.
#include "ir/graph.h"

#include <gtest/gtest.h>

#include "ir/value.h"
#include "ops/unary.h"

namespace fovea {
namespace {

// A gradient rule keeps the shape of a result while it appends nodes.
TEST(Graph, ReferencesStayWhileItGrows) {
  Graph graph;
  const Value x{graph, graph.input("x", {DType::f32, {1, 2, 3, 4}})};
  const Value y = emit(Unary{UnaryKind::exp}, std::span(&x, 1), "first")[0];
  const Shape& shape = y.shape();
  const NodeInfo& node = graph.node({0});
  for (int i = 0; i < 1000; ++i) emit(Unary{UnaryKind::exp}, std::span(&x, 1), "more");
  EXPECT_EQ(&shape, &y.shape());
  EXPECT_EQ(&node, &graph.node({0}));
  EXPECT_EQ(node.name, "first");
}

}  // namespace
}  // namespace fovea
