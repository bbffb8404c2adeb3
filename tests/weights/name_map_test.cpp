// Names of other layouts: tests/data/weights/layouts.txt has the parameters of each pair of networks side by side.
#include "weights/name_map.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "weights/load.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

struct Side {
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> shapes;
};

struct Network {
  std::string kind, left_name, right_name;
  Side left, right;
};

std::vector<int64_t> read_shape(const std::string& text) {
  std::vector<int64_t> shape;
  std::istringstream dims(text == "-" ? "" : text);
  for (std::string dim; std::getline(dims, dim, ',');) shape.push_back(std::stoll(dim));
  return shape;
}

std::vector<Network> networks(const std::string& kind) {
  std::vector<Network> result;
  std::ifstream in(data("layouts.txt"));
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string a, b, left_shape, right_shape;
    words >> a >> b >> left_shape;
    if (!(words >> right_shape)) {
      result.push_back({a, b, left_shape, {}, {}});
      continue;
    }
    Network& network = result.back();
    network.left.names.push_back(a);
    network.right.names.push_back(b);
    network.left.shapes.push_back(read_shape(left_shape));
    network.right.shapes.push_back(read_shape(right_shape == "=" ? left_shape : right_shape));
  }
  std::erase_if(result, [&](const Network& network) { return network.kind != kind; });
  return result;
}

// The file's tensors, each holding its place, go to the model's names at the same places.
void expect_loads(const Side& file, const Side& model, const std::string& map) {
  EXPECT_EQ(choose_name_map(file.names, model.names).name(), map);
  StateDict dict;
  std::vector<ExpectedTensor> expected;
  std::vector<float> places(file.names.size());
  std::iota(places.begin(), places.end(), 0.0f);
  for (size_t i = 0; i < file.names.size(); ++i) {
    // Of the first value alone: nothing reads the others where no type is converted.
    dict.add(file.names[i], Tensor::wrap(DType::f32, file.shapes[i], nullptr, &places[i]));
    expected.push_back({model.names[i], model.shapes[i]});
  }
  size_t assigned = 0;
  const LoadReport report = match(dict, expected, {}, [&](size_t i, const Tensor& tensor) {
    ++assigned;
    EXPECT_EQ(tensor.values<float>()[0], static_cast<float>(i)) << model.names[i];
    EXPECT_EQ(tensor.shape(), model.shapes[i]) << model.names[i];
  });
  EXPECT_EQ(assigned, model.names.size());
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty() && report.left_out.empty());
}

TEST(Layouts, TorchvisionAndTimmBothWays) {
  const std::map<std::string, std::string> families = {{"vgg11_bn", "vgg"},
                                                       {"efficientnet_b0", "efficientnet"},
                                                       {"efficientnet_v2_s", "efficientnet-v2"},
                                                       {"efficientnet_v2_m", "efficientnet-v2"},
                                                       {"mobilenet_v2", "mobilenet-v2"},
                                                       {"mobilenet_v3_large", "mobilenet-v3-large"},
                                                       {"mobilenet_v3_small", "mobilenet-v3-small"},
                                                       {"convnext_tiny", "convnext"},
                                                       {"vit_b_16", "vit"},
                                                       {"vit_b_32", "vit"}};
  const auto all = networks("torchvision-timm");
  ASSERT_EQ(all.size(), families.size());
  for (const Network& network : all) {
    SCOPED_TRACE(network.left_name);
    const std::string& family = families.at(network.left_name);
    expect_loads(network.left, network.right, "torchvision-" + family);
    expect_loads(network.right, network.left, "timm-" + family);
    expect_loads(network.left, network.left, "none");
  }
}

TEST(Layouts, ConvNeXtsAuthorsToEither) {
  const auto timm = networks("authors-timm"), torchvision = networks("torchvision-timm");
  ASSERT_EQ(timm.size(), 2u);
  for (const Network& network : timm) expect_loads(network.left, network.right, "facebook-convnext");
  const auto tiny = std::find_if(torchvision.begin(), torchvision.end(), [](const Network& n) { return n.left_name == "convnext_tiny"; });
  ASSERT_NE(tiny, torchvision.end());
  std::map<std::string, std::string> to_torchvision;
  for (size_t i = 0; i < tiny->right.names.size(); ++i) to_torchvision[tiny->right.names[i]] = tiny->left.names[i];
  std::vector<std::string> expected;
  for (const std::string& name : timm[0].right.names) expected.push_back(to_torchvision.at(name));
  EXPECT_EQ(choose_name_map(timm[0].left.names, tiny->left.names).apply(timm[0].left.names, tiny->left.names), expected);
}

TEST(Layouts, ANameThatTheModelLacksStillBecomesOneOfItsLayout) {
  const std::vector<std::string> model = {"stem.0.weight", "stages.0.blocks.0.gamma"};
  const std::vector<std::string> file = {"features.0.0.weight", "features.1.0.layer_scale", "classifier.2.weight"};
  const auto mapped = choose_name_map(file, model).apply(file, model);
  EXPECT_EQ(mapped[2], "head.fc.weight");  // so that a head that is left as it is is found by its prefix
}

TEST(NameMap, TransformersOldNames) {
  const std::vector<std::string> old = {"class_token", "encoder.layers.encoder_layer_11.mlp.linear_1.weight",
                                        "encoder.layers.encoder_layer_11.mlp.linear_2.bias"};
  const std::vector<std::string> torchvision = {"class_token", "encoder.layers.encoder_layer_11.mlp.0.weight",
                                                "encoder.layers.encoder_layer_11.mlp.3.bias"};
  const std::vector<std::string> timm = {"cls_token", "blocks.11.mlp.fc1.weight", "blocks.11.mlp.fc2.bias"};
  EXPECT_EQ(choose_name_map(old, torchvision).apply(old, torchvision), torchvision);
  EXPECT_EQ(choose_name_map(old, timm).apply(old, timm), timm);
}

TEST(NameMap, WhatOnlyTheTrainingOfDinoNeededIsLeftOut) {
  StateDict dict;
  for (const char* name : {"backbone.cls_token", "backbone.mask_token", "backbone.blocks.0.ls1.gamma", "dino_head.mlp.0.weight"})
    dict.add(name, Tensor(DType::f32, {1}));
  const std::vector<ExpectedTensor> model = {{"cls_token", {1}}, {"blocks.0.ls1.gamma", {1}}};
  const LoadReport report = match(dict, model, {}, [](size_t, const Tensor&) {});
  EXPECT_EQ(report.loaded.size(), 2u);
  EXPECT_EQ(report.left_out, (std::vector<std::string>{"backbone.mask_token", "dino_head.mlp.0.weight"}));
  EXPECT_EQ(report.summary(), "2 of 2 tensors loaded (names by facebook-dino, 2 left out, first 'backbone.mask_token')");
  StateDict published;
  for (const char* name : {"cls_token", "mask_token", "blocks.0.ls1.gamma"}) published.add(name, Tensor(DType::f32, {1}));
  EXPECT_EQ(match(published, model, {}, [](size_t, const Tensor&) {}).left_out, std::vector<std::string>{"mask_token"});
}

TEST(NameMap, ListsInBracesAndBothDirections) {
  const char* rules = "a.{1..3}.*.{x,y} <-> b.{4,5,6}.*.{z,w}\ndrop c.**\nd.{0,1} -> e.{2,3}";
  EXPECT_CONTAINS(message_of([&] { NameMap("m", "a.{1,2} <-> b.{3}"); }), "the lists of a.{1,2} and b.{3} differ");
  const NameMap forward("m", rules);
  const std::vector<std::string> file = {"a.2.q.y", "a.4.q.y", "c.anything", "d.1", "b.5.q.w"};
  EXPECT_EQ(forward.apply(file, {}), (std::vector<std::string>{"b.5.q.w", "a.4.q.y", "", "e.3", "b.5.q.w"}));
  const NameMap backward("m", rules, NameMap::Direction::backward);
  EXPECT_EQ(backward.apply(file, {}), (std::vector<std::string>{"a.2.q.y", "a.4.q.y", "c.anything", "d.1", "a.2.q.y"}));
}

struct Lite0Row {
  std::string old_name, new_name;
  std::vector<int64_t> shape;
};

// The published file's names beside timm's, in order; by tests/data/weights/generate.py.
std::vector<Lite0Row> lite0_rows() {
  std::vector<Lite0Row> rows;
  std::ifstream in(data("lite0_names.txt"));
  for (Lite0Row row; in >> row.old_name >> row.new_name;) {
    std::string shape;
    in >> shape;
    row.shape.clear();
    std::istringstream dims(shape == "-" ? "" : shape);
    for (std::string dim; std::getline(dims, dim, ',');) row.shape.push_back(std::stoll(dim));
    rows.push_back(row);
  }
  return rows;
}

TEST(NameMap, Lite0ToTimmEveryNameAndShape) {
  const auto rows = lite0_rows();
  ASSERT_EQ(rows.size(), 296u);
  std::vector<std::string> file, model;
  StateDict dict;
  std::vector<ExpectedTensor> expected;
  for (const Lite0Row& row : rows) {
    file.push_back(row.old_name);
    model.push_back(row.new_name);
    const bool counter = row.shape.empty();
    dict.add(row.old_name, Tensor(counter ? DType::i64 : DType::f32, row.shape));
    expected.push_back({row.new_name, row.shape, counter, counter ? DType::i64 : DType::f32});
  }
  EXPECT_EQ(choose_name_map(file, model).name(), "efficientnet-pytorch");
  EXPECT_EQ(find_name_map("efficientnet-pytorch").apply(file, model), model);
  std::vector<size_t> assigned;
  const LoadReport report = match(dict, expected, {}, [&](size_t i, const Tensor& tensor) {
    assigned.push_back(i);
    EXPECT_EQ(tensor.raw(), dict[i].tensor.raw()) << model[i];
  });
  EXPECT_EQ(assigned.size(), 296u);
  EXPECT_EQ(report.loaded.size(), 296u);
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty() && report.reshaped.empty());
  EXPECT_EQ(report.summary(), "296 of 296 tensors loaded (names by efficientnet-pytorch)");
}

TEST(NameMap, SqueezeAndExcitationBlocks) {
  const std::vector<std::string> model = {"blocks.0.0.conv_dw.weight", "blocks.0.0.se.conv_reduce.bias",   "blocks.0.0.conv_pw.weight",
                                          "blocks.1.0.conv_pw.weight", "blocks.1.0.se.conv_expand.weight", "blocks.1.0.conv_pwl.weight"};
  const std::vector<std::string> file = {"_blocks.0._depthwise_conv.weight", "_blocks.0._se_reduce.bias",
                                         "_blocks.0._project_conv.weight",   "_blocks.1._expand_conv.weight",
                                         "_blocks.1._se_expand.weight",      "_blocks.1._project_conv.weight"};
  EXPECT_EQ(choose_name_map(file, model).apply(file, model), model);
}

TEST(NameMap, BlocksThatTheModelLacksKeepTheirNames) {
  const std::vector<std::string> model = {"blocks.0.0.conv_pwl.weight"};
  const std::vector<std::string> file = {"_blocks.0._project_conv.weight", "_blocks.1._project_conv.weight",
                                         "_blocks.99999999999._bn0.weight", "_blocks.x._bn0.weight", "_blocks.._bn0.weight"};
  const auto mapped = find_name_map("efficientnet-pytorch").apply(file, model);
  EXPECT_EQ(mapped[0], "blocks.0.0.conv_pwl.weight");
  for (size_t i = 1; i < file.size(); ++i) EXPECT_EQ(mapped[i], file[i]);
}

TEST(NameMap, DenseNetsDottedNames) {
  const std::vector<std::string> model = {"features.conv0.weight", "features.denseblock1.denselayer12.norm1.running_mean",
                                          "features.denseblock1.denselayer12.conv2.weight"};
  const std::vector<std::string> file = {"features.conv0.weight", "features.denseblock1.denselayer12.norm.1.running_mean",
                                         "features.denseblock1.denselayer12.conv.2.weight"};
  EXPECT_EQ(choose_name_map(file, model).name(), "densenet-dotted");
  EXPECT_EQ(choose_name_map(file, model).apply(file, model), model);
  EXPECT_EQ(choose_name_map(model, model).name(), "none");
}

TEST(NameMap, UnknownMapAndBadRule) {
  EXPECT_CONTAINS(message_of([] { (void)find_name_map("x"); }), "there are none, efficientnet-pytorch, densenet-dotted");
  EXPECT_CONTAINS(message_of([] { NameMap("m", "a => b"); }), "cannot read the rule 'a => b'");
}

}  // namespace
}  // namespace fovea::weights
