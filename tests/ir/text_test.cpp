// print and parse are inverse; what is no graph is refused with its line.
#include <fovea/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/graph.h"
#include "models/registry.h"
#include "ops/registry.h"

namespace fovea {
namespace {

constexpr const char* kSmall =
    "input image f32[2,3,8,8]\n"
    "parameter conv.weight f32[4,3,3,3] stored=[4,3,3,3] init=normal:0.25\n"
    "parameter conv.bias f32[1,4,1,1] stored=[4] init=uniform:0.5\n"
    "%0 = conv2d(image, conv.weight, conv.bias) stride=2,2 padding=0,1,0,1 groups=1 @conv\n"
    "%1, %2 = max_pool2d(%0) kernel=2,2 stride=2,2 padding=0,0,0,0 @pool\n"
    "%3 = activation(%1) kind=silu @act\n"
    "output y = %3\n";

std::string error_of(const std::string& text) {
  try {
    parse(text, parse_op);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Text, ReadsBackWhatItPrints) {
  const Graph graph = parse(kSmall, parse_op);
  verify(graph);
  EXPECT_EQ(print(graph), kSmall);
}

TEST(Text, WholeNetworksReadBack) {
  for (const char* name : {"resnet18", "efficientnet_b0"}) {
    const ModelGraph model = models::build(models::get(name), {});
    verify(model.graph);
    const std::string text = print(model.graph);
    EXPECT_EQ(print(parse(text, parse_op)), text) << name;
  }
}

TEST(Text, RefusesWhatIsNoGraph) {
  const std::string input = "input x f32[1,2,3,3]\n";
  EXPECT_THAT(error_of(input + "%0 = conv3d(x) @a\n"), testing::HasSubstr("conv3d"));
  EXPECT_THAT(error_of(input + "%0 = add(x, y) @a\n"), testing::HasSubstr("line 2: 'y' is not defined yet"));
  EXPECT_THAT(error_of(input + "%0 = activation(x) kind=tanh @a\n"), testing::HasSubstr("'tanh' is none of"));
  EXPECT_THAT(error_of(input + "%0 = activation(x) sort=relu @a\n"), testing::HasSubstr("activation has no attribute 'sort'"));
  EXPECT_THAT(error_of("input x f32[1,2\n"), testing::HasSubstr("f32[1,2"));
  EXPECT_THAT(error_of(input + input), testing::HasSubstr("'x'"));
}

TEST(Verify, RefusesAReadAfterTheWrite) {
  const Graph graph = parse(
      "buffer n i64[] stored=[] init=constant:0\n"
      "%0 = increment(n) @count\n"
      "%1 = increment(n) @again\n"
      "next n = %0\n"
      "output m = %1\n",
      parse_op);
  try {
    verify(graph);
    FAIL() << "a read after the write passed";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("state n: node 1 reads it after node 0 wrote it"));
  }
}

TEST(Verify, RefusesANextStateOfAnotherType) {
  const Graph graph = parse(
      "input x f32[1,2,1,1]\n"
      "buffer mean f32[1,4,1,1] stored=[4] init=constant:0\n"
      "%0 = activation(x) kind=relu @a\n"
      "next mean = %0\n",
      parse_op);
  EXPECT_THROW(verify(graph), Error);
}

}  // namespace
}  // namespace fovea
