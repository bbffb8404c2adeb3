#include "train/data.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/hash.h"
#include "image/labels_csv.h"

namespace fovea::training {
namespace {

void check_shares(const TrainOptions& options) {
  for (const auto& [name, share] : {std::pair("validation", options.validation), std::pair("test", options.test)})
    if (!(share >= 0 && share < 1)) fail(ErrorKind::usage, "the {} share is {}, from 0 to below 1 expected", name, share);
  if (options.validation + options.test >= 1)
    fail(ErrorKind::usage, "validation {} and test {} together leave nothing to train on", options.validation, options.test);
}

// Names from the class folder on, so that a run goes on where its pictures have moved, or come as a list.
void add_to(uint64_t& hash, const image::Dataset& dataset, const char* part) {
  hash = fnv1a64(part, hash);
  for (const image::Sample& sample : dataset.samples) {
    std::error_code missing;
    const auto bytes = std::filesystem::file_size(sample.path, missing);
    hash = fnv1a64(fmt::format("{}\n{}\n{}\n", sample.name, fmt::join(image::labels_of(sample), ";"), missing ? 0 : bytes), hash);
  }
}

image::Splits only_training(image::Dataset dataset) {
  image::Splits found;
  found.train = std::move(dataset);
  found.validation.classes = found.test.classes = found.train.classes;
  return found;
}

}  // namespace

image::Splits find_pictures(const std::string& folder) {
  if (image::is_labels_csv(folder)) return image::read_labels_csv(folder);
  if (auto given = image::scan_splits(folder)) return std::move(*given);
  image::Dataset dataset = image::scan_folder(folder);
  std::vector<image::Unused> unused = std::move(dataset.unused);
  image::Splits found = only_training(std::move(dataset));
  found.unused = std::move(unused);
  return found;
}

image::Splits find_pictures(std::span<const std::string> files) { return only_training(image::scan_files(files)); }

Data read_pictures(image::Splits found, const TrainOptions& options, const Preprocessing& preprocessing, bool random_crops,
                   const image::Progress& progress) {
  check_shares(options);
  Data data;
  data.splits = std::move(found);
  data.cache = std::make_shared<image::ImageCache>(options.picture_cache_bytes, preprocessing, !random_crops);
  const auto looks = std::make_shared<const auditing::Looks>(auditing::look(data.splits, data.cache.get(), progress));
  image::require_pictures(data.splits.train, looks->unreadable);
  for (const image::BadPicture& picture : looks->unreadable) data.left_out.push_back({picture.path, picture.message});
  int64_t number = 0;
  for (const auditing::Group& copies : looks->copies) {
    for (const std::string& file : copies.files) data.same_picture.emplace(file, number);
    ++number;
  }
  data.looks = looks;
  return data;
}

std::vector<int64_t> groups_of(const Data& data, const image::Dataset& pictures) {
  std::vector<int64_t> groups;
  if (data.same_picture.empty()) return groups;
  for (size_t i = 0; i < pictures.samples.size(); ++i) {
    const auto known = data.same_picture.find(pictures.samples[i].path);
    groups.push_back(known != data.same_picture.end() ? -1 - known->second : static_cast<int64_t>(i));
  }
  return groups;
}

void divide(Data& data, const TrainOptions& options) {
  image::SplitOptions shares{options.validation, options.test, options.seed};
  if (!data.splits.validation.samples.empty()) shares.validation = 0;
  if (!data.splits.test.samples.empty()) shares.test = 0;
  if (shares.validation > 0 || shares.test > 0) {
    image::Splits parts = image::split(data.splits.train, shares, groups_of(data, data.splits.train));
    data.splits.train = std::move(parts.train);
    if (shares.validation > 0) data.splits.validation = std::move(parts.validation);
    if (shares.test > 0) data.splits.test = std::move(parts.test);
  }
  uint64_t hash = fnv1a64("pictures");
  add_to(hash, data.splits.train, "train");
  add_to(hash, data.splits.validation, "validation");
  add_to(hash, data.splits.test, "test");
  data.fingerprint = fmt::format("{:016x}", hash);
}

Data load_data(image::Splits found, const TrainOptions& options, const Preprocessing& preprocessing, bool random_crops,
               const image::Progress& progress) {
  Data data = read_pictures(std::move(found), options, preprocessing, random_crops, progress);
  divide(data, options);
  return data;
}

std::vector<float> class_weights_of(const image::Dataset& dataset) {
  std::vector<double> count(dataset.classes.size(), 0.0);
  for (const image::Sample& sample : dataset.samples)
    for (int32_t label : image::labels_of(sample)) ++count[static_cast<size_t>(label)];
  double sum = 0;
  for (double c : count) sum += 1 / std::max(c, 1.0);
  std::vector<float> weights;
  for (double c : count) weights.push_back(static_cast<float>(static_cast<double>(count.size()) / (std::max(c, 1.0) * sum)));
  return weights;
}

}  // namespace fovea::training
