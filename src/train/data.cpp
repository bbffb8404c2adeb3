#include "train/data.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "base/hash.h"
#include "image/labels_csv.h"
#include "image/picture.h"
#include "weights/digest.h"

namespace fovea::training {
namespace {

void check_shares(const TrainOptions& options) {
  for (const auto& [name, share] : {std::pair("validation", options.data.validation), std::pair("test", options.data.test)})
    if (!(share >= 0 && share < 1)) fail(ErrorKind::usage, "the {} share is {}, from 0 to below 1 expected", name, share);
  if (options.data.validation + options.data.test >= 1)
    fail(ErrorKind::usage, "validation {} and test {} together leave nothing to train on", options.data.validation, options.data.test);
}

// What a change of the picture changes: the size of its file, or its pixels.
uint64_t mark_of(const image::Sample& sample, const auditing::Looks& looks) {
  if (sample.source) return looks.pictures.at(sample.path).print.pixels;
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(sample.path, missing);
  return missing ? 0 : bytes;
}

// Names count from the class folder on, so that a run goes on where its pictures have moved, or come as a list.
void add_to(uint64_t& hash, const image::Dataset& dataset, const char* part, const auditing::Looks& looks) {
  hash = fnv1a64(part, hash);
  for (const image::Sample& sample : dataset.samples) {
    hash = fnv1a64(fmt::format("{}\n{}\n{}\n", sample.name, fmt::join(image::labels_of(sample), ";"), mark_of(sample, looks)), hash);
    if (!sample.targets.empty()) hash = fnv1a64(fmt::format("{}\n", fmt::join(sample.targets, ";")), hash);
  }
}

// Of a file: its size and the time of its last change; empty: there is none.
std::string file_mark(const std::string& path) {
  std::error_code none;
  const auto bytes = std::filesystem::file_size(path, none);
  if (none) return {};
  const auto changed = std::filesystem::last_write_time(path, none);
  return fmt::format("{} {}", bytes, changed.time_since_epoch().count());
}

image::Splits only_training(image::Dataset dataset) {
  image::Splits found;
  found.train = std::move(dataset);
  found.validation.classes = found.test.classes = found.train.classes;
  return found;
}

}  // namespace

std::string digest_of(const image::Sample& sample) {
  if (!sample.source) return weights::sha256_of_file(sample.path);
  const Image image = image::read_picture(sample, {});
  return fmt::format("{}x{} {}", image.width, image.height, weights::sha256(std::as_bytes(std::span(image.pixels))));
}

std::vector<std::string> changed_files(const Data& data) {
  std::vector<std::string> changed;
  for (const auto& [path, mark] : data.marks)
    if (file_mark(path) != mark) changed.push_back(path);
  return changed;
}

std::shared_ptr<const SeenPictures> seen_with(const std::shared_ptr<const SeenPictures>& before, const Data& data,
                                              const TrainOptions& options, bool pretrained) {
  if (!options.run.fingerprints) return nullptr;
  SeenPictures seen;
  if (before) seen = *before;
  seen.all = before ? before->all : !pretrained;
  for (const image::Dataset* part : {&data.splits.train, &data.splits.validation})
    for (const image::Sample& sample : part->samples) seen.prints.push_back(image::print_of(data.looks->pictures.at(sample.path).print));
  std::ranges::sort(seen.prints);
  seen.prints.erase(std::unique(seen.prints.begin(), seen.prints.end()), seen.prints.end());
  return std::make_shared<const SeenPictures>(std::move(seen));
}

bool has_soft_targets(const image::Splits& splits) {
  const auto soft = [](const image::Dataset& part) {
    return std::ranges::any_of(part.samples, [](const image::Sample& sample) { return !sample.targets.empty(); });
  };
  return soft(splits.train) || soft(splits.validation);
}

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
  for (const image::Dataset* part : {&data.splits.train, &data.splits.validation, &data.splits.test})
    for (const image::Sample& sample : part->samples)
      if (!sample.source) data.marks.emplace(sample.path, file_mark(sample.path));
  data.cache = std::make_shared<image::ImageCache>(options.data.picture_cache_bytes, preprocessing, !random_crops);
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
  const bool grouped = std::ranges::any_of(pictures.samples, [](const image::Sample& sample) { return !sample.group.empty(); });
  if (data.same_picture.empty() && !grouped) return {};
  // Pictures that belong together, be it by way of others, have the number of the first of them.
  std::vector<size_t> first(pictures.samples.size());
  std::iota(first.begin(), first.end(), size_t{0});
  const auto root = [&](size_t i) {
    while (first[i] != i) i = first[i] = first[first[i]];
    return i;
  };
  const auto join = [&](auto& seen, const auto& key, size_t i) {
    const auto [other, added] = seen.emplace(key, i);
    const size_t a = root(other->second), b = root(i);
    first[std::max(a, b)] = std::min(a, b);
  };
  std::map<int64_t, size_t> copies;
  std::map<std::string, size_t> groups;
  for (size_t i = 0; i < first.size(); ++i) {
    const image::Sample& sample = pictures.samples[i];
    if (const auto known = data.same_picture.find(sample.path); known != data.same_picture.end()) join(copies, known->second, i);
    if (!sample.group.empty()) join(groups, sample.group, i);
  }
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < first.size(); ++i) numbers.push_back(static_cast<int64_t>(root(i)));
  return numbers;
}

void divide(Data& data, const TrainOptions& options) {
  SplitOptions shares{options.data.validation, options.data.test, options.run.seed};
  if (!data.splits.validation.samples.empty()) shares.validation = 0;
  if (!data.splits.test.samples.empty()) shares.test = 0;
  if (shares.validation > 0 || shares.test > 0) {
    image::Splits parts = image::split(data.splits.train, shares, groups_of(data, data.splits.train));
    data.splits.train = std::move(parts.train);
    if (shares.validation > 0) data.splits.validation = std::move(parts.validation);
    if (shares.test > 0) data.splits.test = std::move(parts.test);
  }
  uint64_t hash = fnv1a64("pictures");
  add_to(hash, data.splits.train, "train", *data.looks);
  add_to(hash, data.splits.validation, "validation", *data.looks);
  add_to(hash, data.splits.test, "test", *data.looks);
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
