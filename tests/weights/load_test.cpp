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

// A network of two layers and a head of 3 classes for 4 features.
const std::vector<ExpectedTensor> kNet = {{"stem.weight", {4, 1, 3, 3}}, {"norm.weight", {4}},  {"norm.bias", {4}},
                                          {"norm.count", {}, true},      {"fc.weight", {3, 4}}, {"fc.bias", {3}}};
const HeadPlace kHead = {"fc", 4};

using Shapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;

Shapes body(const std::string& prefix) {
  return {{prefix + "stem.weight", {4, 1, 3, 3}}, {prefix + "norm.weight", {4}}, {prefix + "norm.bias", {4}}};
}

Shapes joined(Shapes a, const Shapes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Shapes linear(const std::string& name, int64_t outputs, int64_t inputs) {
  return {{name + ".weight", {outputs, inputs}}, {name + ".bias", {outputs}}};
}

TEST(Naming, ThePrefixUnderWhichMostOfTheNetworkLies) {
  struct Case {
    Shapes file;
    std::string prefix, note;
  };
  const Case cases[] = {
      {joined(body(""), linear("fc", 3, 4)), "", ""},
      {joined(body("0."), linear("0.fc", 3, 4)), "0.", "the network is what the file has under '0.'"},
      {joined(joined(body("0."), linear("fc", 3, 4)), {{"loss.weight", {2}}}), "0.", "the network is what the file has under '0.'"},
      {joined(joined(body("a.b.c."), linear("a.b.c.fc", 3, 4)), {{"a.d", {}}}), "a.b.c.",
       "the network is what the file has under 'a.b.c.'"},
      {joined(joined(body("student.net."), linear("student.net.fc", 3, 4)), joined(body("teacher.net."), linear("teacher.net.fc", 3, 4))),
       "teacher.net.",
       "the file has a network under 'teacher.net.' and under 'student.net.': the first is taken (FILE#NAME takes another)"},
      {joined(joined(body("encoder_k."), linear("encoder_k.fc", 3, 4)), joined(body("encoder_q."), linear("encoder_q.fc", 3, 4))),
       "encoder_q.", "the file has a network under 'encoder_q.' and under 'encoder_k.': the first is taken (FILE#NAME takes another)"},
  };
  for (const auto& [shapes, prefix, note] : cases) {
    const StateDict file = dict_of(shapes);
    const Naming naming = name_tensors(file, kNet, "", kHead);
    EXPECT_EQ(naming.prefix, prefix);
    EXPECT_EQ(naming.notes, note.empty() ? std::vector<std::string>{} : std::vector<std::string>{note});
    EXPECT_FALSE(naming.head_missing);
    LoadOptions options;
    options.head = kHead;
    const LoadReport report = match(file, kNet, options, kIgnore);
    EXPECT_EQ(report.loaded.size(), 5u) << prefix;
    EXPECT_EQ(report.notes, naming.notes);
  }
}

TEST(Naming, AHeadOfAnotherMakeIsFoundByItsShape) {
  for (const auto& [shapes, layer] : {std::pair<Shapes, std::string>{joined(body(""), linear("fc.1", 7, 4)), "fc.1"},
                                      {joined(body(""), linear("head.fc", 7, 4)), "head.fc"},
                                      {joined(body("0."), linear("1", 7, 4)), "1"},
                                      {joined(joined(body(""), linear("classifier.6", 7, 4)), linear("other", 2, 5)), "classifier.6"}}) {
    const StateDict file = dict_of(shapes);
    const Naming naming = name_tensors(file, kNet, "", kHead);
    ASSERT_FALSE(naming.notes.empty()) << layer;
    EXPECT_EQ(naming.notes.back(), "the head is '" + layer + "' in the file");
    for (size_t i = 0; i < file.size(); ++i) {
      for (const std::string last : {".weight", ".bias"}) EXPECT_EQ(file[i].name == layer + last, naming.names[i] == "fc" + last);
    }
  }
}

TEST(Naming, WhatIsNoClassifierIsNoHead) {
  const Shapes beside[] = {{},
                           joined(linear("fc.0", 4, 4), linear("fc.2", 2, 4)),   // two in a row
                           joined(linear("fc.0", 9, 4), linear("fc.2", 2, 9)),   // likewise
                           {{"proj.weight", {7, 4}}},                            // without a bias
                           {{"neck.weight", {7, 4, 1, 1}}, {"neck.bias", {7}}},  // a convolution
                           joined(linear("one", 7, 4), linear("two", 8, 4)),     // which of them?
                           joined(linear("roi_head", 7, 5), {{"anchors", {2, 4}}})};
  for (const Shapes& other : beside) {
    const StateDict file = dict_of(joined(body(""), other));
    const Naming naming = name_tensors(file, kNet, "", kHead);
    EXPECT_TRUE(naming.head_missing);
    ASSERT_FALSE(naming.notes.empty());
    EXPECT_EQ(naming.notes[0], "the file has no head that maps 4 features to classes: the network ends with its features");
    const std::vector<ExpectedTensor> headless(kNet.begin(), kNet.begin() + 4);
    LoadOptions options;
    options.head = kHead;
    options.head.absent = true;
    EXPECT_EQ(match(file, headless, options, kIgnore).loaded.size(), 3u);
  }
  // A part of the network that the model lacks is still another network.
  const StateDict deeper = dict_of(joined(body(""), {{"stem.more.weight", {4}}}));
  LoadOptions options;
  options.head = kHead;
  options.head.absent = true;
  EXPECT_CONTAINS(message_of([&] { match(deeper, std::vector<ExpectedTensor>(kNet.begin(), kNet.begin() + 4), options, kIgnore); }),
                  "1 of them are not in the model, first 'stem.more.weight'");
}

TEST(Naming, HiddenLayersOfAClassifierStartNewWhereTheyAreMissingToo) {
  std::vector<ExpectedTensor> model;
  for (const auto& [name, shape] : joined(body(""), body("layer1."))) model.push_back({name, shape});
  for (const char* name : {"classifier.0", "classifier.3"}) {
    model.push_back({std::string(name) + ".weight", {4, 4}});
    model.push_back({std::string(name) + ".bias", {4}});
  }
  const Naming naming = name_tensors(dict_of(joined(body(""), body("layer1."))), model, "", {"classifier.3", 4});
  EXPECT_TRUE(naming.head_missing);
  EXPECT_EQ(naming.start_new, std::vector<std::string>{"classifier."});
}

TEST(Load, CountersOfAnotherFloat) {
  StateDict file;
  Tensor counter(DType::f16, {2});
  static_cast<uint16_t*>(counter.mutable_raw())[0] = 0x4900;  // 10
  static_cast<uint16_t*>(counter.mutable_raw())[1] = 0x7C00;  // infinite: 65504 was passed
  file.add("count", counter);
  std::vector<int64_t> counts;
  match(file, std::vector<ExpectedTensor>{{"count", {2}, true, DType::i64}}, {},
        [&](size_t, const Tensor& tensor) { counts.assign(tensor.values<int64_t>().begin(), tensor.values<int64_t>().end()); });
  EXPECT_EQ(counts, (std::vector<int64_t>{10, 0}));
}

TEST(Load, WhatCannotBeUsedIsNamedWhereItIsNeeded) {
  StateDict file = dict_of(joined(body(""), {{"fc.bias", {3}}}));
  file.unusable = {{"extra", "is a quantized tensor"}, {"fc.weight", "has elements of type complex64"}};
  LoadOptions options;
  options.head = kHead;
  EXPECT_EQ(message_of([&] { match(file, kNet, options, kIgnore); }), "fc.weight has elements of type complex64");
  file.add("fc.weight", Tensor(DType::f32, {3, 4}));
  file.unusable.pop_back();
  EXPECT_EQ(match(file, kNet, options, kIgnore).loaded.size(), 5u);
}

}  // namespace
}  // namespace fovea::weights
