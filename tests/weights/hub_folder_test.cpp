// What config.json and preprocessor_config.json of a hub's folder say, and what is wrong with some.
#include "weights/hub_folder.h"

#include "base/json_value.h"
#include "weights/read_weights.h"
#include "weights/safetensors.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

using nlohmann::json;

json timm_config() {
  return {{"architecture", "resnet18"},
          {"num_classes", 2},
          {"label_names", {"n1", "n2"}},
          {"label_descriptions", {{"n1", "a cat"}, {"n2", "a dog"}}},
          {"pretrained_cfg",
           {{"tag", "mine"},
            {"input_size", {3, 288, 288}},
            {"crop_pct", 0.95},
            {"interpolation", "bicubic"},
            {"crop_mode", "center"},
            {"mean", {0.5, 0.4, 0.3}},
            {"std", {0.25, 0.25, 0.25}}}}};
}

class HubFolders : public testing::Test {
 protected:
  HubFolder read(const json& config, const json& processor = {}) {
    write_file(folder_ / "config.json", config.dump());
    std::filesystem::remove(folder_ / "preprocessor_config.json");
    if (!processor.is_null()) write_file(folder_ / "preprocessor_config.json", processor.dump());
    return read_hub_folder(folder_.path());
  }
  std::string error(const json& config, const json& processor = {}) {
    return message_of([&] { read(config, processor); });
  }
  std::string prepared(const json& processor) {
    return to_string(*read({{"model_type", "vit"}, {"hidden_size", 192}, {"num_attention_heads", 3}}, processor).preprocessing);
  }
  TemporaryFolder folder_;
};

TEST_F(HubFolders, OfTimm) {
  EXPECT_FALSE(is_hub_folder(folder_.path()));
  HubFolder found = read(timm_config());
  EXPECT_TRUE(is_hub_folder(folder_.path()));
  EXPECT_EQ(found.architecture, "resnet18");
  EXPECT_EQ(found.classes, (std::vector<std::string>{"a cat", "a dog"}));
  EXPECT_EQ(to_string(*found.preprocessing),
            "fit=crop|resize=303|size=288x288|interpolation=bicubic|alpha=white|mean=0.5,0.4,0.3|std=0.25,0.25,0.25");
  json config = timm_config();
  config["architecture"] = "vit_base_patch16_224.mae";
  config["model_args"] = {{"img_size", 384}, {"drop_rate", 0.1}, {"global_pool", "token"}};
  config["label_descriptions"] = {{"n1", "same"}, {"n2", "same"}};
  config["pretrained_cfg"]["crop_mode"] = "squash";
  found = read(config);
  EXPECT_EQ(found.architecture, "vit_base_patch16_224");
  EXPECT_EQ(found.native_height, 384);
  EXPECT_EQ(found.classes, (std::vector<std::string>{"n1", "n2"})) << "descriptions that are not told apart";
  EXPECT_EQ(found.preprocessing->fit, Fit::squash_crop);
  EXPECT_EQ(read({{"architecture", "resnet18"}, {"mean", {0.1, 0.2, 0.3}}}).preprocessing->mean[1], 0.2f) << "timm's first form";
}

TEST_F(HubFolders, WhatIsWrongWithThoseOfTimm) {
  const auto with = [&](const char* where, const json& value) {
    json config = timm_config();
    config[json::json_pointer(where)] = value;
    return error(config);
  };
  EXPECT_CONTAINS(with("/model_args/act_layer", "gelu"),
                  "config.json: model_args has 'act_layer': '\"gelu\"', which makes a network that fovea does not build");
  EXPECT_CONTAINS(with("/model_args/global_pool", "max"), "config.json: model_args has 'global_pool': '\"max\"'");
  EXPECT_CONTAINS(with("/pretrained_cfg/std", json({0, 1, 1})), "config.json: a standard deviation of 0");
  EXPECT_CONTAINS(with("/pretrained_cfg/mean", "red"), "mean is '\"red\"', three numbers expected");
  EXPECT_CONTAINS(with("/pretrained_cfg/input_size", json({3, 0, 5})), "input_size is '[3,0,5]', [channels, height, width] expected");
  EXPECT_CONTAINS(with("/pretrained_cfg/input_size", json({3, -1, 5})), "a whole number from 0 to");
  EXPECT_CONTAINS(with("/pretrained_cfg/crop_pct", 0), "crop_pct is '0', a share of the picture expected");
  EXPECT_CONTAINS(with("/pretrained_cfg/interpolation", "lanczos"), "interpolation 'lanczos', which fovea does not have");
  EXPECT_CONTAINS(with("/label_names", 3), "label_names is '3', a list of names expected");
  EXPECT_CONTAINS(error(json::array()), "config.json: is no JSON object");
  EXPECT_CONTAINS(error(json::object()), "has neither an architecture (as timm writes it) nor a model_type");
  write_file(folder_ / "config.json", "{\"architecture\": \"res");
  EXPECT_CONTAINS(message_of([&] { read_hub_folder(folder_.path()); }), "config.json: is no JSON");
}

TEST_F(HubFolders, OfTheTransformersLibrary) {
  const std::pair<json, const char*> networks[] = {
      {{{"model_type", "vit"}, {"hidden_size", 192}, {"num_attention_heads", 3}, {"intermediate_size", 768}}, "deit_tiny_patch16_224"},
      {{{"model_type", "deit"}, {"hidden_size", 384}, {"num_attention_heads", 6}, {"intermediate_size", 1536}},
       "deit_small_distilled_patch16_224"},
      {{{"model_type", "mobilenet_v1"}}, "tf_mobilenetv1_100"},
      {{{"model_type", "mobilenet_v1"}, {"depth_multiplier", 0.25}}, "tf_mobilenetv1_025"},
      {{{"model_type", "mobilenet_v2"}, {"depth_multiplier", 1.4}}, "tf_mobilenetv2_140"},
      {{{"model_type", "mobilenet_v2"}, {"depth_multiplier", 0.35}}, "tf_mobilenetv2_035"},
      {{{"model_type", "dinov2"}, {"hidden_size", 384}, {"num_attention_heads", 6}}, "vit_small_patch14_dinov2"},
      {{{"model_type", "dinov2_with_registers"}, {"patch_size", 14}}, "vit_base_patch14_reg4_dinov2"},
      {{{"model_type", "clip_vision_model"}}, "vit_base_patch32_clip_quickgelu_224"},
      {{{"model_type", "clip"},
        {"vision_config",
         {{"hidden_size", 1024},
          {"patch_size", 14},
          {"num_hidden_layers", 24},
          {"num_attention_heads", 16},
          {"intermediate_size", 4096},
          {"hidden_act", "gelu"}}}},
       "vit_large_patch14_clip_224"},
      {{{"model_type", "siglip"}, {"vision_config", json::object()}}, "vit_base_patch16_siglip_224"},
      {{{"model_type", "siglip"}, {"architectures", {"SiglipForImageClassification"}}}, "vit_base_patch16_siglip_gap_224"},
      {{{"model_type", "resnet"}}, "resnet50"},
      {{{"model_type", "resnet"}, {"layer_type", "basic"}, {"depths", {2, 2, 2, 2}}, {"hidden_sizes", {64, 128, 256, 512}}}, "resnet18"},
      {{{"model_type", "bit"}}, "resnetv2_50x1_bit"},
      {{{"model_type", "convnext"}}, "convnext_tiny"},
      {{{"model_type", "convnextv2"}, {"depths", {2, 2, 6, 2}}, {"hidden_sizes", {40, 80, 160, 320}}}, "convnextv2_atto"},
      {{{"model_type", "efficientnet"}, {"width_coefficient", 1.0}, {"depth_coefficient", 1.0}}, "tf_efficientnet_b0"},
  };
  for (const auto& [config, architecture] : networks) EXPECT_EQ(read(config).architecture, architecture) << config.dump();
  json named = networks[0].first;
  named["id2label"] = {{"0", "cat"}, {"1", "dog"}};
  EXPECT_EQ(read(named).classes, (std::vector<std::string>{"cat", "dog"}));
  named["id2label"] = {{"0", "LABEL_0"}, {"1", "LABEL_1"}};
  EXPECT_TRUE(read(named).classes.empty());
  named["id2label"] = {{"0", "cat"}, {"2", "dog"}};
  EXPECT_CONTAINS(error(named), "id2label has 2 entries and none for 1");
  EXPECT_CONTAINS(error({{"model_type", "bert"}}), "model_type is 'bert'; those that fovea reads are vit, deit, dinov2");
  EXPECT_CONTAINS(error({{"model_type", "vit"}, {"hidden_size", 100}}),
                  "12 layers of width 100 with 12 heads and patches of 16: fovea has no such network");
  EXPECT_CONTAINS(error({{"model_type", "vit"}, {"hidden_act", "relu"}}),
                  "hidden_act is '\"relu\"'; fovea has this network with \"gelu\" alone");
  EXPECT_CONTAINS(error({{"model_type", "mobilenet_v2"}, {"depth_multiplier", 0.6}}),
                  "depth_multiplier is 0.6; fovea has this network with 35, 50, 75, 100, 130, 140 hundredths");
  EXPECT_CONTAINS(error({{"model_type", "mobilenet_v1"}, {"tf_padding", false}}),
                  "tf_padding is 'false'; fovea has this network with true alone");
  EXPECT_CONTAINS(error({{"model_type", "convnext"}, {"depths", {1, 1}}}), "stages of [1, 1] layers and of [96, 192, 384, 768] channels");
}

TEST_F(HubFolders, HowTheTransformersLibraryPreparesPictures) {
  const auto with = [](const char* type, json rest) {
    rest["image_processor_type"] = type;
    return rest;
  };
  constexpr const char* kHalf = "|alpha=white|mean=0.5,0.5,0.5|std=0.5,0.5,0.5|resizer=torchvision";
  EXPECT_EQ(prepared(with("ViTImageProcessor", {{"size", 224}, {"resample", 2}})),
            std::string("fit=squash|resize=224|size=224x224|interpolation=bilinear") + kHalf);
  EXPECT_EQ(prepared(with("DeiTFeatureExtractor", {{"size", 256}, {"crop_size", 224}, {"do_center_crop", true}})),
            std::string("fit=squash_crop|resize=256|size=224x224|interpolation=bicubic") + kHalf);
  EXPECT_EQ(
      prepared(with("BitImageProcessor",
                    {{"size", {{"shortest_edge", 256}}}, {"crop_size", {{"height", 224}, {"width", 224}}}, {"do_center_crop", true}})),
      std::string("fit=crop|resize=256|size=224x224|interpolation=bicubic") + kHalf);
  EXPECT_EQ(prepared(with("ConvNextImageProcessor", {{"size", {{"shortest_edge", 224}}}, {"crop_pct", 0.875}})),
            std::string("fit=crop|resize=256|size=224x224|interpolation=bicubic") + kHalf);
  EXPECT_EQ(prepared(with("ConvNextFeatureExtractor", {{"size", 384}})),
            std::string("fit=squash|resize=384|size=384x384|interpolation=bicubic") + kHalf);
  EXPECT_EQ(prepared(with("EfficientNetImageProcessor", {{"size", {{"height", 346}, {"width", 346}}}, {"resample", 0}})),
            "fit=squash|resize=346|size=346x346|interpolation=nearest|alpha=white|mean=0.5,0.5,0.5|std=0.25,0.25,0.25|resizer=torchvision");
  const json vit = {{"model_type", "vit"}, {"hidden_size", 192}, {"num_attention_heads", 3}};
  EXPECT_CONTAINS(error(vit, {{"resample", 1}}),
                  "preprocessor_config.json: resample is 1; fovea has 0 (nearest), 2 (bilinear) and 3 (bicubic)");
  EXPECT_CONTAINS(error(vit, {{"do_rescale", false}}), "pictures are not scaled to 0..1");
  EXPECT_CONTAINS(error(vit, {{"size", {{"height", 0}}}}), "a height and a width, or a shortest_edge expected");
}

TEST_F(HubFolders, WeightsInShards) {
  write_file(folder_ / "config.json", "{}");
  EXPECT_CONTAINS(message_of([&] { read_weights(folder_.path()); }), "has no model.safetensors, no pytorch_model.bin and no index");
  const auto shard = [&](const char* file, const char* name) {
    StateDict one;
    one.add(name, Tensor(DType::f32, {2}));
    write_safetensors(folder_ / file, one);
  };
  shard("a.safetensors", "first");
  shard("b.safetensors", "second");
  const auto index = [&](const char* text) { write_file(folder_ / "model.safetensors.index.json", text); };
  index(R"({"weight_map": {"second": "b.safetensors", "first": "a.safetensors"}})");
  EXPECT_EQ(read_weights(folder_.path()).size(), 2u);
  index(R"({"weight_map": {"second": "a.safetensors", "third": "b.safetensors"}})");
  EXPECT_CONTAINS(message_of([&] { read_weights(folder_.path()); }), "'third' is said to lie in 'b.safetensors', which does not have it");
  index(R"({"weight_map": {"second": "../b.safetensors"}})");
  EXPECT_CONTAINS(message_of([&] { read_weights(folder_.path()); }),
                  "'second' is said to lie in '../b.safetensors', which is no file of this folder");
  index(R"({"weights": 1})");
  EXPECT_CONTAINS(message_of([&] { read_weights(folder_.path()); }), "index.json: has no weight_map");
  index(R"({"weight_map": {"first": "gone.safetensors"}})");
  EXPECT_CONTAINS(message_of([&] { read_weights(folder_.path()); }), "gone.safetensors");
}

Tensor filled(std::vector<int64_t> shape, float first) {
  Tensor tensor(DType::f32, std::move(shape));
  const auto values = tensor.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i);
  return tensor;
}

TEST_F(HubFolders, AttentionsBecomeOneTensor) {
  StateDict file;
  file.add("layer.0.attention.attention.key.weight", filled({2, 2}, 10));
  file.add("layer.0.attention.attention.query.weight", filled({2, 2}, 0));
  file.add("layer.0.attention.attention.value.weight", filled({2, 2}, 20));
  file.add("layers.1.self_attn.q_proj.bias", filled({1}, 1));  // alone: stays as it is
  file.add("head.attention.in_proj_bias", filled({3}, 5));
  file.add("embeddings.cls_token", filled({1, 1, 2}, 100));
  file.add("embeddings.position_embeddings", filled({1, 3, 2}, 1));
  file.add("embeddings.register_tokens", filled({1, 4, 2}, 0));
  write_safetensors(folder_ / "model.safetensors", file);
  const StateDict read = read_weights(folder_ / "model.safetensors");
  EXPECT_EQ(read.size(), 7u);
  const auto values = [&](const char* name) {
    const auto all = read.at(name).values<float>();
    return std::vector<float>(all.begin(), all.end());
  };
  EXPECT_EQ(read.at("layer.0.attention.attention.qkv.weight").shape(), (std::vector<int64_t>{6, 2}));
  EXPECT_EQ(values("layer.0.attention.attention.qkv.weight"), (std::vector<float>{0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23}));
  EXPECT_EQ(values("head.attention.q.bias"), (std::vector<float>{5}));
  EXPECT_EQ(values("head.attention.kv.bias"), (std::vector<float>{6, 7}));
  EXPECT_EQ(values("embeddings.cls_token"), (std::vector<float>{101, 103}));
  EXPECT_EQ(values("embeddings.position_embeddings"), (std::vector<float>{3, 4, 5, 6}));
  EXPECT_TRUE(read.find("layers.1.self_attn.q_proj.bias"));
  EXPECT_EQ(read_plain_weights(folder_ / "model.safetensors").size(), 8u);
}

}  // namespace
}  // namespace fovea::weights
