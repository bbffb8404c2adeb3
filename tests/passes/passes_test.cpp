// Every pass as text in, text out, and the cases that it must leave alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autodiff/autodiff.h"
#include "ops/registry.h"
#include "passes/apply_batch_norm.h"
#include "passes/drop_dead.h"
#include "passes/fold_batch_norm.h"
#include "passes/fold_channel_scale.h"
#include "passes/fuse_batch_norm.h"
#include "passes/fuse_epilogue.h"
#include "passes/fuse_linear_updates.h"
#include "passes/lower_mode.h"
#include "passes/place_updates.h"
#include "passes/recompute.h"
#include "passes/retype.h"
#include "passes/split_frozen.h"

namespace fovea::passes {
namespace {

const std::string kNorm =
    "parameter bn.weight f32[1,4,1,1] stored=[4] init=constant:1\n"
    "parameter bn.bias f32[1,4,1,1] stored=[4] init=constant:0\n"
    "buffer bn.running_mean f32[1,4,1,1] stored=[4] init=constant:0\n"
    "buffer bn.running_var f32[1,4,1,1] stored=[4] init=constant:1\n"
    "buffer bn.num_batches_tracked i64[] stored=[] init=constant:0\n";
const std::string kConv = "parameter conv.weight f32[4,4,1,1] stored=[4,4,1,1] init=normal:0.5\n";
const std::string kConvLine = "%0 = conv2d(x, conv.weight) stride=1,1 padding=0,0,0,0 groups=1 @conv\n";
const std::string kNormInputs = "bn.weight, bn.bias, bn.running_mean, bn.running_var";

Graph graph_of(const std::string& text) {
  Graph graph = parse(text, parse_op);
  verify(graph);
  return graph;
}

std::string nodes_of(const Graph& graph) {
  verify(graph);
  const std::string text = print(graph);
  return text.substr(text.find("\n%0") + 1);  // after the inputs and states
}

TEST(LowerMode, InferenceUsesTheRunningStatistics) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kNorm + "%0 = batch_norm(x, " + kNormInputs +
                               ") eps=0.001 momentum=0.1 @bn\n%1 = dropout(%0) probability=0.5 per_sample=no @drop\noutput y = %1\n");
  EXPECT_EQ(nodes_of(lower_mode(graph, {})), "%0 = batch_norm_inference(x, " + kNormInputs + ") eps=0.001 @bn\noutput y = %0\n");
}

TEST(LowerMode, TrainingWritesStatisticsAndCounts) {
  const Graph graph =
      graph_of("input x f32[2,4,3,3]\n" + kNorm + "%0 = batch_norm(x, " + kNormInputs + ") eps=0.001 momentum=0.1 @bn\noutput y = %0\n");
  EXPECT_EQ(nodes_of(lower_mode(graph, {true, {}})), "%0, %1, %2, %3, %4 = batch_norm_training(x, " + kNormInputs +
                                                         ") eps=0.001 momentum=0.1 residual=no activation=identity with_affine=no @bn\n"
                                                         "%5 = increment(bn.num_batches_tracked) @bn\n"
                                                         "next bn.running_mean = %3\nnext bn.running_var = %4\n"
                                                         "next bn.num_batches_tracked = %5\noutput y = %0\n");
}

TEST(LowerMode, FrozenBatchNormStaysFrozen) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kNorm + "%0 = batch_norm(x, " + kNormInputs +
                               ") eps=0.001 momentum=0.1 @bn\n%1 = dropout(%0) probability=0.5 per_sample=yes @drop\noutput y = %1\n");
  EXPECT_EQ(nodes_of(lower_mode(graph, {true, {"bn.weight", "bn.bias"}})),
            "%0 = batch_norm_inference(x, " + kNormInputs + ") eps=0.001 @bn\noutput y = %0\n");
}

TEST(LowerMode, DropoutAboveSomethingTrainableIsRandom) {
  const Graph graph =
      graph_of("input x f32[2,4,3,3]\n" + kConv + kConvLine + "%1 = dropout(%0) probability=0.5 per_sample=yes @drop\noutput y = %1\n");
  const Graph lowered = lower_mode(graph, {true, {}});
  EXPECT_THAT(nodes_of(lowered), testing::HasSubstr("%1 = random_mask(%0, seed, step) probability=0.5 per_sample=yes stream="));
  EXPECT_TRUE(lowered.find_input("seed") && lowered.find_input("step"));
}

// What a head drops of a frozen backbone's features.
TEST(LowerMode, DropoutBelowALayerThatTrainsIsRandom) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kConv +
                               "%0 = dropout(x) probability=0.5 per_sample=no @drop\n%1 = conv2d(%0, conv.weight) stride=1,1 "
                               "padding=0,0,0,0 groups=1 @conv\noutput y = %1\n");
  EXPECT_THAT(nodes_of(lower_mode(graph, {true, {}})), testing::HasSubstr("%0 = random_mask(x, seed, step) probability=0.5"));
  EXPECT_FALSE(lower_mode(graph, {true, {"conv.weight"}}).find_input("seed"));
  EXPECT_FALSE(lower_mode(graph, {}).find_input("seed"));
}

TEST(DropDead, LeavesOutWhatNobodyReads) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kConv + kConvLine + "%1 = activation(x) kind=relu @act\noutput y = %1\n");
  const Graph live = drop_dead(graph);
  EXPECT_EQ(nodes_of(live), "%0 = activation(x) kind=relu @act\noutput y = %0\n");
  EXPECT_TRUE(live.states().empty());
}

TEST(FoldBatchNorm, FoldsIntoTheConvolutionBefore) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kConv + kNorm + kConvLine + "%1 = batch_norm_inference(%0, " + kNormInputs +
                               ") eps=0.001 @bn\noutput y = %1\n");
  EXPECT_EQ(nodes_of(fold_batch_norm(graph)), "%0, %1 = fold_batch_norm(conv.weight, " + kNormInputs +
                                                  ") eps=0.001 @bn\n"
                                                  "%2 = conv2d(x, %0, %1) stride=1,1 padding=0,0,0,0 groups=1 @conv\noutput y = %2\n");
}

TEST(FoldBatchNorm, LeavesAConvolutionWithAnotherReaderAlone) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kConv + kNorm + kConvLine + "%1 = batch_norm_inference(%0, " + kNormInputs +
                               ") eps=0.001 @bn\noutput y = %1\noutput z = %0\n");
  EXPECT_EQ(print(fold_batch_norm(graph)), print(graph));
}

TEST(FoldBatchNorm, LeavesWeightsThatTrainAlone) {
  const Graph graph =
      graph_of("input x f32[2,4,3,3]\ninput rate f32[]\n" + kConv + kNorm + "optimizer v f32[4,4,1,1] stored=[4,4,1,1] init=constant:0\n" +
               kConvLine + "%1 = batch_norm_inference(%0, " + kNormInputs +
               ") eps=0.001 @bn\n%2, %3 = sgd_update(conv.weight, conv.weight, v, rate) momentum=0.9 weight_decay=0 rate_scale=1 "
               "nesterov=no @u\nnext conv.weight = %2\nnext v = %3\noutput y = %1\n");
  EXPECT_EQ(print(fold_batch_norm(graph)), print(graph));
}

std::string linear_step(const std::string& more, const std::string& pixels = "1,1", const std::string& kernel = "1,1") {
  return "input x f32[2,4096," + pixels + "]\ninput dy f32[2,1024," + (pixels == kernel ? "1,1" : pixels) + "]\ninput rate f32[]\n" +
         "parameter w f32[1024,4096," + kernel + "] stored=[1024,4096," + kernel + "] init=normal:0.5\n" + "optimizer v f32[1024,4096," +
         kernel + "] stored=[1024,4096," + kernel + "] init=constant:0\n" +
         "%0 = conv2d_weight_grad(x, dy) stride=1,1 padding=0,0,0,0 groups=1 kernel=" + kernel + " @w\n" +
         "%1, %2 = sgd_update(w, %0, v, rate) momentum=0.9 weight_decay=0 rate_scale=1 nesterov=no @u\nnext w = %1\nnext v = %2\n" + more;
}

TEST(FuseLinearUpdates, LargeGradientsAreUsedUpWhereTheyAreMade) {
  const std::string fused =
      "%0, %1 = linear_sgd_update(w, x, dy, v, rate) momentum=0.9 weight_decay=0 rate_scale=1 nesterov=no @u\nnext w = %0\nnext v = %1\n";
  EXPECT_EQ(nodes_of(fuse_linear_updates(graph_of(linear_step("", "3,2", "3,2")))), fused);
  const Graph graph = fuse_linear_updates(graph_of(linear_step("")));
  EXPECT_EQ(nodes_of(graph), fused);
  EXPECT_TRUE(graph.node(NodeId{0}).op.overwrites(0, 0));
  EXPECT_TRUE(graph.node(NodeId{0}).op.overwrites(3, 1));
  EXPECT_FALSE(graph.node(NodeId{0}).op.overwrites(2, 1));
}

TEST(FuseLinearUpdates, LeavesWhatOthersReadAndSmallOnesAndMapsAlone) {
  std::string small = linear_step("");
  for (size_t at; (at = small.find("1024")) != std::string::npos;) small.replace(at, 4, "1000");
  for (const std::string& text : {linear_step("output g = %0\n"), small, linear_step("", "7,7")})
    EXPECT_EQ(print(fuse_linear_updates(graph_of(text))), print(graph_of(text)));
}

const std::string kInferenceNorm = "batch_norm_inference(x, " + kNormInputs + ") eps=0.001 @bn\n";
const std::string kAffine = "%0 = batch_norm_affine(bn.weight, bn.bias, bn.running_var) eps=0.001 @bn\n";

TEST(ApplyBatchNorm, TakesResidualAndActivation) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\ninput r f32[2,4,3,3]\n" + kNorm + "%0 = " + kInferenceNorm +
                               "%1 = add(r, %0) @add\n%2 = activation(%1) kind=silu @act\noutput y = %2\n");
  EXPECT_EQ(nodes_of(apply_batch_norm(graph)),
            kAffine + "%1 = batch_norm_apply(x, bn.running_mean, %0, r) residual=yes activation=silu @bn\noutput y = %1\n");
}

TEST(ApplyBatchNorm, LeavesWhatOthersReadToThem) {
  const std::string begin = "input x f32[2,4,3,3]\n" + kNorm + "%0 = " + kInferenceNorm + "%1 = activation(%0) kind=relu @act\n";
  EXPECT_EQ(nodes_of(apply_batch_norm(graph_of(begin + "output y = %1\n"))),
            kAffine + "%1 = batch_norm_apply(x, bn.running_mean, %0) residual=no activation=relu @bn\noutput y = %1\n");
  EXPECT_EQ(nodes_of(apply_batch_norm(graph_of(begin + "output y = %1\noutput z = %0\n"))),
            kAffine +
                "%1 = batch_norm_apply(x, bn.running_mean, %0) residual=no activation=identity @bn\n"
                "%2 = activation(%1) kind=relu @act\noutput y = %2\noutput z = %1\n");
}

TEST(ApplyBatchNorm, OfTwoNormsInASumTheLaterOneTakesIt) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kNorm + "%0 = " + kInferenceNorm + "%1 = " + kInferenceNorm +
                               "%2 = add(%0, %1) @add\noutput y = %2\n");
  EXPECT_EQ(nodes_of(apply_batch_norm(graph)), kAffine +
                                                   "%1 = batch_norm_apply(x, bn.running_mean, %0) residual=no activation=identity @bn\n"
                                                   "%2 = batch_norm_affine(bn.weight, bn.bias, bn.running_var) eps=0.001 @bn\n"
                                                   "%3 = batch_norm_apply(x, bn.running_mean, %2, %1) residual=yes "
                                                   "activation=identity @bn\noutput y = %3\n");
}

TEST(ApplyBatchNorm, LeavesVectorsThatChangeAlone) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\ninput g f32[1,4,1,1]\n" + kNorm +
                               "%0 = batch_norm_inference(x, g, bn.bias, bn.running_mean, bn.running_var) eps=0.001 @bn\noutput y = %0\n");
  EXPECT_EQ(print(apply_batch_norm(graph)), print(graph));
}

const std::string kScale = "parameter gamma f32[1,4,1,1] stored=[4] init=constant:1e-06\n";

TEST(FoldChannelScale, IntoWeightsAndBiasSoThatTheAdditionFollows) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kConv + "parameter conv.bias f32[1,4,1,1] stored=[4] init=constant:0\n" + kScale +
                               "%0 = conv2d(x, conv.weight, conv.bias) stride=1,1 padding=0,0,0,0 groups=1 @conv\n"
                               "%1 = multiply(%0, gamma) @scale\n%2 = add(%1, x) @add\noutput y = %2\n");
  const std::string weights =
      "%0 = view(gamma) shape=[4,1,1,1] @scale\n%1 = multiply(conv.weight, %0) @scale\n%2 = multiply(conv.bias, gamma) @scale\n";
  const Graph folded = fold_channel_scale(graph);
  EXPECT_EQ(nodes_of(folded),
            weights + "%3 = conv2d(x, %1, %2) stride=1,1 padding=0,0,0,0 groups=1 @conv\n%4 = add(%3, x) @add\noutput y = %4\n");
  EXPECT_EQ(nodes_of(fuse_conv_epilogue(folded)),
            weights +
                "%3 = fused_conv2d(x, %1, %2, x) stride=1,1 padding=0,0,0,0 groups=1 bias=yes residual=yes activation=identity @conv\n"
                "output y = %3\n");
}

TEST(FoldChannelScale, OnEitherSideAndWithoutABias) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kConv + kScale + kConvLine + "%1 = multiply(gamma, %0) @scale\noutput y = %1\n");
  EXPECT_EQ(nodes_of(fold_channel_scale(graph)),
            "%0 = view(gamma) shape=[4,1,1,1] @scale\n%1 = multiply(conv.weight, %0) @scale\n"
            "%2 = conv2d(x, %1) stride=1,1 padding=0,0,0,0 groups=1 @conv\noutput y = %2\n");
}

TEST(FoldChannelScale, LeavesAGateATrainedScaleAnotherShapeAndASecondReaderAlone) {
  const std::string start = "input x f32[2,4,3,3]\ninput rate f32[]\ninput gate f32[2,4,1,1]\n" + kConv + kScale;
  const std::string velocity = "optimizer v f32[1,4,1,1] stored=[4] init=constant:0\n", scale = "%1 = multiply(%0, gamma) @scale\n";
  for (const std::string& text : {
           start + kConvLine + "%1 = multiply(%0, gate) @scale\noutput y = %1\n",
           start + velocity + kConvLine + scale +
               "%2, %3 = sgd_update(gamma, gamma, v, rate) momentum=0.9 weight_decay=0 rate_scale=1 nesterov=no @u\n"
               "next gamma = %2\nnext v = %3\noutput y = %1\n",
           start + "parameter plane f32[1,1,3,3] stored=[3,3] init=constant:1\n" + kConvLine +
               "%1 = multiply(%0, plane) @scale\noutput y = %1\n",
           start + kConvLine + scale + "output y = %1\noutput z = %0\n",
           start + "%0 = activation(x) kind=relu @act\n" + scale + "output y = %1\n",
       }) {
    const Graph graph = graph_of(text);
    EXPECT_EQ(print(fold_channel_scale(graph)), print(graph));
  }
}

TEST(FuseEpilogue, TakesAddAndActivation) {
  const Graph graph =
      graph_of("input x f32[2,4,3,3]\n" + kConv + kConvLine + "%1 = add(%0, x) @add\n%2 = activation(%1) kind=relu @act\noutput y = %2\n");
  EXPECT_EQ(nodes_of(fuse_conv_epilogue(graph)),
            "%0 = fused_conv2d(x, conv.weight, x) stride=1,1 padding=0,0,0,0 groups=1 bias=no residual=yes activation=relu @conv\noutput y "
            "= %0\n");
}

TEST(FuseEpilogue, OfTwoConvolutionsTheLaterTakesTheSum) {
  const Graph graph = graph_of("input x f32[2,4,3,3]\n" + kConv + kConvLine +
                               "%1 = conv2d(x, conv.weight) stride=1,1 padding=0,0,0,0 groups=1 @second\n"
                               "%2 = add(%0, %1) @add\noutput y = %2\n");
  EXPECT_EQ(
      nodes_of(fuse_conv_epilogue(graph)),
      kConvLine +
          "%1 = fused_conv2d(x, conv.weight, %0) stride=1,1 padding=0,0,0,0 groups=1 bias=no residual=yes activation=identity @second\n"
          "output y = %1\n");
}

TEST(FuseEpilogue, LeavesABroadcastAndASecondReaderAlone) {
  const Graph broadcast =
      graph_of("input x f32[2,4,3,3]\ninput g f32[2,4,1,1]\n" + kConv + kConvLine + "%1 = add(%0, g) @add\noutput y = %1\n");
  EXPECT_EQ(print(fuse_conv_epilogue(broadcast)), print(broadcast));
  const Graph twice =
      graph_of("input x f32[2,4,3,3]\n" + kConv + kConvLine + "%1 = activation(%0) kind=silu @act\noutput y = %1\noutput z = %0\n");
  EXPECT_EQ(print(fuse_conv_epilogue(twice)), print(twice));
}

// A residual unit with its gradients: the texts before and after are what the header of the pass shows.
std::string residual_unit(const std::string& activation) {
  return "input x f32[2,4,3,3]\ninput r f32[2,4,3,3]\ninput dy f32[2,4,3,3]\n" + kNorm + "%0, %1, %2, %3, %4 = batch_norm_training(x, " +
         kNormInputs +
         ") eps=0.001 momentum=0.1 residual=no activation=identity @bn\n"
         "%5 = add(%0, r) @add\n"
         "%6 = activation(%5) kind=" +
         activation + " @act\nnext bn.running_mean = %3\nnext bn.running_var = %4\noutput y = %6\n";
}

Graph with_gradients(const std::string& text) {
  Graph graph = graph_of(text);
  const std::vector<ValueId> wanted{*graph.find_input("x"), graph.find_state("bn.weight")->value, *graph.find_input("r")};
  const std::vector<ValueId> present(graph.find_input("r") ? wanted : std::vector<ValueId>(wanted.begin(), wanted.begin() + 2));
  const auto gradients = autodiff::gradients(graph, *graph.find_output("y"), *graph.find_input("dy"), present);
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i].valid()) graph.output("g" + std::to_string(i), gradients[i]);
  }
  return graph;
}

TEST(FuseBatchNorm, ResidualAndReluInBothDirections) {
  const std::string text = nodes_of(drop_dead(fuse_batch_norm(with_gradients(residual_unit("relu")))));
  EXPECT_THAT(text, testing::HasSubstr("batch_norm_training(x, " + kNormInputs +
                                       ", r) eps=0.001 momentum=0.1 residual=yes activation=relu with_affine=no @bn"));
  EXPECT_THAT(text, testing::HasSubstr(
                        "batch_norm_training_grad(dy, x, bn.weight, %1, %2, %0) eps=0.001 with_beta=no residual=yes activation=relu"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("activation_grad")));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("add(")));
}

TEST(FuseBatchNorm, AnActivationOfTheSumWhoseDerivativeNeedsItStays) {
  const std::string text = nodes_of(drop_dead(fuse_batch_norm(with_gradients(residual_unit("silu")))));
  EXPECT_THAT(text, testing::HasSubstr("residual=yes activation=identity with_affine=no @bn"));
  EXPECT_THAT(text, testing::HasSubstr("activation_grad("));
}

TEST(FuseBatchNorm, ActivationAloneIsComputedAgainFromTheArgument) {
  const std::string unit = "input x f32[2,4,3,3]\ninput dy f32[2,4,3,3]\ninput r f32[2,4,3,3]\n" + kNorm +
                           "%0, %1, %2, %3, %4 = batch_norm_training(x, " + kNormInputs +
                           ") eps=0.001 momentum=0.1 residual=no activation=identity @bn\n%5 = activation(%0) kind=silu @act\n"
                           "next bn.running_mean = %3\nnext bn.running_var = %4\noutput y = %5\n";
  const std::string text = nodes_of(drop_dead(fuse_batch_norm(with_gradients(unit))));
  EXPECT_THAT(text, testing::HasSubstr("residual=no activation=silu with_affine=no @bn"));
  EXPECT_THAT(text, testing::HasSubstr(
                        "batch_norm_training_grad(dy, x, bn.weight, %1, %2, bn.bias) eps=0.001 with_beta=yes residual=no activation=silu"));
}

TEST(PlaceUpdates, RightAfterTheLastReader) {
  const Graph graph = graph_of(
      "input x f32[1,4,1,1]\ninput rate f32[]\nparameter p f32[1,4,1,1] stored=[4] init=constant:1\n"
      "optimizer v f32[1,4,1,1] stored=[4] init=constant:0\n"
      "%0 = add(x, p) @a\n%1 = activation(%0) kind=relu @b\n%2 = activation(%1) kind=relu @c\n"
      "%3, %4 = sgd_update(p, x, v, rate) momentum=0.9 weight_decay=0 rate_scale=1 nesterov=no @u\n"
      "next p = %3\nnext v = %4\noutput y = %2\n");
  const Graph placed = place_updates(graph);
  verify(placed);
  EXPECT_EQ(placed.node(NodeId{1}).op.name(), "sgd_update");
}

TEST(Retype, ChangesFloatsOnly) {
  const Graph graph = graph_of(
      "input x f32[1,4,2,2]\ninput n i64[]\n%0, %1 = max_pool2d(x) kernel=2,2 stride=2,2 padding=0,0,0,0 @p\n%2 = constant() dtype=f32 "
      "shape=[] value=1 @c\n"
      "output y = %0\noutput c = %2\n");
  const Graph doubles = retype(graph, DType::f64);
  verify(doubles);
  EXPECT_EQ(to_string(doubles.type(*doubles.find_output("y"))), "f64[1,4,1,1]");
  EXPECT_EQ(to_string(doubles.type(*doubles.find_output("c"))), "f64[]");
  EXPECT_EQ(doubles.type(*doubles.find_input("n")).dtype, DType::i64);
}

TEST(SplitFrozen, CutsWhereTrainingBegins) {
  const Graph graph =
      graph_of("input x f32[2,4,3,3]\n" + kConv + "parameter head.weight f32[2,4,1,1] stored=[2,4] init=normal:1\n" + kConvLine +
               "%1 = global_average_pool(%0) @pool\n"
               "%2 = conv2d(%1, head.weight) stride=1,1 padding=0,0,0,0 groups=1 @head\noutput logits = %2\n");
  const SplitGraph split = split_frozen(graph, {"conv.weight"}, {"x"});
  verify(split.prefix);
  verify(split.suffix);
  EXPECT_EQ(print(split.prefix), "input x f32[2,4,3,3]\n" + kConv + kConvLine + "%1 = global_average_pool(%0) @pool\noutput cut.0 = %1\n");
  EXPECT_EQ(print(split.suffix),
            "input cut.0 f32[2,4,1,1]\nparameter head.weight f32[2,4,1,1] stored=[2,4] init=normal:1\n"
            "%0 = conv2d(cut.0, head.weight) stride=1,1 padding=0,0,0,0 groups=1 @head\noutput logits = %0\n");
  const SplitGraph nothing = split_frozen(graph, {}, {"x"});
  EXPECT_EQ(nothing.prefix.node_count(), 0u);
  EXPECT_EQ(print(nothing.suffix), print(graph));
}

TEST(SplitFrozen, WeightsOnTheirWayAreNoCut) {
  const std::string state = "parameter w f32[4,4,1,1] stored=[4,4,1,1] init=normal:0.5\n";
  const std::string standard = "standardize_weight(w) eps=1e-08 @conv\n";
  const Graph graph = graph_of(
      "input x f32[2,4,3,3]\n" + state + "parameter v f32[4,4,1,1] stored=[4,4,1,1] init=normal:0.5\n%0 = " + standard +
      "%1 = conv2d(x, %0) stride=1,1 padding=0,0,0,0 groups=1 @a\n" + "%2 = conv2d(%1, v) stride=1,1 padding=0,0,0,0 groups=1 @b\n" +
      "%3 = conv2d(%2, %0) stride=1,1 padding=0,0,0,0 groups=1 @c\noutput y = %3\n");
  const SplitGraph split = split_frozen(graph, {"w"}, {"x"});
  verify(split.prefix);
  verify(split.suffix);
  EXPECT_EQ(print(split.prefix), "input x f32[2,4,3,3]\n" + state + "%0 = " + standard +
                                     "%1 = conv2d(x, %0) stride=1,1 padding=0,0,0,0 groups=1 @a\noutput cut.0 = %1\n");
  EXPECT_EQ(nodes_of(split.suffix), "%0 = conv2d(cut.0, v) stride=1,1 padding=0,0,0,0 groups=1 @b\n%1 = " + standard +
                                        "%2 = conv2d(%0, %1) stride=1,1 padding=0,0,0,0 groups=1 @c\noutput y = %2\n");
}

// A convolution, a norm with its activation, a second convolution, a mean; 128 KiB a map.
Graph two_convolutions() {
  const std::string conv = " stride=1,1 padding=0,0,0,0 groups=1";
  Graph graph = graph_of("input x f32[2,4,64,64]\n" + kNorm + kConv + "parameter b.weight f32[4,4,1,1] stored=[4,4,1,1] init=normal:0.5\n" +
                         "%0 = conv2d(x, conv.weight)" + conv + " @a\n%1, %2, %3, %4, %5 = batch_norm_training(%0, " + kNormInputs +
                         ") eps=0.001 momentum=0.1 residual=no activation=identity with_affine=no @bn\n%6 = activation(%1) kind=relu @act\n"
                         "%7 = conv2d(%6, b.weight)" +
                         conv +
                         " @b\n%8 = sum_to(%7) shape=[1,1,1,1] @sum\n"
                         "next bn.running_mean = %4\nnext bn.running_var = %5\noutput loss = %8\n");
  const std::vector<ValueId> wanted{graph.find_state("conv.weight")->value, graph.find_state("bn.weight")->value,
                                    graph.find_state("b.weight")->value};
  const auto gradients = autodiff::gradients(graph, *graph.find_output("loss"), wanted);
  for (size_t i = 0; i < gradients.size(); ++i) graph.output("g" + std::to_string(i), gradients[i]);
  return drop_dead(fuse_batch_norm(graph));
}

constexpr DeviceTraits kDevice{.multiply_adds_per_second = 4, .bytes_per_second = 1};

TEST(Recompute, ANormIsMadeAgainOfItsScaleAndOffset) {
  const std::string text = nodes_of(recompute(two_convolutions(), {.device = &kDevice, .share = 1}));
  EXPECT_THAT(text, testing::HasSubstr("activation=relu with_affine=yes @bn"));
  EXPECT_THAT(text, testing::ContainsRegex("(%[0-9]+) = batch_norm_apply\\(%0, %2, %6\\) residual=no activation=relu @again:bn\n"
                                           "%[0-9]+ = conv2d_weight_grad\\(%"));
}

TEST(Recompute, NothingWithoutTime) {
  EXPECT_EQ(print(recompute(two_convolutions(), {.device = &kDevice, .share = 0})), print(two_convolutions()));
}

TEST(Recompute, OutputsAndGraphsWithoutALossStay) {
  Graph graph = graph_of("input x f32[2,4,64,64]\n" + kConv + "%0 = activation(x) kind=relu @act\n%1 = conv2d(%0, conv.weight)" +
                         " stride=1,1 padding=0,0,0,0 groups=1 @conv\noutput y = %1\n");
  EXPECT_EQ(print(recompute(graph, {.device = &kDevice, .share = 1, .arena_bytes = 0})), print(graph));
}

}  // namespace
}  // namespace fovea::passes
