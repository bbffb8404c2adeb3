#include "weights/hub_folder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "weights/read_weights.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kLargestSide = 1 << 16;
constexpr size_t kMostClasses = 1 << 20;

json read_json(const fs::path& path) {
  return in_context(path.string(), [&] {
    try {
      json object = parse_json(read_text(path));
      if (!object.is_object()) fail(ErrorKind::format, "is no JSON object");
      return object;
    } catch (const json::exception&) {
      fail(ErrorKind::format, "is no JSON");
    }
  });
}

// Null where there is none, or where it is null.
const json* entry(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

[[noreturn]] void wrong(const char* key, const json& value, std::string_view expected) {
  fail(ErrorKind::format, "{} is {}, {} expected", key, in_quotes(json_text(value)), expected);
}

double number(const json& value, const char* key) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) wrong(key, value, "a number");
  return value.get<double>();
}

int64_t count(const json& value, const char* key) {
  if (!value.is_number_integer()) wrong(key, value, "a whole number");
  if (value.is_number_unsigned() ? value.get<uint64_t>() > uint64_t{kLargestSide} : value.get<int64_t>() < 0)
    wrong(key, value, fmt::format("a number from 0 to {}", kLargestSide));
  return value.get<int64_t>();
}

int64_t count_or(const json& object, const char* key, int64_t otherwise) {
  const json* value = entry(object, key);
  return value ? count(*value, key) : otherwise;
}

std::string text(const json& value, const char* key) {
  if (!value.is_string()) wrong(key, value, "a text");
  return value.get<std::string>();
}

std::string text_or(const json& object, const char* key, const char* otherwise) {
  const json* value = entry(object, key);
  return value ? text(*value, key) : otherwise;
}

bool flag_or(const json& object, const char* key, bool otherwise) {
  const json* value = entry(object, key);
  if (!value) return otherwise;
  if (!value->is_boolean()) wrong(key, *value, "true or false");
  return value->get<bool>();
}

std::array<float, 3> three(const json& object, const char* key, std::array<float, 3> otherwise) {
  const json* value = entry(object, key);
  if (!value) return otherwise;
  if (!value->is_array() || (value->size() != 3 && value->size() != 1)) wrong(key, *value, "three numbers");
  std::array<float, 3> result{};
  for (size_t i = 0; i < 3; ++i) result[i] = static_cast<float>(number((*value)[value->size() == 3 ? i : 0], key));
  return result;
}

std::vector<int64_t> counts(const json& value, const char* key) {
  if (!value.is_array()) wrong(key, value, "a list of numbers");
  std::vector<int64_t> result;
  for (const json& one : value) result.push_back(count(one, key));
  return result;
}

void check_std(const Preprocessing& preprocessing) {
  for (float deviation : preprocessing.std)
    if (!(std::abs(deviation) > 1e-12f)) fail(ErrorKind::format, "a standard deviation of {}", deviation);
}

// ---- timm ----

Interpolation timm_interpolation(const std::string& name) {
  if (name == "random") return Interpolation::bicubic;  // of training; timm evaluates with its default
  if (name == "bilinear" || name == "bicubic" || name == "nearest") return parse_interpolation(name);
  fail(ErrorKind::unsupported, "interpolation {}, which fovea does not have", in_quotes(name));
}

Preprocessing timm_preprocessing(const json& config) {
  Preprocessing result;
  std::vector<int64_t> size{3, 224, 224};
  if (const json* given = entry(config, "input_size")) size = counts(*given, "input_size");
  if (size.size() != 3 || size[1] < 1 || size[2] < 1) wrong("input_size", *entry(config, "input_size"), "[channels, height, width]");
  result.height = size[1];
  result.width = size[2];
  result.interpolation = timm_interpolation(text_or(config, "interpolation", "bicubic"));
  const json* share = entry(config, "crop_pct");
  const double crop = share ? number(*share, "crop_pct") : 0.875;
  if (!(crop > 0.01 && crop <= 1.5)) wrong("crop_pct", *share, "a share of the picture");
  result.resize = static_cast<int64_t>(std::floor(static_cast<double>(std::min(size[1], size[2])) / crop));
  const std::string mode = text_or(config, "crop_mode", "center");
  if (mode == "squash" && crop == 1)
    result.fit = Fit::squash;
  else if (mode == "border" && crop == 1)
    result.fit = Fit::pad;
  else if (mode != "center" && mode != "squash")
    fail(ErrorKind::unsupported, "crop_mode {} with crop_pct {}, which fovea does not have", in_quotes(mode), crop);
  else if (mode == "squash")  // a picture that is squashed and cropped then
    result.fit = Fit::squash;
  result.mean = three(config, "mean", result.mean);
  result.std = three(config, "std", result.std);
  check_std(result);
  return result;
}

// Names as people read them, where there are some for all.
std::vector<std::string> timm_classes(const json& config) {
  const json* names = entry(config, "label_names");
  if (!names) names = entry(config, "labels");
  const json* descriptions = entry(config, "label_descriptions");
  std::vector<std::string> classes, described;
  if (!names) return classes;
  if (!names->is_array() || names->size() > kMostClasses) wrong("label_names", *names, "a list of names");
  for (const json& name : *names) {
    classes.push_back(text(name, "label_names"));
    if (!descriptions) continue;
    if (const json* one = entry(*descriptions, classes.back().c_str()); one && one->is_string()) described.push_back(one->get<std::string>());
  }
  const std::set<std::string> different(described.begin(), described.end());
  return different.size() == classes.size() ? described : classes;
}

// What timm's create_model would be given beside the name. What is of training alone changes nothing.
void read_model_args(const json& arguments, HubFolder& folder) {
  static const std::set<std::string> ignored = {"num_classes", "in_chans",      "drop_rate",       "drop_path_rate",   "proj_drop_rate", "pos_drop_rate", "patch_drop_rate",
                                                "attn_drop_rate", "pretrained", "drop_block_rate", "dynamic_img_size", "strict_img_size", "dynamic_img_pad"};
  for (const auto& [key, value] : arguments.items()) {
    if (ignored.contains(key) || value.is_null()) continue;
    if (key != "img_size") fail(ErrorKind::unsupported, "model_args {}: {}, which makes a network that fovea does not build", in_quotes(key), json_text(value));
    const std::vector<int64_t> size = value.is_array() ? counts(value, "img_size") : std::vector<int64_t>(2, count(value, "img_size"));
    if (size.size() != 2 || size[0] < 1 || size[1] < 1) wrong("img_size", value, "a height and a width");
    folder.native_height = size[0];
    folder.native_width = size[1];
  }
}

HubFolder read_timm(const json& config) {
  HubFolder folder;
  folder.architecture = text(config.at("architecture"), "architecture");
  folder.architecture = folder.architecture.substr(0, folder.architecture.find('.'));
  if (const json* arguments = entry(config, "model_args")) {
    if (!arguments->is_object()) wrong("model_args", *arguments, "an object");
    read_model_args(*arguments, folder);
  }
  const json* pretrained = entry(config, "pretrained_cfg");
  if (pretrained && !pretrained->is_object()) wrong("pretrained_cfg", *pretrained, "an object");
  folder.preprocessing = timm_preprocessing(pretrained ? *pretrained : config);  // timm's first folders have all in one
  folder.classes = timm_classes(config);
  if (folder.classes.empty() && pretrained) folder.classes = timm_classes(*pretrained);
  return folder;
}

// ---- transformers ----

std::vector<std::string> labels(const json& config) {
  const json* names = entry(config, "id2label");
  if (!names) return {};
  if (!names->is_object() || names->size() > kMostClasses) wrong("id2label", *names, "an object of names");
  std::vector<std::string> classes;
  for (size_t i = 0; i < names->size(); ++i) {
    const json* name = entry(*names, std::to_string(i).c_str());
    if (!name) fail(ErrorKind::format, "id2label has {} entries and none for {}", names->size(), i);
    classes.push_back(text(*name, "id2label"));
  }
  // The library's own names for none.
  for (size_t i = 0; i < classes.size(); ++i)
    if (classes[i] != fmt::format("LABEL_{}", i)) return classes;
  return {};
}

void require(const json& config, const char* key, const json& expected) {
  const json* value = entry(config, key);
  if (value && *value != expected)
    fail(ErrorKind::unsupported, "{} is {}; fovea has this network with {} alone", key, in_quotes(json_text(*value)), json_text(expected));
}

struct Transformer {
  const char* architecture;
  int64_t width, patch, layers, heads;
};

std::string transformer(const json& config, std::span<const Transformer> known) {
  const int64_t width = count_or(config, "hidden_size", 768), patch = count_or(config, "patch_size", 16),
                layers = count_or(config, "num_hidden_layers", 12), heads = count_or(config, "num_attention_heads", 12);
  require(config, "hidden_act", "gelu");
  require(config, "qkv_bias", true);
  for (const Transformer& one : known)
    if (one.width == width && one.patch == patch && one.layers == layers && one.heads == heads) return one.architecture;
  fail(ErrorKind::unsupported, "{} layers of width {} with {} heads and patches of {}: no such network is known", layers, width, heads, patch);
}

std::string vit(const json& config) {
  constexpr Transformer kKnown[] = {{"deit_tiny_patch16_224", 192, 16, 12, 3}, {"deit_small_patch16_224", 384, 16, 12, 6},
                                    {"vit_b_16", 768, 16, 12, 12},             {"vit_b_32", 768, 32, 12, 12},
                                    {"vit_l_16", 1024, 16, 24, 16},            {"vit_l_32", 1024, 32, 24, 16},
                                    {"vit_h_14", 1280, 14, 32, 16}};
  if (count_or(config, "intermediate_size", 3072) != 4 * count_or(config, "hidden_size", 768))
    fail(ErrorKind::unsupported, "intermediate_size is {}, four times the width expected", count_or(config, "intermediate_size", 3072));
  return transformer(config, kKnown);
}

std::string dinov2(const json& config) {
  constexpr Transformer kKnown[] = {{"vit_small_patch14_dinov2", 384, 14, 12, 6}, {"vit_base_patch14_dinov2", 768, 14, 12, 12}};
  require(config, "use_swiglu_ffn", false);
  require(config, "mlp_ratio", 4);
  return transformer(config, kKnown);
}

struct Stages {
  const char* architecture;
  std::vector<int64_t> depths, widths;
};

std::string staged(const json& config, const std::vector<Stages>& known, const Stages& usual) {
  const json *depths = entry(config, "depths"), *widths = entry(config, "hidden_sizes");
  const std::vector<int64_t> deep = depths ? counts(*depths, "depths") : usual.depths, wide = widths ? counts(*widths, "hidden_sizes") : usual.widths;
  for (const Stages& one : known)
    if (one.depths == deep && one.widths == wide) return one.architecture;
  fail(ErrorKind::unsupported, "stages of depths [{}] and widths [{}]: no such network is known", fmt::join(deep, ","), fmt::join(wide, ","));
}

std::string resnet(const json& config) {
  require(config, "hidden_act", "relu");
  require(config, "embedding_size", 64);
  require(config, "downsample_in_first_stage", false);
  require(config, "downsample_in_bottleneck", false);
  const Stages usual{"resnet50", {3, 4, 6, 3}, {256, 512, 1024, 2048}};
  const std::string type = text_or(config, "layer_type", "bottleneck");
  if (type == "basic")
    return staged(config, {{"resnet18", {2, 2, 2, 2}, {64, 128, 256, 512}}, {"resnet34", {3, 4, 6, 3}, {64, 128, 256, 512}}}, usual);
  if (type != "bottleneck") fail(ErrorKind::unsupported, "layer_type is {}, basic or bottleneck expected", in_quotes(type));
  return staged(config, {usual, {"resnet101", {3, 4, 23, 3}, usual.widths}, {"resnet152", {3, 8, 36, 3}, usual.widths}}, usual);
}

std::string convnext(const json& config) {
  require(config, "hidden_act", "gelu");
  require(config, "patch_size", 4);
  const Stages usual{"convnext_tiny", {3, 3, 9, 3}, {96, 192, 384, 768}};
  const std::vector<int64_t> deep{3, 3, 27, 3};
  return staged(config, {usual, {"convnext_small", deep, usual.widths}, {"convnext_base", deep, {128, 256, 512, 1024}}, {"convnext_large", deep, {192, 384, 768, 1536}}}, usual);
}

std::string convnextv2(const json& config) {
  require(config, "hidden_act", "gelu");
  require(config, "patch_size", 4);
  const Stages usual{"convnextv2_tiny", {3, 3, 9, 3}, {96, 192, 384, 768}};
  const std::vector<int64_t> small{2, 2, 6, 2}, deep{3, 3, 27, 3};
  return staged(config,
                {usual,
                 {"convnextv2_atto", small, {40, 80, 160, 320}},
                 {"convnextv2_femto", small, {48, 96, 192, 384}},
                 {"convnextv2_pico", small, {64, 128, 256, 512}},
                 {"convnextv2_nano", {2, 2, 8, 2}, {80, 160, 320, 640}},
                 {"convnextv2_small", deep, usual.widths},
                 {"convnextv2_base", deep, {128, 256, 512, 1024}},
                 {"convnextv2_large", deep, {192, 384, 768, 1536}}},
                usual);
}

// TensorFlow's, whose padding and norms the library keeps.
std::string efficientnet(const json& config) {
  constexpr std::pair<double, double> kScales[] = {{1, 1}, {1, 1.1}, {1.1, 1.2}, {1.2, 1.4}, {1.4, 1.8}, {1.6, 2.2}, {1.8, 2.6}, {2, 3.1}};
  require(config, "hidden_act", "swish");
  const json *wide = entry(config, "width_coefficient"), *deep = entry(config, "depth_coefficient");
  const double width = wide ? number(*wide, "width_coefficient") : 2, depth = deep ? number(*deep, "depth_coefficient") : 3.1;
  for (size_t i = 0; i < std::size(kScales); ++i)
    if (kScales[i].first == width && kScales[i].second == depth) return fmt::format("tf_efficientnet_b{}", i);
  fail(ErrorKind::unsupported, "width {} and depth {}: no such EfficientNet is known", width, depth);
}

HubFolder read_transformers(const json& config) {
  constexpr std::pair<std::string_view, std::string (*)(const json&)> kTypes[] = {{"vit", vit},           {"dinov2", dinov2},         {"resnet", resnet},
                                                                                  {"convnext", convnext}, {"convnextv2", convnextv2}, {"efficientnet", efficientnet}};
  const std::string type = text(config.at("model_type"), "model_type");
  HubFolder folder;
  std::string known;
  for (const auto& [name, read] : kTypes) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    if (name == type) folder.architecture = read(config);
  }
  if (folder.architecture.empty())
    fail(ErrorKind::unsupported, "model_type is {}; those that fovea reads are {}", in_quotes(type), known);
  folder.classes = labels(config);
  return folder;
}

Interpolation pillow_resampling(const json& config, Interpolation otherwise) {
  const json* value = entry(config, "resample");
  if (!value) return otherwise;
  switch (count(*value, "resample")) {
    case 0:
      return Interpolation::nearest;
    case 2:
      return Interpolation::bilinear;
    case 3:
      return Interpolation::bicubic;
    default:
      fail(ErrorKind::unsupported, "resample is {}; fovea has 0 (nearest), 2 (bilinear) and 3 (bicubic)", count(*value, "resample"));
  }
}

// A number stands for both sides, or for the shorter one where `shortest` says so.
struct Sides {
  int64_t height = 0, width = 0, shortest = 0;
};

Sides sides(const json& value, const char* key, bool shortest) {
  Sides result;
  if (value.is_number())
    (shortest ? result.shortest : result.height) = result.width = count(value, key);
  else {
    result = {count_or(value, "height", 0), count_or(value, "width", 0), count_or(value, "shortest_edge", 0)};
  }
  if (result.shortest == 0 && (result.height < 1 || result.width < 1)) wrong(key, value, "a height and a width, or a shortest_edge");
  return result;
}

// preprocessor_config.json: `share` is that of the picture that ConvNeXt's processor keeps below 384 pixels.
Preprocessing transformers_preprocessing(const json& config) {
  Preprocessing result;
  const std::string type = text_or(config, "image_processor_type", text_or(config, "feature_extractor_type", "").c_str());
  const bool convnext = entry(config, "crop_pct") || type.starts_with("ConvNext");
  result.mean = result.std = {0.5f, 0.5f, 0.5f};
  result.mean = three(config, "image_mean", result.mean);
  result.std = three(config, "image_std", result.std);
  if (!flag_or(config, "do_normalize", true)) {
    result.mean = {0, 0, 0};
    result.std = {1, 1, 1};
  }
  // EfficientNet's processor normalizes twice, as its weights want it; the second time by the deviation alone.
  if (type.starts_with("EfficientNet") && flag_or(config, "include_top", true))
    for (float& deviation : result.std) deviation *= deviation;
  check_std(result);
  const json* factor = entry(config, "rescale_factor");
  if (!flag_or(config, "do_rescale", true) || (factor && std::abs(number(*factor, "rescale_factor") * 255 - 1) > 1e-6) || flag_or(config, "rescale_offset", false))
    fail(ErrorKind::unsupported, "pictures are not scaled to 0..1, as fovea does");
  result.interpolation = pillow_resampling(config, convnext ? Interpolation::bicubic : Interpolation::bilinear);
  const json *size_entry = entry(config, "size"), *crop_entry = entry(config, "crop_size");
  const bool crops = flag_or(config, "do_center_crop", false) && crop_entry;
  const Sides size = size_entry ? sides(*size_entry, "size", convnext || crops) : Sides{224, 224, 0};
  if (convnext) {
    const json* share = entry(config, "crop_pct");
    const double kept = share ? number(*share, "crop_pct") : 224.0 / 256;
    const int64_t side = size.shortest > 0 ? size.shortest : size.height;
    if (!(kept > 0.01 && kept <= 1)) wrong("crop_pct", *share, "a share of the picture");
    result.height = result.width = side;
    result.resize = static_cast<int64_t>(static_cast<double>(side) / kept);
    constexpr int64_t kSquashedFrom = 384;
    if (side >= kSquashedFrom) result.fit = Fit::squash;
  } else if (crops) {
    const Sides crop = sides(*crop_entry, "crop_size", false);
    if (size.shortest == 0 && (size.height != crop.height || size.width != crop.width))
      fail(ErrorKind::unsupported, "pictures are squashed to {}x{} and cropped to {}x{} then, which fovea does not do", size.height, size.width, crop.height, crop.width);
    result.height = crop.height;
    result.width = crop.width;
    result.resize = size.shortest;
    if (size.shortest == 0) result.fit = Fit::squash;
  } else if (size.shortest > 0) {
    result.height = result.width = result.resize = size.shortest;
  } else {
    result.height = size.height;
    result.width = size.width;
    result.fit = Fit::squash;
  }
  if (result.fit == Fit::squash) result.resize = std::min(result.height, result.width);
  return result;
}

// ---- weights ----

void add_all(StateDict& result, const StateDict& file) {
  for (const NamedTensor& named : file) result.add(named.name, named.tensor);
  result.unusable.insert(result.unusable.end(), file.unusable.begin(), file.unusable.end());
  result.outside.insert(file.outside.begin(), file.outside.end());
  result.notes.insert(result.notes.end(), file.notes.begin(), file.notes.end());
}

StateDict read_shards(const fs::path& folder, const fs::path& index) {
  const json list = read_json(index);
  return in_context(index.string(), [&] {
    const json* map = entry(list, "weight_map");
    if (!map || !map->is_object()) fail(ErrorKind::format, "has no weight_map");
    std::set<std::string> shards;
    for (const auto& [name, shard] : map->items()) {
      const std::string file = text(shard, "weight_map");
      if (file.empty() || fs::path(file).filename() != file || file == "." || file == "..")
        fail(ErrorKind::format, "{} is said to lie in {}, which is no file of this folder", in_quotes(name), in_quotes(file));
      shards.insert(file);
    }
    StateDict result;
    for (const std::string& shard : shards) add_all(result, read_weights(folder / shard));
    for (const auto& [name, shard] : map->items())
      if (!result.find(name) && result.notes.empty() && std::ranges::none_of(result.unusable, [&, key = name](const auto& one) { return one.first == key; }))
        fail(ErrorKind::mismatch, "{} is said to lie in {}, which does not have it", in_quotes(name), in_quotes(json_text(shard)));
    return result;
  });
}

Tensor stacked(const std::array<const Tensor*, 3>& parts) {
  std::vector<int64_t> shape = parts[0]->shape();
  for (const Tensor* part : parts)
    if (part->shape() != shape || part->dtype() != parts[0]->dtype() || shape.empty())
      fail(ErrorKind::mismatch, "query, key and value have the shapes {}, {} and {}", shape_string(parts[0]->shape()), shape_string(parts[1]->shape()),
           shape_string(parts[2]->shape()));
  shape[0] *= 3;
  Tensor result(parts[0]->dtype(), shape);
  auto* to = static_cast<std::byte*>(result.mutable_raw());
  for (const Tensor* part : parts) {
    if (part->bytes() > 0) std::memcpy(to, part->raw(), part->bytes());
    to += part->bytes();
  }
  return result;
}

// The transformers library keeps query, key and value apart; every layout here has them in one.
StateDict with_joined_attention(const StateDict& file) {
  constexpr std::string_view kQuery = ".attention.query.";
  StateDict result;
  add_all(result, {});
  result.unusable = file.unusable;
  result.outside = file.outside;
  result.notes = file.notes;
  result.metadata = file.metadata;
  for (const NamedTensor& named : file) {
    const auto sibling = [&](std::string_view from, std::string_view to) -> const Tensor* {
      const size_t at = named.name.find(from);
      return at == std::string::npos ? nullptr : file.find(std::string(named.name).replace(at, from.size(), to));
    };
    const size_t at = named.name.find(kQuery);
    const Tensor *key = sibling(kQuery, ".attention.key."), *value = sibling(kQuery, ".attention.value.");
    const bool other = sibling(".attention.key.", kQuery) || sibling(".attention.value.", kQuery);
    if (other) continue;  // taken with its query
    if (!key || !value)
      result.add(named.name, named.tensor);
    else
      result.add(std::string(named.name).replace(at, kQuery.size(), ".qkv."), in_context(printable(named.name), [&] { return stacked({&named.tensor, key, value}); }));
  }
  return result;
}

}  // namespace

bool is_hub_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_regular_file(path / "config.json", error);
}

HubFolder read_hub_folder(const fs::path& folder) {
  const fs::path file = folder / "config.json";
  const json config = read_json(file);
  HubFolder result = in_context(file.string(), [&] {
    if (entry(config, "architecture")) return read_timm(config);
    if (entry(config, "model_type")) return read_transformers(config);
    fail(ErrorKind::format, "has neither an architecture (as timm writes it) nor a model_type (as the transformers library does)");
  });
  const fs::path pictures = folder / "preprocessor_config.json";
  std::error_code error;
  if (!result.preprocessing && fs::is_regular_file(pictures, error)) {
    const json processor = read_json(pictures);
    result.preprocessing = in_context(pictures.string(), [&] { return transformers_preprocessing(processor); });
  }
  return result;
}

StateDict read_hub_weights(const fs::path& folder) {
  std::error_code error;
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    if (fs::is_regular_file(folder / name, error)) return with_joined_attention(read_weights(folder / name));
    const fs::path index = folder / (std::string(name) + ".index.json");
    if (fs::is_regular_file(index, error)) return with_joined_attention(read_shards(folder, index));
  }
  fail(ErrorKind::io, "{}: has no model.safetensors, no pytorch_model.bin and no index of shards of either", folder.string());
}

}  // namespace fovea::weights
