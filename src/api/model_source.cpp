#include "api/model_source.h"

#include <filesystem>

#include "base/error.h"
#include "weights/hub.h"
#include "weights/model_file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

bool looks_like_a_path(const std::string& text) {
  const std::string extension = fs::path(text).extension().string();
  return fs::exists(text) || extension == ".safetensors" || extension == ".pth" || extension == ".pt" || text.starts_with("/") ||
         text.starts_with("./") || text.starts_with("../");
}

// The model of a run's folder, or an empty text.
std::string model_of_run(const std::string& folder) {
  const fs::path file = fs::path(folder) / "model.safetensors";
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return "";
  return weights::is_hub_folder(folder) && !weights::is_model_file(file) ? "" : file.string();
}

// timm's network of "ARCHITECTURE.TAG", which may begin with "timm/"; null where there is none.
const models::Variant* tagged_variant(const std::string& name) {
  const size_t dot = name.find('.');
  if (dot == std::string::npos) return nullptr;
  const std::string architecture = name.substr(0, dot);
  return models::find(architecture.starts_with("timm/") ? architecture : "timm/" + architecture);
}

std::string fetch_repository(const std::string& text, HubParts parts, const weights::Progress& progress) {
  const weights::HubRepository repository = weights::parse_hub_repository(text);
  weights::FetchOptions options;
  options.download.progress = progress;
  if (parts == HubParts::all) return weights::fetch_hub_folder(repository, options).string();
  const auto config = weights::fetch_hub_file(repository, "config.json", options);
  if (!config) fail(ErrorKind::io, "{}: the repository is not there, or it has no config.json", repository.name);
  weights::fetch_hub_file(repository, "preprocessor_config.json", options);
  return config->parent_path().string();
}

}  // namespace

std::optional<std::string> hub_repository_in(const std::string& name) {
  for (const std::string_view prefix : {"hf-hub:", "hf_hub:"})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return std::nullopt;
}

const weights::PublishedWeights* find_published_weights(const std::string& name, const std::string& tag) {
  const models::Variant* variant = models::find(name);
  if (variant) return weights::look_up_published(variant->name, tag);
  variant = tagged_variant(name);
  return variant ? weights::look_up_published(variant->name, name.substr(name.find('.') + 1)) : nullptr;
}

ModelSource hub_folder_source(const std::string& folder) {
  ModelSource source;
  source.folder = folder;
  source.config = weights::read_hub_folder(folder);
  source.variant = &in_context((fs::path(folder) / "config.json").string(),
                               [&]() -> const models::Variant& { return models::get("timm/" + source.config->architecture); });
  return source;
}

ModelSource find_source(const std::string& name, HubParts parts, const weights::Progress& progress) {
  constexpr std::string_view kFolder = "local-dir:";
  ModelSource source;
  if (name.starts_with(kFolder)) {
    const std::string folder = name.substr(kFolder.size());
    if (!weights::is_hub_folder(folder)) fail(ErrorKind::io, "{}: there is no config.json in this folder", folder);
    return hub_folder_source(folder);
  }
  if (const auto repository = hub_repository_in(name)) return hub_folder_source(fetch_repository(*repository, parts, progress));
  if ((source.variant = models::find(name))) return source;
  if (fs::is_directory(name)) {
    source.file = model_of_run(name);
    if (source.file.empty() && weights::is_hub_folder(name)) return hub_folder_source(name);
    if (!source.file.empty()) return source;
  }
  if (looks_like_a_path(name)) {
    source.file = name;
    return source;
  }
  if (const models::Variant* variant = tagged_variant(name)) {
    source.variant = variant;
    source.published = &weights::find_published(variant->name, name.substr(name.find('.') + 1));
    return source;
  }
  source.variant = &models::get(name);
  return source;
}

}  // namespace fovea
