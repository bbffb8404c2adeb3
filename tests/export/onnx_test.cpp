// The file itself: structure, names, metadata, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "base/json_value.h"
#include "export/converters.h"
#include "export/networks.h"
#include "export/onnx_file.h"
#include "export/onnx_writer.h"
#include "ops/sum_to.h"

namespace fovea::onnx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

File exported(const Model& model, const ExportOptions& options = {}) {
  const Folder folder;
  export_onnx(model, folder / "model.onnx", options);
  return read_file(folder / "model.onnx");
}

// Bytewise equal to the checkpoint's.
void expect_parameter(const File& file, const Model& model, const std::string& name) {
  const auto found = file.initializers.find(name);
  ASSERT_NE(found, file.initializers.end()) << name;
  const Tensor tensor = model.state_dict().at(name);
  EXPECT_EQ(found->second.shape, tensor.shape()) << name;
  ASSERT_EQ(found->second.bytes.size(), tensor.bytes());
  EXPECT_EQ(std::memcmp(found->second.bytes.data(), tensor.raw(), tensor.bytes()), 0) << name;
}

template <class Call>
std::string error_of(ErrorKind kind, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Onnx, EveryNameIsMadeOnceAndBeforeItIsRead) {
  const File file = exported(network("resnet18", 64, 64), {.outputs = {"logits", "layer1", "pooled", "pre_logits"}});
  std::set<std::string> made{""}, nodes;
  for (const FileValue& input : file.inputs) EXPECT_TRUE(made.insert(input.name).second) << input.name;
  for (const auto& [name, tensor] : file.initializers) EXPECT_TRUE(made.insert(name).second) << name;
  for (const FileNode& node : file.nodes) {
    for (const std::string& input : node.inputs) EXPECT_TRUE(made.contains(input)) << node.name << " reads " << input;
    for (const std::string& output : node.outputs) EXPECT_TRUE(made.insert(output).second) << output;
    EXPECT_TRUE(nodes.insert(node.name).second) << node.name;
  }
  for (const FileValue& output : file.outputs) EXPECT_TRUE(made.contains(output.name)) << output.name;
}

TEST(Onnx, TheBatchIsFreeAndTheSizeIsFixed) {
  const File file = exported(network("resnet18", 64, 96), {.outputs = {"logits", "layer3"}});
  EXPECT_EQ(file.ir_version, 8);
  EXPECT_EQ(file.opset, 18);
  EXPECT_EQ(file.producer, "fovea");
  ASSERT_EQ(file.inputs.size(), 1u);
  EXPECT_EQ(file.inputs[0].name, "image");
  EXPECT_THAT(file.inputs[0].shape, ElementsAre("batch", "3", "64", "96"));
  ASSERT_EQ(file.outputs.size(), 2u);
  EXPECT_EQ(file.outputs[0].name, "logits");
  EXPECT_THAT(file.outputs[0].shape, ElementsAre("batch", "1000"));
  EXPECT_EQ(file.outputs[1].name, "layer3");
  EXPECT_THAT(file.outputs[1].shape, ElementsAre("batch", "256", "4", "6"));
}

TEST(Onnx, MetadataTellsWhatTheModelIs) {
  Model model = network("resnet18", 64, 64);
  model.replace_head(std::vector<std::string>{"caf\xc3\xa9", "the \"other\""});
  const File file = exported(model);
  EXPECT_EQ(file.metadata.at("fovea.architecture"), "resnet18");
  EXPECT_EQ(file.metadata.at("fovea.version"), file.version);
  EXPECT_EQ(parse_preprocessing(file.metadata.at("fovea.preprocessing")), model.preprocessing());
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("fovea.classes")).get<std::vector<std::string>>(), model.classes());
}

TEST(Onnx, BatchNormIsFoldedOrKept) {
  const Model model = network("resnet18", 64, 64);
  const File folded = exported(model), kept = exported(model, {.fold_batch_norm = false});
  EXPECT_EQ(folded.count("BatchNormalization"), 0);
  EXPECT_EQ(kept.count("BatchNormalization"), 20);
  EXPECT_EQ(folded.count("Conv"), 20);
  EXPECT_TRUE(folded.initializers.contains("conv1.weight:fold_batch_norm"));
  EXPECT_FALSE(folded.initializers.contains("conv1.weight"));
  for (const char* name : {"conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "layer4.1.conv2.weight"})
    expect_parameter(kept, model, name);
  for (const char* name : {"fc.weight", "fc.bias"}) {
    expect_parameter(kept, model, name);
    expect_parameter(folded, model, name);
  }
}

TEST(Onnx, OnlyWhatTheOutputsNeedIsThere) {
  const File file = exported(network("resnet18", 64, 64), {.outputs = {"layer1"}});
  EXPECT_EQ(file.count("Gemm"), 0);
  EXPECT_EQ(file.count("Conv"), 5);
  EXPECT_FALSE(file.initializers.contains("fc.weight"));
}

TEST(Onnx, TokensAreMatrixProducts) {
  const Model model = network("deit_tiny_patch16_224", 64, 64);
  const File file = exported(model, {.outputs = {"logits", "blocks.11:tokens"}});
  EXPECT_EQ(file.count("Conv"), 1);
  EXPECT_EQ(file.count("MatMul"), 12 * 6);
  EXPECT_THAT(file.outputs[1].shape, ElementsAre("batch", "17", "192"));
  expect_parameter(file, model, "blocks.3.norm1.weight");
  expect_parameter(file, model, "head.weight");
}

TEST(Onnx, PreprocessingMakesTheInputPictures) {
  const File file = exported(network("resnet18", 64, 64), {.preprocess = true});
  EXPECT_THAT(file.inputs[0].shape, ElementsAre("batch", "height", "width", "3"));
  EXPECT_EQ(file.inputs[0].type, 2);  // TensorProto.UINT8
  EXPECT_EQ(file.count("Resize"), 2);
  for (const FileNode& node : file.nodes) {
    if (node.op == "Resize") {
      EXPECT_EQ(node.ints.at("antialias"), 1);
    }
  }
}

TEST(Onnx, TheResultTellsWhatIsInTheFile) {
  const Folder folder;
  const ExportResult result = export_onnx(network("resnet18", 64, 64), folder / "model.onnx", {.preprocess = true});
  const File file = read_file(folder / "model.onnx");
  EXPECT_EQ(result.nodes, static_cast<int64_t>(file.nodes.size()));
  EXPECT_EQ(result.opset, file.opset);
  ASSERT_EQ(result.inputs.size(), 1u);
  EXPECT_EQ(result.inputs[0].dtype, DType::u8);
  EXPECT_THAT(result.inputs[0].shape, ElementsAre(-1, -1, -1, 3));
  ASSERT_EQ(result.outputs.size(), 1u);
  EXPECT_THAT(result.outputs[0].shape, ElementsAre(-1, 1000));
}

TEST(Onnx, WhatCannotBeGivenIsRefused) {
  const Model model = network("resnet18", 64, 64);
  const Folder folder;
  EXPECT_THAT(error_of(ErrorKind::usage, [&] { export_onnx(model, folder / "x.onnx", {.outputs = {"layer9"}}); }), HasSubstr("layer9"));
  EXPECT_THAT(error_of(ErrorKind::usage,
                       [&] {
                         export_onnx(model, folder / "x.onnx", {.outputs = {"layer1", "layer1"}});
                       }),
              HasSubstr("layer1"));
  EXPECT_THAT(error_of(ErrorKind::io, [&] { export_onnx(model, folder / "no/x.onnx"); }), HasSubstr("no/x.onnx"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Onnx, AnOperationWithoutAConverterIsNamed) {
  Graph graph;
  const ValueId image = graph.input("image", {DType::f32, {kBatch, 3, 4, 4}});
  const ValueId sum = graph.add(SumTo{{1, 3, 1, 1}}, {image}, "sum")[0];
  Translation to(graph, std::vector<Constant>(graph.value_count()), {});
  to.set(image, Layout::channels_first, "image");
  EXPECT_THAT(error_of(ErrorKind::unsupported, [&] { convert(to, graph.node(graph.value(sum).producer)); }), HasSubstr("sum_to"));
}

TEST(Onnx, MoreThanProtocolBuffersHoldIsRefused) {
  const float number = 0;  // of the tensor only the size is looked at
  OnnxModel model;
  model.name = "large";
  model.initializers = {{"weight", Tensor::wrap(DType::f32, {600'000'000}, nullptr, &number)}};
  EXPECT_THAT(error_of(ErrorKind::unsupported, [&] { serialize(model); }), HasSubstr("2400000000 bytes"));
}

TEST(Onnx, ClassesThatAreNoTextAreRefused) {
  Model model = network("resnet18", 64, 64);
  model.replace_head(std::vector<std::string>{"good", "b\xff\x64"});
  const Folder folder;
  error_of(ErrorKind::usage, [&] { export_onnx(model, folder / "x.onnx"); });
}

}  // namespace
}  // namespace fovea::onnx
