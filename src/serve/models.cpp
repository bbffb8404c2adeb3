#include "serve/models.h"

#include "base/error.h"

namespace fovea::serve {

namespace fs = std::filesystem;

namespace {

// Of a run's folder its model file.
std::string file_of(const std::string& source) {
  std::error_code none;
  if (fs::is_directory(source, none) && fs::exists(fs::path(source) / "model.safetensors", none))
    return (fs::path(source) / "model.safetensors").string();
  return source;
}

}  // namespace

std::string served_name(const std::string& source) {
  std::error_code none;
  if (!fs::exists(source, none)) return source;
  fs::path path = fs::path(file_of(source)).lexically_normal();
  if (path.filename() == "model.safetensors" && path.has_parent_path()) return fs::absolute(path.parent_path()).filename().string();
  return fs::is_directory(path, none) ? fs::absolute(path).filename().string() : path.stem().string();
}

Models::Models(Options options) : options_(std::move(options)) {
  for (const ModelSource& one : options_.models) {
    if (slots_.contains(one.name))
      fail(ErrorKind::usage, "two models are called '{}': {} and {}; NAME=MODEL gives one another name", one.name, slots_[one.name].source,
           one.source);
    load_into(one.name, one.source);
    if (first_.empty()) first_ = one.name;
  }
  if (options_.features.empty()) return;
  for (const auto& [name, slot] : slots_)
    if (slot.model->features) return;
  fail(ErrorKind::mismatch, "{}: these features were made by none of the models that are served", options_.features);
}

std::optional<Models::Stamp> Models::stamp_of(const std::string& source) {
  std::error_code error;
  const std::string file = file_of(source);
  const Stamp stamp{fs::last_write_time(file, error), fs::file_size(file, error)};
  return error ? std::nullopt : std::optional(stamp);
}

void Models::load_into(const std::string& name, const std::string& source) {
  const auto stamp = stamp_of(source);
  Model model = Model::load(source, options_.load);
  std::optional<FeatureSet> features;
  if (!options_.features.empty()) {
    FeatureSet set = load_features(options_.features);
    if (set.record.digest == weights_digest(model)) features = std::move(set);
  }
  Predictor predictor = model.predictor();
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[name];
  slot.source = source;
  slot.stamp = stamp;
  slot.reason.clear();
  slot.model = std::make_shared<const Served>(
      Served{name, std::to_string(++slot.version), source, std::move(model), std::move(predictor), std::move(features)});
}

ServedModel Models::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(name.empty() ? first_ : name);
  return found == slots_.end() ? nullptr : found->second.model;
}

std::vector<ServedModel> Models::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<ServedModel> result;
  for (const auto& [name, slot] : slots_)
    if (slot.model) result.insert(name == first_ ? result.begin() : result.end(), slot.model);
  return result;
}

std::map<std::string, std::string> Models::in_folder() const {
  std::map<std::string, std::string> found;
  if (options_.folder.empty()) return found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    const std::string path = entry.path().string();
    const bool run = entry.is_directory(error) && fs::exists(entry.path() / "model.safetensors", error);
    if (run || (entry.is_regular_file(error) && entry.path().extension() == ".safetensors")) found[served_name(path)] = path;
  }
  return found;
}

std::vector<Models::Entry> Models::index() const {
  std::vector<Entry> result;
  const auto folder = in_folder();
  const std::lock_guard lock(mutex_);
  for (const auto& [name, slot] : slots_)
    result.push_back(
        {name, slot.model ? slot.model->version : "", slot.model ? "READY" : "UNAVAILABLE", slot.model ? slot.reason : "unloaded"});
  for (const auto& [name, path] : folder)
    if (!slots_.contains(name)) result.push_back({name, "", "UNAVAILABLE", "not loaded"});
  return result;
}

bool Models::load(const std::string& name) {
  const std::lock_guard one_at_a_time(loading_);
  std::string source;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = slots_.find(name); found != slots_.end()) source = found->second.source;
  }
  if (source.empty()) {
    const auto folder = in_folder();
    if (const auto found = folder.find(name); found != folder.end()) source = found->second;
  }
  if (source.empty()) return false;
  load_into(name, source);
  return true;
}

bool Models::unload(const std::string& name) {
  const std::lock_guard one_at_a_time(loading_);
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(name);
  if (found == slots_.end() || !found->second.model) return false;
  found->second.model = nullptr;
  found->second.stamp = std::nullopt;
  return true;
}

std::vector<std::string> Models::reload_changed() {
  const std::lock_guard one_at_a_time(loading_);
  std::vector<std::pair<std::string, std::string>> changed;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, slot] : slots_) {
      const auto now = stamp_of(slot.source);
      if (!slot.model || !now || now == slot.stamp) continue;
      slot.stamp = now;  // a file that cannot be loaded is tried once
      changed.emplace_back(name, slot.source);
    }
  }
  std::vector<std::string> news;
  for (const auto& [name, source] : changed) {
    try {
      load_into(name, source);
      news.push_back(fmt::format("{}: loaded again from {}", name, source));
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      slots_[name].reason = error.what();
      news.push_back(fmt::format("{}: {}; the one before is served on", name, error.what()));
    }
  }
  return news;
}

}  // namespace fovea::serve
