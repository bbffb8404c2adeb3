// ONNX's checker and ONNX Runtime on what is exported (scripts/get_onnx_tools.sh), against fovea's own answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "base/atomic_file.h"
#include "base/file.h"
#include "base/random.h"
#include "export/networks.h"
#include "export/onnx_writer.h"
#include "export/preprocess.h"

namespace fovea::onnx {
namespace {

std::string tools() {
  const char* given = std::getenv("FOVEA_ONNX_TOOLS");
  return given ? given : std::string(FOVEA_SOURCE_DIR) + "/build/onnx-tools";
}

// Everything in the folder through check_onnx.py.
void check(const Folder& folder) {
  const std::string script = std::string(FOVEA_SOURCE_DIR) + "/tests/export/check_onnx.py", report = folder / "report";
  const std::string command =
      "PYTHONPATH='" + tools() + "' python3 '" + script + "' '" + folder.path().string() + "' >'" + report + "' 2>&1";
  const int status = std::system(command.c_str());
  EXPECT_EQ(status, 0) << read_text(report);
  std::cout << read_text(report);
}

class OnnxRuntimeSlow : public testing::Test {
 protected:
  void SetUp() override {
    if (std::filesystem::exists(tools() + "/onnxruntime")) return;
    const char* required = std::getenv("FOVEA_REQUIRE_ONNX");
    if (required && std::string(required) == "1") FAIL() << "there is no ONNX Runtime in " << tools();
    GTEST_SKIP() << "there is no ONNX Runtime in " << tools() << "; scripts/get_onnx_tools.sh gets it";
  }
};

// The model's file and what it must answer.
void add_case(const Folder& folder, const std::string& name, const Model& model, const ExportOptions& options) {
  const Tensor images = random_images(model, 3);
  export_onnx(model, folder / (name + ".onnx"), options);
  save_npy(images, folder / (name + ".images.npy"));
  for (const auto& [output, values] : model.features(images, options.outputs)) save_npy(values, folder / (name + "." + output + ".npy"));
}

struct Network {
  const char* name;
  int64_t height, width;
  bool batch_norm;
};

class OnnxRuntimeNetworkSlow : public OnnxRuntimeSlow, public testing::WithParamInterface<Network> {};

TEST_P(OnnxRuntimeNetworkSlow, AnswersAlike) {
  const Network& row = GetParam();
  const Folder folder;
  const Model model = network(row.name, row.height, row.width);
  ExportOptions options;
  options.outputs = {"pooled", "pre_logits"};
  if (!model.classes().empty()) options.outputs.push_back("logits");
  const std::vector<TapInfo> taps = model.taps();
  for (size_t i : {size_t{0}, taps.size() / 2, taps.size() - 1}) options.outputs.push_back(taps[i].name);
  if (taps.back().tokens > 0) options.outputs.push_back(taps.back().name + ":tokens");
  add_case(folder, "folded", model, options);
  options.fold_batch_norm = false;
  if (row.batch_norm) add_case(folder, "kept", model, options);
  check(folder);
}

constexpr Network kNetworks[] = {
    {"resnet18", 64, 96, true},
    {"test_resnet", 64, 97, true},
    {"ecaresnet26t", 64, 64, true},
    {"resnetv2_50", 64, 64, true},
    {"resnetv2_50x1_bit", 64, 96, false},
    {"vgg11", 64, 96, false},
    {"vgg11_bn", 224, 224, true},
    {"timm/vgg11", 64, 96, false},
    {"densenet121", 64, 64, true},
    {"densenetblur121d", 64, 64, true},
    {"mobilenetv1_100", 64, 64, true},
    {"mobilenet_v2", 64, 64, true},
    {"mobilenet_v3_small", 64, 96, true},
    {"efficientnet_b0", 64, 64, true},
    {"tf_efficientnet_lite0", 64, 97, true},
    {"mixnet_s", 64, 64, true},
    {"mobilenetv4_conv_blur_medium", 64, 96, true},
    {"test_efficientnet_gn", 64, 96, false},
    {"test_efficientnet_ln", 64, 96, false},
    {"convnext_atto_ols", 64, 96, false},
    {"convnext_tiny", 64, 96, false},
    {"convnextv2_atto", 64, 96, false},
    {"vit_b_32", 96, 128, false},
    {"deit_tiny_patch16_224", 64, 80, false},
    {"vit_small_patch14_dinov2", 56, 70, false},
    {"test_vit3", 64, 80, false},
    {"test_vit4", 64, 80, false},
    {"vit_pwee_patch16_reg1_gap_256", 64, 80, false},
    {"vit_dpwee_patch16_reg1_gap_256", 64, 80, false},
};
INSTANTIATE_TEST_SUITE_P(Slow, OnnxRuntimeNetworkSlow, testing::ValuesIn(kNetworks), [](const auto& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
});

TEST_F(OnnxRuntimeSlow, AnswersAlikeForATrainedModel) {
  const Folder folder, pictures;
  draw_pictures(pictures);
  Model model = Model::load("resnet18", {.weights = "none"});
  Preprocessing small;
  small.height = small.width = 64;
  model.set_preprocessing(small);
  TrainOptions options;
  options.recipe = Recipe::full;
  options.optimizer.epochs = 4;
  options.optimizer.batch_size = 4;
  train(model, pictures.path().string(), options);
  ASSERT_EQ(model.classes().size(), 2u);
  add_case(folder, "trained", model, {.outputs = {"logits"}});
  check(folder);
}

TEST_F(OnnxRuntimeSlow, AnswersAlikeForEveryHead) {
  const Folder folder;
  for (const HeadKind kind : {HeadKind::mlp, HeadKind::concat_pool}) {
    Model model = network("resnet18", 64, 64);
    model.replace_head({"a", "b", "c"}, 1, {.kind = kind, .hidden = 40});
    add_case(folder, kind == HeadKind::mlp ? "mlp" : "concat_pool", model, {.outputs = {"logits"}});
    add_case(folder, kind == HeadKind::mlp ? "mlp_kept" : "concat_pool_kept", model, {.outputs = {"logits"}, .fold_batch_norm = false});
  }
  check(folder);
}

// The steps before a network, alone, and what fovea makes of two pictures of a size.
void add_preparation(const Folder& folder, const std::string& name, const Preprocessing& p, int64_t height, int64_t width) {
  Graph graph;
  graph.input("image", {DType::f32, {kBatch, 3, p.height, p.width}});
  Translation to(graph, std::vector<Constant>(1), {"image", "prepared"});
  to.set_outputs({{"prepared", preprocess(to, p, "image")}});
  OnnxModel model;
  model.name = name;
  model.inputs = {{"image", DType::u8, {{-1, "batch"}, {-1, "height"}, {-1, "width"}, {3}}}};
  model.outputs = {{"prepared", DType::f32, {{-1, "batch"}, {3}, {p.height}, {p.width}}}};
  model.nodes = to.take_nodes();
  model.initializers = to.take_initializers();
  write_text(folder / (name + ".onnx"), serialize(model));

  Tensor pictures(DType::u8, {2, height, width, 3}), prepared(DType::f32, {2, 3, p.height, p.width});
  const RandomStream noise(3, name);
  const auto bytes = pictures.mutable_values<uint8_t>();
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(noise.bits(i / 30) + noise.bits(i) % 64);
  for (int64_t n = 0; n < 2; ++n) {
    const Tensor one = fovea::preprocess(image_from_memory(bytes.data() + n * 3 * height * width, width, height), p);
    std::copy_n(one.values<float>().begin(), one.size(), prepared.mutable_values<float>().begin() + n * one.size());
  }
  save_npy(pictures, folder / (name + ".images.npy"));
  save_npy(prepared, folder / (name + ".prepared.npy"));
}

// check_onnx.py allows bytes one level apart. Nearest is not among the interpolations: which of two neighbours is nearer is a matter of the
// last bit. A squashed crop is bicubic in every network that has one; bilinear, ties of both directions of a small picture meet, and a few
// bytes are two levels apart.
TEST_F(OnnxRuntimeSlow, PreparesPicturesAlike) {
  const Folder folder;
  Preprocessing p;
  p.mean = {0.5f, 0.4f, 0.3f};
  p.std = {1, 1, 1};
  for (const Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
    p.interpolation = interpolation;
    for (const Fit fit : {Fit::crop, Fit::pad, Fit::squash, Fit::squash_crop}) {
      if (fit == Fit::squash_crop && interpolation == Interpolation::bilinear) continue;
      p.fit = fit;
      for (const auto& [resize, height, width] : {std::array<int64_t, 3>{72, 64, 64}, {61, 48, 61}, {40, 64, 49}}) {
        p.resize = resize;
        p.height = height;
        p.width = width;
        const std::string name = to_string(fit) + "_" + to_string(interpolation) + "_" + std::to_string(resize);
        add_preparation(folder, name + "_wide", p, 97, 150);
        add_preparation(folder, name + "_high", p, 211, 83);
        add_preparation(folder, name + "_small", p, 31, 30);
        if (fit == Fit::pad || fit == Fit::squash) continue;
        p.resizer = Resizer::torchvision;
        add_preparation(folder, name + "_floor_wide", p, 97, 150);
        add_preparation(folder, name + "_floor_small", p, 31, 30);
        p.resizer = Resizer::pillow;
      }
    }
  }
  check(folder);
}

}  // namespace
}  // namespace fovea::onnx
