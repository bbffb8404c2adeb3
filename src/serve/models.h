// The models that are served: by name, replaced while requests run.
#pragma once

#include <fovea/features.h>
#include <fovea/model.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace fovea::serve {

// A model as it was when it was loaded. Requests hold it until they are answered.
struct Served {
  std::string name;     // in addresses
  std::string version;  // counts from "1" with every reload
  std::string source;   // as Model::load takes it
  Model model;
  Predictor predictor;
  std::optional<FeatureSet> features;  // that `neighbors` searches
};
using ServedModel = std::shared_ptr<const Served>;

struct ModelSource {
  std::string name, source;
};

// The name of a model in addresses: a model file's or its run's folder ("run/model.safetensors": "run"), or what it was loaded by.
std::string served_name(const std::string& source);

// Safe to use from any thread. Whoever has got a model keeps it, whatever happens here.
class Models {
 public:
  struct Options {
    std::vector<ModelSource> models;  // the first is the one that requests mean that name none
    std::string folder;               // each model file and run in it may be loaded by name; empty: none may
    std::string features;             // what `fovea embed` wrote, of one of the models; empty: none
    LoadOptions load;
  };
  // Loads all models. Throws what Model::load throws, Error(usage) for two of one name, Error(mismatch) where no model made the features.
  explicit Models(Options options);

  // Null where there is none of that name; of "" the first.
  ServedModel find(const std::string& name) const;
  std::vector<ServedModel> all() const;  // the first one first, the others by name

  struct Entry {
    std::string name, version, state, reason;  // "READY", or "UNAVAILABLE" and why
  };
  // All that are loaded, and what of the folder could be.
  std::vector<Entry> index() const;
  // Loads, or loads again, from where it came before or from the folder. False for a name that is nowhere; throws what Model::load throws.
  bool load(const std::string& name);
  // False where it was not loaded.
  bool unload(const std::string& name);

  // Loads again what has another file now. One line of news for each, also of those that cannot be loaded: they stay as they were.
  std::vector<std::string> reload_changed();

 private:
  struct Stamp {
    std::filesystem::file_time_type time;
    uintmax_t size = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Slot {
    ServedModel model;
    std::string source;
    std::optional<Stamp> stamp;
    int64_t version = 0;
    std::string reason;  // why the last loading failed
  };
  static std::optional<Stamp> stamp_of(const std::string& source);
  void load_into(const std::string& name, const std::string& source);
  std::map<std::string, std::string> in_folder() const;

  const Options options_;
  std::mutex loading_;        // one at a time
  mutable std::mutex mutex_;  // of what follows
  std::map<std::string, Slot> slots_;
  std::string first_;
};

}  // namespace fovea::serve
