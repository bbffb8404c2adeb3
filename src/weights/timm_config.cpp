// config.json as timm writes it: the architecture, how it was changed, and how its pictures are prepared.
#include <cmath>

#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/json_value.h"
#include "weights/config_json.h"
#include "weights/hub_folder.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

using nlohmann::json;

constexpr size_t kMostClasses = 1 << 20;

Interpolation timm_interpolation(const std::string& name) {
  if (name == "random") return Interpolation::bicubic;  // of training; timm evaluates with its default
  if (name == "bilinear" || name == "bicubic" || name == "nearest") return parse_interpolation(name);
  fail(ErrorKind::unsupported, "interpolation {}, which fovea does not have", in_quotes(name));
}

Fit timm_fit(const json& config, double share) {
  const std::string mode = text_or(config, "crop_mode", "center");
  if (mode == "center") return Fit::crop;
  if (mode == "squash") return share == 1 ? Fit::squash : Fit::squash_crop;
  if (mode == "border" && share == 1) return Fit::pad;
  fail(ErrorKind::unsupported, "crop_mode {} with crop_pct {}, which fovea does not have", in_quotes(mode), share);
}

Preprocessing timm_preprocessing(const json& config) {
  Preprocessing result;
  const std::vector<int64_t> size = counts_or(config, "input_size", {3, 224, 224});
  if (size.size() != 3 || size[1] < 1 || size[2] < 1)
    fail_entry("input_size", *entry_of(config, "input_size"), "[channels, height, width]");
  const double share = number_or(config, "crop_pct", 0.875);
  if (!(share > 0.01 && share <= 1.5)) fail_entry("crop_pct", *entry_of(config, "crop_pct"), "a share of the picture");
  result.height = size[1];
  result.width = size[2];
  result.interpolation = timm_interpolation(text_or(config, "interpolation", "bicubic"));
  result.fit = timm_fit(config, share);
  if (result.fit == Fit::crop && size[1] != size[2])
    fail(ErrorKind::unsupported, "input_size [{}, {}, {}] with crop_mode 'center': fovea crops to squares alone as timm does", size[0],
         size[1], size[2]);
  result.resize = static_cast<int64_t>(std::floor(static_cast<double>(size[1]) / share));
  result.mean = three_or(config, "mean", result.mean);
  result.std = three_or(config, "std", result.std);
  check_deviation(result);
  return result;
}

// Names as people read them, where each class has one of its own.
std::vector<std::string> timm_classes(const json& config) {
  const json* names = entry_of(config, "label_names");
  if (!names) names = entry_of(config, "labels");
  if (!names) return {};
  if (!names->is_array() || names->size() > kMostClasses) fail_entry("label_names", *names, "a list of names");
  const json* descriptions = entry_of(config, "label_descriptions");
  std::vector<std::string> classes, described;
  for (const json& name : *names) {
    classes.push_back(text_in(name, "label_names"));
    const json* one = descriptions ? entry_of(*descriptions, classes.back()) : nullptr;
    if (one && one->is_string()) described.push_back(one->get<std::string>());
  }
  const std::set<std::string> different(described.begin(), described.end());
  return different.size() == classes.size() ? described : classes;
}

// What timm's create_model was given beside the name. What is of training alone changes nothing, and the numbers of classes and of channels
// are those of the weights. A pool other than the network's own shows in the names of the weights, if it is one of these three.
void read_model_args(const json& arguments, HubFolder& folder) {
  static const std::set<std::string> ignored = {
      "num_classes",    "in_chans",        "drop_rate",  "drop_path_rate",   "proj_drop_rate",  "pos_drop_rate",  "patch_drop_rate",
      "attn_drop_rate", "drop_block_rate", "pretrained", "dynamic_img_size", "strict_img_size", "dynamic_img_pad"};
  for (const auto& [key, value] : arguments.items()) {
    if (ignored.contains(key) || value.is_null()) continue;
    if (key == "global_pool" && (value == "avg" || value == "token" || value == "map")) continue;
    if (key != "img_size")
      fail(ErrorKind::unsupported, "model_args has {}: {}, which makes a network that fovea does not build", in_quotes(key),
           in_quotes(json_text(value)));
    const std::vector<int64_t> size = value.is_array() ? counts_in(value, key) : std::vector<int64_t>(2, count_in(value, key));
    if (size.size() != 2 || size[0] < 1 || size[1] < 1) fail_entry(key, value, "a height and a width");
    folder.native_height = size[0];
    folder.native_width = size[1];
  }
}

}  // namespace

HubFolder read_timm_config(const json& config) {
  HubFolder folder;
  folder.architecture = text_in(config.at("architecture"), "architecture");
  folder.architecture = folder.architecture.substr(0, folder.architecture.find('.'));
  if (const json* arguments = entry_of(config, "model_args")) {
    if (!arguments->is_object()) fail_entry("model_args", *arguments, "an object");
    read_model_args(*arguments, folder);
  }
  const json* pretrained = entry_of(config, "pretrained_cfg");
  if (pretrained && !pretrained->is_object()) fail_entry("pretrained_cfg", *pretrained, "an object");
  folder.preprocessing = timm_preprocessing(pretrained ? *pretrained : config);  // timm's first folders have all in one
  folder.classes = timm_classes(config);
  if (folder.classes.empty() && pretrained) folder.classes = timm_classes(*pretrained);
  folder.class_count = count_or(config, "num_classes", 0);
  return folder;
}

}  // namespace fovea::weights
