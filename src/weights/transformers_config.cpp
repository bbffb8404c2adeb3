// config.json and preprocessor_config.json as the transformers library writes them. Their sizes say which of timm's networks it is.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include <optional>
#include <span>

#include "base/error.h"
#include "base/json.h"
#include "base/json_value.h"
#include "weights/config_json.h"
#include "weights/hub_folder.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

using nlohmann::json;

// ---- which network ----

std::vector<std::string> labels_of(const json& config) {
  const json* names = entry_of(config, "id2label");
  if (!names) return {};
  if (!names->is_object() || static_cast<int64_t>(names->size()) > kLargestCount) fail_entry("id2label", *names, "an object of names");
  std::vector<std::string> classes;
  bool named = false;
  for (size_t i = 0; i < names->size(); ++i) {
    const json* name = entry_of(*names, std::to_string(i));
    if (!name) fail(ErrorKind::format, "id2label has {} entries and none for {}", names->size(), i);
    classes.push_back(text_in(*name, "id2label"));
    named = named || classes.back() != fmt::format("LABEL_{}", i);  // the library's own names where there are none
  }
  return named ? classes : std::vector<std::string>();
}

// What the file was saved from: "ViTForImageClassification"; empty where it does not say.
std::string saved_from(const json& config) {
  const json* classes = entry_of(config, "architectures");
  return classes && classes->is_array() && !classes->empty() ? text_in(classes->front(), "architectures") : "";
}

// A transformer by its sizes. The values that a file leaves out are those that the library gives every one of these networks.
struct Transformer {
  const char* architecture;
  int64_t width, patch, layers, heads;
  int64_t inside = 4 * width;  // of the layers between attentions
};

std::string known_transformer(const json& config, const Transformer& usual, std::span<const Transformer> known) {
  const Transformer found{"",
                          count_or(config, "hidden_size", usual.width),
                          count_or(config, "patch_size", usual.patch),
                          count_or(config, "num_hidden_layers", usual.layers),
                          count_or(config, "num_attention_heads", usual.heads),
                          0};
  require_entry(config, "qkv_bias", true);
  if (const double eps = number_or(config, "layer_norm_eps", 1e-6); !(eps <= 1e-5))
    fail(ErrorKind::unsupported, "layer_norm_eps is {}; fovea has this network with 1e-6", eps);
  for (const Transformer& one : known) {
    if (one.width != found.width || one.patch != found.patch || one.layers != found.layers || one.heads != found.heads) continue;
    if (const int64_t inside = count_or(config, "intermediate_size", one.inside); inside != one.inside)
      fail(ErrorKind::unsupported, "intermediate_size is {}; fovea has this network with {}", inside, one.inside);
    return one.architecture;
  }
  fail(ErrorKind::unsupported, "{} layers of width {} with {} heads and patches of {}: fovea has no such network", found.layers,
       found.width, found.heads, found.patch);
}

void read_image_size(const json& config, int64_t otherwise, HubFolder& folder) {
  const json* size = entry_of(config, "image_size");
  const std::vector<int64_t> sides = !size              ? std::vector<int64_t>(2, otherwise)
                                     : size->is_array() ? counts_in(*size, "image_size")
                                                        : std::vector<int64_t>(2, count_in(*size, "image_size"));
  if (sides.size() != 2 || sides[0] < 1 || sides[1] < 1) fail_entry("image_size", *size, "a height and a width");
  folder.native_height = sides[0];
  folder.native_width = sides[1];
}

void read_vit(const json& config, HubFolder& folder) {
  constexpr Transformer kUsual{"", 768, 16, 12, 12};
  constexpr Transformer kKnown[] = {
      {"deit_tiny_patch16_224", 192, 16, 12, 3},   {"deit_small_patch16_224", 384, 16, 12, 6},  {"deit_base_patch16_224", 768, 16, 12, 12},
      {"vit_base_patch32_224", 768, 32, 12, 12},   {"vit_base_patch8_224", 768, 8, 12, 12},     {"vit_small_patch32_224", 384, 32, 12, 6},
      {"vit_large_patch16_224", 1024, 16, 24, 16}, {"vit_large_patch32_224", 1024, 32, 24, 16}, {"vit_huge_patch14_224", 1280, 14, 32, 16}};
  require_entry(config, "hidden_act", "gelu");
  folder.architecture = known_transformer(config, kUsual, kKnown);
  read_image_size(config, 224, folder);
}

// With a distillation token; without one it is a ViT.
void read_deit(const json& config, HubFolder& folder) {
  constexpr Transformer kUsual{"", 768, 16, 12, 12};
  constexpr Transformer kKnown[] = {{"deit_tiny_distilled_patch16_224", 192, 16, 12, 3},
                                    {"deit_small_distilled_patch16_224", 384, 16, 12, 6},
                                    {"deit_base_distilled_patch16_224", 768, 16, 12, 12}};
  require_entry(config, "hidden_act", "gelu");
  folder.architecture = known_transformer(config, kUsual, kKnown);
  read_image_size(config, 224, folder);
}

void read_dinov2(const json& config, HubFolder& folder) {
  constexpr Transformer kKnown[] = {{"vit_small_patch14_dinov2", 384, 14, 12, 6},
                                    {"vit_base_patch14_dinov2", 768, 14, 12, 12},
                                    {"vit_large_patch14_dinov2", 1024, 14, 24, 16},
                                    {"vit_giant_patch14_dinov2", 1536, 14, 40, 24}};
  constexpr Transformer kUsual{"", 768, 14, 12, 12};
  require_entry(config, "hidden_act", "gelu");
  require_entry(config, "mlp_ratio", 4);
  folder.architecture = known_transformer(config, kUsual, kKnown);
  require_entry(config, "use_swiglu_ffn", folder.architecture == kKnown[3].architecture);
  read_image_size(config, 224, folder);
}

void read_dinov2_with_registers(const json& config, HubFolder& folder) {
  require_entry(config, "num_register_tokens", 4);
  json complete = config;
  complete.emplace("patch_size", 16);  // the library's own default, which no published network has
  read_dinov2(complete, folder);
  folder.architecture.insert(folder.architecture.find("_dinov2"), "_reg4");
}

// The vision half of a network of pictures and texts, or the vision tower alone.
const json& tower_of(const json& config) {
  const json* tower = entry_of(config, "vision_config");
  return tower ? *tower : config;
}

void read_clip(const json& whole, HubFolder& folder) {
  const json& config = tower_of(whole);
  constexpr Transformer kUsual{"", 768, 32, 12, 12};
  constexpr Transformer kKnown[] = {
      {"vit_base_patch32_clip", 768, 32, 12, 12},         {"vit_base_patch16_clip", 768, 16, 12, 12},
      {"vit_large_patch14_clip", 1024, 14, 24, 16},       {"vit_huge_patch14_clip", 1280, 14, 32, 16},
      {"vit_giant_patch14_clip", 1408, 14, 40, 16, 6144}, {"vit_gigantic_patch14_clip", 1664, 14, 48, 16, 8192}};
  if (saved_from(whole) == "CLIPForImageClassification")
    fail(ErrorKind::unsupported, "is a CLIPForImageClassification, which classifies by the mean of its tokens; fovea has the vision tower");
  const std::string activation = text_or(config, "hidden_act", "quick_gelu");
  if (activation != "quick_gelu") require_entry(config, "hidden_act", "gelu");
  json complete = config;
  complete.emplace("intermediate_size", 3072u);
  folder.architecture = known_transformer(complete, kUsual, kKnown) + (activation == "quick_gelu" ? "_quickgelu" : "") + "_224";
  read_image_size(config, 224, folder);
}

void read_siglip(const json& whole, HubFolder& folder) {
  const json& config = tower_of(whole);
  constexpr Transformer kUsual{"", 768, 16, 12, 12};
  constexpr Transformer kKnown[] = {{"vit_base_patch16_siglip", 768, 16, 12, 12},
                                    {"vit_base_patch32_siglip", 768, 32, 12, 12},
                                    {"vit_large_patch16_siglip", 1024, 16, 24, 16},
                                    {"vit_so400m_patch14_siglip", 1152, 14, 27, 16, 4304},
                                    {"vit_so400m_patch16_siglip", 1152, 16, 27, 16, 4304}};
  require_entry(config, "hidden_act", "gelu_pytorch_tanh");
  const std::string network = known_transformer(config, kUsual, kKnown);
  // Without the attention that pools, and where it classifies, the mean of the tokens stands for them.
  const bool mean = saved_from(whole) == "SiglipForImageClassification" || !flag_or(config, "vision_use_head", true);
  const bool small = network == "vit_base_patch16_siglip" || network == "vit_so400m_patch14_siglip";
  folder.architecture = network + (mean ? "_gap" : "") + (small ? "_224" : "_256");
  read_image_size(config, 224, folder);
}

struct Stages {
  const char* architecture;
  std::vector<int64_t> depths, widths;
};

// The first is what the library builds where the file does not say.
std::string known_stages(const json& config, const std::vector<Stages>& known, const Stages& usual) {
  const std::vector<int64_t> depths = counts_or(config, "depths", usual.depths), widths = counts_or(config, "hidden_sizes", usual.widths);
  for (const Stages& one : known)
    if (one.depths == depths && one.widths == widths) return one.architecture;
  fail(ErrorKind::unsupported, "stages of [{}] layers and of [{}] channels: fovea has no such network", fmt::join(depths, ", "),
       fmt::join(widths, ", "));
}

void read_resnet(const json& config, HubFolder& folder) {
  for (const char* unusual : {"downsample_in_first_stage", "downsample_in_bottleneck"}) require_entry(config, unusual, false);
  require_entry(config, "hidden_act", "relu");
  require_entry(config, "embedding_size", 64);
  const std::vector<int64_t> narrow{64, 128, 256, 512}, wide{256, 512, 1024, 2048};
  const std::string type = text_or(config, "layer_type", "bottleneck");
  const Stages usual{"resnet50", {3, 4, 6, 3}, wide};
  if (type == "basic")
    folder.architecture = known_stages(config, {{"resnet18", {2, 2, 2, 2}, narrow}, {"resnet34", {3, 4, 6, 3}, narrow}}, usual);
  else if (type == "bottleneck")
    folder.architecture = known_stages(config, {usual, {"resnet101", {3, 4, 23, 3}, wide}, {"resnet152", {3, 8, 36, 3}, wide}}, usual);
  else
    fail_entry("layer_type", *entry_of(config, "layer_type"), "basic or bottleneck");
}

void read_bit(const json& config, HubFolder& folder) {
  require_entry(config, "layer_type", "preactivation");
  require_entry(config, "hidden_act", "relu");
  require_entry(config, "embedding_size", 64);
  require_entry(config, "num_groups", 32);
  require_entry(config, "output_stride", 32);
  require_entry(config, "embedding_dynamic_padding", false);
  if (const json* padding = entry_of(config, "global_padding"))
    fail(ErrorKind::unsupported, "global_padding is {}; fovea has this network with none", in_quotes(json_text(*padding)));
  const int64_t wider = count_or(config, "width_factor", 1);
  const Stages usual{"resnetv2_50", {3, 4, 6, 3}, {256, 512, 1024, 2048}};
  const std::string depth =
      known_stages(config, {usual, {"resnetv2_101", {3, 4, 23, 3}, usual.widths}, {"resnetv2_152", {3, 8, 36, 3}, usual.widths}}, usual);
  folder.architecture = fmt::format("{}x{}_bit", depth, wider);
}

void read_convnext(const json& config, HubFolder& folder) {
  require_entry(config, "hidden_act", "gelu");
  require_entry(config, "patch_size", 4);
  const Stages usual{"convnext_tiny", {3, 3, 9, 3}, {96, 192, 384, 768}};
  const std::vector<int64_t> deep{3, 3, 27, 3};
  folder.architecture = known_stages(config,
                                     {usual,
                                      {"convnext_small", deep, usual.widths},
                                      {"convnext_base", deep, {128, 256, 512, 1024}},
                                      {"convnext_large", deep, {192, 384, 768, 1536}},
                                      {"convnext_xlarge", deep, {256, 512, 1024, 2048}}},
                                     usual);
}

void read_convnextv2(const json& config, HubFolder& folder) {
  require_entry(config, "hidden_act", "gelu");
  require_entry(config, "patch_size", 4);
  const Stages usual{"convnextv2_tiny", {3, 3, 9, 3}, {96, 192, 384, 768}};
  const std::vector<int64_t> small{2, 2, 6, 2}, deep{3, 3, 27, 3};
  folder.architecture = known_stages(config,
                                     {usual,
                                      {"convnextv2_atto", small, {40, 80, 160, 320}},
                                      {"convnextv2_femto", small, {48, 96, 192, 384}},
                                      {"convnextv2_pico", small, {64, 128, 256, 512}},
                                      {"convnextv2_nano", {2, 2, 8, 2}, {80, 160, 320, 640}},
                                      {"convnextv2_small", deep, usual.widths},
                                      {"convnextv2_base", deep, {128, 256, 512, 1024}},
                                      {"convnextv2_large", deep, {192, 384, 768, 1536}},
                                      {"convnextv2_huge", deep, {352, 704, 1408, 2816}}},
                                     usual);
}

// TensorFlow's, whose padding and norms the library keeps.
void read_efficientnet(const json& config, HubFolder& folder) {
  constexpr std::pair<double, double> kScales[] = {{1, 1}, {1, 1.1}, {1.1, 1.2}, {1.2, 1.4}, {1.4, 1.8}, {1.6, 2.2}, {1.8, 2.6}, {2, 3.1}};
  require_entry(config, "hidden_act", "swish");
  require_entry(config, "pooling_type", "mean");
  const double width = number_or(config, "width_coefficient", 2), depth = number_or(config, "depth_coefficient", 3.1);
  for (size_t i = 0; i < std::size(kScales); ++i)
    if (kScales[i] == std::pair(width, depth)) folder.architecture = fmt::format("tf_efficientnet_b{}", i);
  if (folder.architecture.empty())
    fail(ErrorKind::unsupported, "width_coefficient is {} and depth_coefficient {}: fovea has no such EfficientNet", width, depth);
}

// TensorFlow's, whose padding and norms the library keeps. `widths` are the multipliers of the channels that fovea has, in percent.
std::string mobile_network(const json& config, const char* name, std::initializer_list<int> widths) {
  require_entry(config, "hidden_act", "relu6");
  require_entry(config, "min_depth", 8);
  require_entry(config, "tf_padding", true);
  require_entry(config, "layer_norm_eps", 0.001);
  const double wanted = number_or(config, "depth_multiplier", 1);
  for (const int percent : widths)
    if (std::abs(100 * wanted - percent) < 1e-9) return fmt::format("{}_{:03}", name, percent);
  fail(ErrorKind::unsupported, "depth_multiplier is {}; fovea has this network with {} hundredths", wanted, fmt::join(widths, ", "));
}

void read_mobilenet_v1(const json& config, HubFolder& folder) {
  folder.architecture = mobile_network(config, "tf_mobilenetv1", {25, 50, 75, 100});
}

void read_mobilenet_v2(const json& config, HubFolder& folder) {
  require_entry(config, "depth_divisible_by", 8);
  require_entry(config, "expand_ratio", 6);
  require_entry(config, "output_stride", 32);
  require_entry(config, "first_layer_is_expansion", true);
  require_entry(config, "finegrained_output", true);
  folder.architecture = mobile_network(config, "tf_mobilenetv2", {35, 50, 75, 100, 130, 140});
}

struct ModelType {
  std::string_view name;
  void (*read)(const json& config, HubFolder& folder);
};

constexpr ModelType kTypes[] = {{"vit", read_vit},
                                {"deit", read_deit},
                                {"dinov2", read_dinov2},
                                {"dinov2_with_registers", read_dinov2_with_registers},
                                {"clip", read_clip},
                                {"clip_vision_model", read_clip},
                                {"siglip", read_siglip},
                                {"siglip_vision_model", read_siglip},
                                {"resnet", read_resnet},
                                {"bit", read_bit},
                                {"convnext", read_convnext},
                                {"convnextv2", read_convnextv2},
                                {"efficientnet", read_efficientnet},
                                {"mobilenet_v1", read_mobilenet_v1},
                                {"mobilenet_v2", read_mobilenet_v2}};

// ---- how pictures are prepared ----

// As Pillow numbers them.
Interpolation resampling_of(const json& config) {
  const int64_t number = count_or(config, "resample", 3);
  if (number == 0) return Interpolation::nearest;
  if (number == 2) return Interpolation::bilinear;
  if (number == 3) return Interpolation::bicubic;
  fail(ErrorKind::unsupported, "resample is {}; fovea has 0 (nearest), 2 (bilinear) and 3 (bicubic)", number);
}

// Both sides, or the shorter one.
struct Sides {
  int64_t height = 0, width = 0, shortest = 0;
};

Sides sides_of(const json& value, const char* key, bool number_is_shortest) {
  Sides result;
  if (value.is_number())
    (number_is_shortest ? result.shortest : result.height) = result.width = count_in(value, key);
  else
    result = {count_or(value, "height", 0), count_or(value, "width", 0), count_or(value, "shortest_edge", 0)};
  if (result.shortest == 0 && (result.height < 1 || result.width < 1)) fail_entry(key, value, "a height and a width, or a shortest_edge");
  return result;
}

void fit_squashed(const Sides& size, Preprocessing& result) {
  result.height = size.height;
  result.width = size.width;
  result.resize = std::min(size.height, size.width);
  result.fit = Fit::squash;
}

// ConvNeXt's keeps a share of the picture, and from 384 pixels on all of it.
void fit_as_convnext(const json& config, const Sides& size, Preprocessing& result) {
  constexpr int64_t kSquashedFrom = 384;
  const int64_t side = size.shortest > 0 ? size.shortest : size.height;
  if (side >= kSquashedFrom) return fit_squashed({side, side, 0}, result);
  const double share = number_or(config, "crop_pct", 224.0 / 256);
  if (!(share > 0.01 && share <= 1)) fail_entry("crop_pct", *entry_of(config, "crop_pct"), "a share of the picture");
  result.height = result.width = side;
  result.resize = static_cast<int64_t>(static_cast<double>(side) / share);
}

void fit_cropped(const Sides& size, const Sides& crop, Preprocessing& result) {
  result.height = crop.height;
  result.width = crop.width;
  result.resize = size.shortest;
  if (size.shortest > 0) return;
  if (size.height == crop.height && size.width == crop.width) return fit_squashed(size, result);
  if (size.height * crop.width != size.width * crop.height)
    fail(ErrorKind::unsupported,
         "pictures are squashed to {}x{} and then cropped to {}x{}: fovea does so where both are of one shape alone", size.height,
         size.width, crop.height, crop.width);
  result.resize = std::min(size.height, size.width);
  result.fit = Fit::squash_crop;
}

void read_normalization(const json& config, const std::string& type, Preprocessing& result) {
  const bool normalizes = flag_or(config, "do_normalize", true);
  result.mean = normalizes ? three_or(config, "image_mean", {0.5f, 0.5f, 0.5f}) : std::vector<float>{0, 0, 0};
  result.std = normalizes ? three_or(config, "image_std", {0.5f, 0.5f, 0.5f}) : std::vector<float>{1, 1, 1};
  // EfficientNet's divides by the deviation twice, as its weights want it.
  if (normalizes && type.starts_with("EfficientNet") && flag_or(config, "include_top", true))
    for (float& deviation : result.std) deviation *= deviation;
  check_deviation(result);
  const double factor = number_or(config, "rescale_factor", 1.0 / 255);
  if (!flag_or(config, "do_rescale", true) || std::abs(factor * 255 - 1) > 1e-6 || flag_or(config, "rescale_offset", false))
    fail(ErrorKind::unsupported, "pictures are not scaled to 0..1, as fovea does");
}

}  // namespace

HubFolder read_transformers_config(const json& config) {
  const std::string type = text_in(config.at("model_type"), "model_type");
  HubFolder folder;
  std::string known;
  for (const ModelType& one : kTypes) {
    known += (known.empty() ? "" : ", ") + std::string(one.name);
    if (one.name == type) one.read(config, folder);
  }
  if (folder.architecture.empty()) fail(ErrorKind::unsupported, "model_type is {}; those that fovea reads are {}", in_quotes(type), known);
  folder.classes = labels_of(config);
  return folder;
}

Preprocessing read_transformers_preprocessing(const json& config) {
  Preprocessing result;
  result.resizer = Resizer::torchvision;
  const std::string type = text_or(config, "image_processor_type", text_or(config, "feature_extractor_type", ""));
  const bool convnext = entry_of(config, "crop_pct") || type.starts_with("ConvNext");
  read_normalization(config, type, result);
  result.interpolation = resampling_of(config);
  const json *size_entry = entry_of(config, "size"), *crop_entry = entry_of(config, "crop_size");
  const bool crops = flag_or(config, "do_center_crop", false) && crop_entry;
  const bool shortest = convnext || (crops && !type.starts_with("DeiT"));
  const Sides size = size_entry ? sides_of(*size_entry, "size", shortest) : Sides{224, 224, 0};
  if (convnext)
    fit_as_convnext(config, size, result);
  else if (crops)
    fit_cropped(size, sides_of(*crop_entry, "crop_size", false), result);
  else if (size.shortest > 0)
    result.height = result.width = result.resize = size.shortest;
  else
    fit_squashed(size, result);
  return result;
}

}  // namespace fovea::weights
