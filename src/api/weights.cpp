#include <fovea/model.h>
#include <fovea/weights.h>

#include <filesystem>

#include "api/implementation.h"
#include "base/error.h"
#include "weights/fetch.h"
#include "weights/published.h"
#include "weights/read_weights.h"
#include "weights/safetensors.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

std::string source_of(const weights::PublishedWeights& row) {
  if (row.origin == weights::Origin::pip) return fmt::format("{} in the Python package {}", row.member, row.package);
  return row.base_url + row.file;
}

}  // namespace

std::vector<WeightsInfo> published_weights() {
  std::vector<WeightsInfo> result;
  for (const weights::PublishedWeights& row : weights::published_weights()) {
    WeightsInfo info;
    info.model = row.model;
    info.tag = row.tag;
    info.is_default = row.is_default;
    info.file = row.file;
    info.source = source_of(row);
    info.licence = row.licence;
    info.accuracy1 = row.accuracy1;
    info.accuracy5 = row.accuracy5;
    info.digest = row.sha256;
    info.preprocessing = row.preprocessing;
    info.path = weights::cached_path(row).string();
    info.cached = fs::exists(info.path);
    result.push_back(std::move(info));
  }
  return result;
}

std::string cache_directory() { return weights::cache_directory().string(); }

std::string fetch_weights(const std::string& model, const std::string& tag, const FetchProgress& progress) {
  weights::FetchOptions options;
  options.download.progress = progress;
  return weights::fetch(weights::find_published(model, tag), options).string();
}

ConvertedWeights convert_weights(const std::string& from, const std::string& to, const std::string& model) {
  const std::string extension = fs::path(to).extension().string();
  if (extension != ".safetensors")
    fail(ErrorKind::unsupported, "{}: writing {} is not supported, only .safetensors is", to,
         extension.empty() ? "a file without an ending" : extension);
  weights::StateDict tensors;
  if (model.empty()) {
    tensors = weights::read_weights(from);
  } else {
    LoadOptions options;
    options.weights = from;
    tensors = Model::load(model, options).implementation().network().state_dict();
  }
  weights::write_safetensors(to, tensors);
  return {static_cast<int64_t>(tensors.size()), static_cast<int64_t>(fs::file_size(to))};
}

}  // namespace fovea
