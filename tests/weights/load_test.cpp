#include "weights/load.h"

#include "weights/support.h"

namespace fovea::weights {
namespace {

StateDict dict_of(const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors, DType dtype = DType::f32) {
  StateDict dict;
  for (const auto& [name, shape] : tensors) dict.add(name, Tensor(dtype, shape));
  return dict;
}

const std::function<void(size_t, const Tensor&)> kIgnore = [](size_t, const Tensor&) {};

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

}  // namespace
}  // namespace fovea::weights
