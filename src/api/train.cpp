#include <fmt/format.h>
#include <fovea/train.h>

#include <filesystem>

#include "api/dataset.h"
#include "api/implementation.h"
#include "api/report.h"
#include "api/training_input.h"
#include "base/error.h"
#include "train/data.h"
#include "train/training.h"

namespace fovea {

namespace {

// `where` says in words which pictures `find` gives.
template <class Find>
TrainResult train_on(Model& model, const TrainOptions& options, const std::string& where, Find&& find) {
  Model::Implementation& implementation = model.implementation();
  implementation.changing();
  const auto write_page = [&](const std::string& folder, const training::Data& data) {
    if (!needs_page(folder)) return;
    PicturesByName pictures;
    for (const image::Dataset* part : {&data.splits.train, &data.splits.validation, &data.splits.test})
      add_pictures(pictures, part->samples);
    write_run_page(folder, implementation, pictures);
  };
  const auto replace_head = [&](std::vector<std::string> classes, const HeadOptions& head, uint64_t seed) {
    implementation.replace_head(std::move(classes), head, seed);
  };
  return training::run_training(training_input(implementation, options, find),
                                {origin_of(model, where), !options.freeze.empty(), replace_head, write_page});
}

}  // namespace

TrainResult train(Model& model, const std::string& folder, const TrainOptions& options) {
  std::error_code none;
  if (!options.run.out.empty() && std::filesystem::equivalent(folder, options.run.out, none))
    fail(ErrorKind::usage, "{} holds the pictures; the run needs a folder of its own", options.run.out);
  return train_on(model, options, folder, [&] { return training::find_pictures(folder); });
}

TrainResult train(Model& model, const std::vector<std::string>& files, const TrainOptions& options) {
  return train_on(model, options, fmt::format("a list of {} files", files.size()), [&] { return training::find_pictures(files); });
}

TrainResult train(Model& model, const Dataset& data, const TrainOptions& options) {
  return train_on(model, options, data.implementation().where, [&] { return splits_of(data, model.classes()); });
}

std::vector<std::string> find_classes(const std::string& folder) { return training::find_pictures(folder).train.classes; }

std::vector<std::string> find_classes(const std::vector<std::string>& files) { return training::find_pictures(files).train.classes; }

}  // namespace fovea
