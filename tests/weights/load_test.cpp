#include "weights/load.h"

#include <set>

#include "weights/name_map.h"
#include "weights/published.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

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

StateDict dict_of(const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors, DType dtype = DType::f32) {
  StateDict dict;
  for (const auto& [name, shape] : tensors) dict.add(name, Tensor(dtype, shape));
  return dict;
}

const std::function<void(size_t, const Tensor&)> kIgnore = [](size_t, const Tensor&) {};

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
  EXPECT_EQ(find_published("tf_efficientnet_lite0").name_map, "efficientnet-pytorch");
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

TEST(Load, ReportsMissingUnexpectedReshapedSkipped) {
  const StateDict file = dict_of(
      {{"a.weight", {3, 2}}, {"b.weight", {4, 4, 1, 1}}, {"c.num_batches_tracked", {}}, {"fc.weight", {9, 4}}, {"aux.weight", {1}}});
  const std::vector<ExpectedTensor> model = {{"a.weight", {3, 2, 1, 1}},          {"b.weight", {4, 4}},  {"b.bias", {4}},
                                             {"d.num_batches_tracked", {}, true}, {"fc.weight", {2, 4}}, {"fc.bias", {2}}};
  LoadOptions options;
  options.skip = {"fc."};
  options.allow_missing = options.allow_unexpected = true;
  std::vector<std::string> shapes;
  const LoadReport report =
      match(file, model, options, [&](size_t i, const Tensor& tensor) { shapes.push_back(model[i].name + shape_string(tensor.shape())); });
  EXPECT_EQ(shapes, (std::vector<std::string>{"a.weight[3,2,1,1]", "b.weight[4,4]"}));
  EXPECT_EQ(report.loaded, (std::vector<std::string>{"a.weight", "b.weight"}));
  EXPECT_EQ(report.missing, (std::vector<std::string>{"b.bias", "d.num_batches_tracked"}));
  EXPECT_EQ(report.unexpected, (std::vector<std::string>{"c.num_batches_tracked", "aux.weight"}));
  EXPECT_EQ(report.skipped, (std::vector<std::string>{"fc.weight", "fc.bias"}));
  ASSERT_EQ(report.reshaped.size(), 2u);
  EXPECT_EQ(report.reshaped[0].from, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(report.summary(),
            "2 of 4 tensors loaded (2 missing, first 'b.bias', 2 unexpected, first 'c.num_batches_tracked', 2 reshaped, first 'a.weight', "
            "2 skipped)");

  options.allow_missing = false;
  options.model = "net";
  EXPECT_EQ(message_of([&] { match(file, model, options, kIgnore); }),
            "holds 5 tensors like 'a.weight', 1 of the 3 of net are missing, first 'b.bias'");
  options.allow_missing = true;
  options.allow_unexpected = false;
  EXPECT_EQ(message_of([&] { match(file, model, options, kIgnore); }), "holds 5 tensors, 1 of them are not in net, first 'aux.weight'");
}

TEST(Load, AWrongShapeNamesBothAndNothingIsAssigned) {
  const StateDict file = dict_of({{"x", {1}}, {"layer1.0.conv1.weight", {64, 3, 7, 7}}});
  const std::vector<ExpectedTensor> model = {{"x", {1}}, {"layer1.0.conv1.weight", {64, 64, 1, 1}}};
  ErrorKind kind{};
  bool assigned = false;
  EXPECT_EQ(message_of([&] { match(file, model, {}, [&](size_t, const Tensor&) { assigned = true; }); }, &kind),
            "layer1.0.conv1.weight: shape [64,3,7,7] in the file, [64,64,1,1] in the model");
  EXPECT_EQ(kind, ErrorKind::mismatch);
  EXPECT_FALSE(assigned);
}

TEST(Load, AWrongArchitectureGetsOneLineWhateverIsAllowed) {
  const StateDict file = dict_of({{"conv_stem.weight", {1}}, {"fc.weight", {1}}});
  const std::vector<ExpectedTensor> model = {{"layer1.weight", {1}}, {"layer2.weight", {1}}, {"fc.weight", {1}}};
  LoadOptions options;
  options.model = "resnet50";
  options.allow_missing = options.allow_unexpected = true;
  EXPECT_EQ(message_of([&] { match(file, model, options, kIgnore); }),
            "holds 2 tensors like 'conv_stem.weight', 2 of the 3 of resnet50 are missing, first 'layer1.weight'");
}

TEST(Load, ConvertsHalvesAndRefusesIntegersForFloats) {
  StateDict file;
  Tensor half(DType::f16, {2});
  static_cast<uint16_t*>(half.mutable_raw())[1] = 0x3C00;  // 1.0
  file.add("w", half);
  const std::vector<ExpectedTensor> model = {{"w", {2}}};
  float value = 0;
  match(file, model, {}, [&](size_t, const Tensor& tensor) { value = tensor.values<float>()[1]; });
  EXPECT_EQ(value, 1.0f);
  EXPECT_EQ(message_of([&] {
              match(dict_of({{"w", {2}}}, DType::i64), model, {}, kIgnore);
            }),
            "w: elements of i64 in the file, f32 in the model");
}

TEST(Load, TwoNamesThatBecomeOne) {
  const StateDict file = dict_of({{"_fc.weight", {1}}, {"classifier.weight", {1}}, {"_fc.bias", {1}}});
  const std::vector<ExpectedTensor> model = {{"classifier.weight", {1}}, {"classifier.bias", {1}}};
  EXPECT_CONTAINS(message_of([&] { match(file, model, {}, kIgnore); }),
                  "both '_fc.weight' and 'classifier.weight' would be 'classifier.weight'");
}

TEST(Published, EveryRowIsWhole) {
  std::set<std::string> defaults, keys;
  for (const PublishedWeights& row : published_weights()) {
    EXPECT_TRUE(keys.insert(row.model + " " + row.tag).second) << row.model;
    EXPECT_TRUE(!row.is_default || defaults.insert(row.model).second) << row.model;
    EXPECT_GE(row.sha256.size(), 8u);
    EXPECT_EQ(row.sha256.find_first_not_of("0123456789abcdef"), std::string::npos);
    // The publisher puts the digest's first digits last in the name.
    EXPECT_CONTAINS(row.file, "-" + row.sha256.substr(0, 8) + ".pth");
    EXPECT_FALSE(row.licence.empty() || row.layout.empty());
    EXPECT_NO_THROW((void)find_name_map(row.name_map));
    EXPECT_GE(row.preprocessing.resize, row.preprocessing.width);
  }
  EXPECT_EQ(published_weights().size(), 21u);
  for (const PublishedWeights& row : published_weights()) EXPECT_TRUE(defaults.count(row.model)) << row.model;
}

TEST(Published, LooksUpByModelAndTag) {
  EXPECT_EQ(find_published("resnet50").tag, "IMAGENET1K_V2");
  const PublishedWeights& first = find_published("resnet50", "IMAGENET1K_V1");
  EXPECT_EQ(first.file, "resnet50-0676ba61.pth");
  EXPECT_EQ(first.preprocessing.resize, 256);
  EXPECT_EQ(find_published("efficientnet_v2_l").preprocessing.mean[0], 0.5f);
  EXPECT_EQ(find_published("efficientnet_b1", "IMAGENET1K_V1").preprocessing.width, 240);
  EXPECT_EQ(find_published("efficientnet_b1", "IMAGENET1K_V1").preprocessing.interpolation, Interpolation::bicubic);
  EXPECT_EQ(look_up_published("resnet51"), nullptr);
  EXPECT_CONTAINS(message_of([] { (void)find_published("resnet50", "V9"); }),
                  "resnet50 has no weights 'V9'; there are IMAGENET1K_V1, IMAGENET1K_V2");
  EXPECT_CONTAINS(message_of([] { (void)find_published("resnet51"); }),
                  "no weights are published for 'resnet51'; there are some for tf_efficientnet_lite0, resnet18");
}

}  // namespace
}  // namespace fovea::weights
