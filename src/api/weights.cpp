#include <fovea/model.h>
#include <fovea/weights.h>

#include <filesystem>

#include "api/implementation.h"
#include "api/model_source.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "weights/fetch.h"
#include "weights/hub.h"
#include "weights/model_file.h"
#include "weights/pth_writer.h"
#include "weights/published.h"
#include "weights/read_weights.h"
#include "weights/safetensors.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

std::string source_of(const weights::PublishedWeights& row) {
  if (row.origin == weights::Origin::pip) return fmt::format("{} in the Python package {}", row.member, row.package);
  if (row.origin == weights::Origin::hub) return weights::hub_url({row.repository}, row.file);
  return row.base_url + row.file;
}

WeightsInfo info_of(const weights::PublishedWeights& row) {
  WeightsInfo info;
  info.model = row.model;
  info.tag = row.tag;
  info.is_default = row.is_default;
  info.file = row.file;
  info.source = source_of(row);
  info.licence = row.licence;
  info.non_commercial = row.non_commercial;
  info.classes = row.classes;
  info.classifies = row.without.empty() && row.classes > 0;
  info.accuracy1 = row.accuracy1;
  info.accuracy5 = row.accuracy5;
  info.digest = row.sha256;
  info.preprocessing = row.preprocessing;
  info.path = weights::cached_path(row).string();
  info.cached = fs::exists(info.path);
  return info;
}

weights::StateDict read_file(const std::string& from) {
  const auto [path, part] = weights::weights_file(from);
  return weights::read_plain_weights(path, part);
}

// The file's tensors as the model's library names and shapes them.
weights::StateDict renamed(const std::string& from, const std::string& model) {
  if (!weights::is_model_file(weights::weights_file(from).path)) {
    LoadOptions options;
    options.weights = from;
    return Model::load(model, options).implementation().network().state_dict();
  }
  const weights::ModelFile file = weights::read_model_file(from);
  const models::Variant& variant = models::get(model);
  engine::Network network(variant, {file.classes, file.head, file.channels, file.classes.empty(), {file.native_height, file.native_width}},
                          file.preprocessing, std::nullopt);
  in_context(fmt::format("loading {} from {}", variant.name, from), [&] { network.load(file.tensors); });
  return network.state_dict();
}

}  // namespace

std::vector<WeightsInfo> published_weights() {
  std::vector<WeightsInfo> result;
  for (const weights::PublishedWeights& row : weights::published_weights())
    if (models::find(row.model)) result.push_back(info_of(row));
  return result;
}

std::optional<WeightsInfo> find_weights(const std::string& model, const std::string& tag) {
  const weights::PublishedWeights* row = find_published_weights(model, tag);
  return row ? std::optional(info_of(*row)) : std::nullopt;
}

std::string cache_directory() { return weights::cache_directory().string(); }

std::string fetch_weights(const std::string& model, const std::string& tag, const FetchProgress& progress) {
  if (hub_repository_in(model)) return find_source(model, HubParts::all, progress).folder;
  weights::FetchOptions options;
  options.download.progress = progress;
  const weights::PublishedWeights* row = find_published_weights(model, tag);
  return weights::fetch(row ? *row : weights::find_published(model, tag), options).string();
}

ConvertedWeights convert_weights(const std::string& from, const std::string& to, const std::string& model) {
  const std::string ending = fs::path(to).extension().string();
  const bool pth = ending == ".pth" || ending == ".pt";
  if (!pth && ending != ".safetensors") {
    fail(ErrorKind::unsupported, "{}: writing {} is not supported, .pth and .safetensors are", to,
         ending.empty() ? "a file without an ending" : ending);
  }
  require_writable(to);
  const weights::StateDict tensors = model.empty() ? read_file(from) : renamed(from, model);
  if (pth)
    weights::write_pth(to, tensors);
  else
    weights::write_safetensors(to, tensors);
  size_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.bytes();
  if (fs::is_regular_file(to)) bytes = fs::file_size(to);
  return {static_cast<int64_t>(tensors.size()), static_cast<int64_t>(bytes)};
}

}  // namespace fovea
