#include "image/folder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <istream>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"
#include "image/stratify.h"

namespace fovea::image {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

template <class Visit>
void for_each_entry(const fs::path& folder, Visit&& visit) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!is_hidden(entry->path())) visit(*entry);
  }
  if (error) fail(ErrorKind::input, "{}: {}", folder.string(), error.message());
}

void check_folder(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::not_found) fail(ErrorKind::input, "{}: no such folder", folder.string());
  if (error) fail(ErrorKind::input, "{}: {}", folder.string(), error.message());
  if (!fs::is_directory(status)) fail(ErrorKind::input, "{}: not a folder", folder.string());
}

// Names of the folders in it, sorted bytewise. Links to folders count.
std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for_each_entry(folder, [&](const fs::directory_entry& entry) {
    if (entry.is_directory(ignored)) names.push_back(entry.path().filename().string());
  });
  std::sort(names.begin(), names.end());
  return names;
}

// Regular files at any depth. Below the top, links to folders are not followed: they could lead in circles.
void collect_files(const fs::path& folder, std::vector<std::string>& files) {
  std::error_code ignored;
  for_each_entry(folder, [&](const fs::directory_entry& entry) {
    if (entry.is_regular_file(ignored))
      files.push_back(entry.path().string());
    else if (entry.is_directory(ignored) && !entry.is_symlink(ignored))
      collect_files(entry.path(), files);
  });
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> files;
  collect_files(folder, files);
  std::sort(files.begin(), files.end());
  return files;
}

// `where` is what messages begin with.
void check_case(const std::string& where, std::span<const std::string> names) {
  std::map<std::string, std::string> seen;
  for (const std::string& name : names) {
    const auto [other, added] = seen.emplace(lower_case(name), name);
    if (!added) fail(ErrorKind::input, "{}: classes \"{}\" and \"{}\" differ only in case", where, other->second, name);
  }
}

void check_names(const fs::path& folder, const std::vector<std::string>& names) {
  if (names.empty()) fail(ErrorKind::input, "{}: no class folders in it; pictures lie in one folder a class", folder.string());
  check_case(folder.string(), names);
}

void add_class(Dataset& dataset, const fs::path& folder, size_t label) {
  const size_t prefix = folder.string().size();
  for (std::string& file : files_in(folder)) {
    std::string name = dataset.classes[label] + file.substr(prefix);
    dataset.samples.push_back({std::move(file), static_cast<int32_t>(label), std::move(name)});
  }
}

struct ListedFile {
  std::string path, folder, name;  // as given; the last two parts of it
};

std::vector<ListedFile> listed_files(std::span<const std::string> files) {
  if (files.empty()) fail(ErrorKind::input, "a list without a picture");
  std::vector<ListedFile> listed;
  std::map<std::string, std::string> given;  // by what names the same file however it is spelled
  for (const std::string& file : files) {
    const fs::path path = fs::absolute(file).lexically_normal();
    const auto [first, added] = given.emplace(path.string(), file);
    if (!added && first->second == file) fail(ErrorKind::input, "{}: is given twice", file);
    if (!added) fail(ErrorKind::input, "{}: is given twice, before as {}", file, first->second);
    std::string folder = path.parent_path().filename().string();
    if (folder.empty() || !path.has_filename()) fail(ErrorKind::input, "{}: does not lie in a folder that names its class", file);
    listed.push_back({file, std::move(folder), path.filename().string()});
  }
  return listed;
}

// In the order that scan_folder has.
Dataset dataset_of(const std::vector<ListedFile>& files, std::vector<std::string> classes) {
  std::map<std::string, int32_t> labels;
  for (size_t label = 0; label < classes.size(); ++label) labels.emplace(classes[label], static_cast<int32_t>(label));
  Dataset dataset{std::move(classes), {}, false};
  for (const ListedFile& file : files) {
    const auto label = labels.find(file.folder);
    if (label == labels.end())
      fail(ErrorKind::input, "{}: \"{}\" is none of the {} known classes", file.path, file.folder, dataset.classes.size());
    dataset.samples.push_back({file.path, label->second, file.folder + "/" + file.name});
  }
  std::sort(dataset.samples.begin(), dataset.samples.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.label, a.name, a.path) < std::tie(b.label, b.name, b.path);  // paths: of the same name in two folders of that name
  });
  return dataset;
}

}  // namespace

std::vector<int32_t> labels_of(const Sample& sample) {
  if (sample.label >= 0) return {sample.label};
  return sample.labels;
}

Dataset scan_folder(const std::string& folder) {
  check_folder(folder);
  Dataset dataset;
  dataset.classes = folders_in(folder);
  check_names(folder, dataset.classes);
  for (size_t label = 0; label < dataset.classes.size(); ++label) {
    const size_t before = dataset.samples.size();
    add_class(dataset, fs::path(folder) / dataset.classes[label], label);
    if (dataset.samples.size() == before)
      fail(ErrorKind::input, "{}: class folder without pictures", (fs::path(folder) / dataset.classes[label]).string());
  }
  if (dataset.classes.size() == 1)
    fail(ErrorKind::input, "{}: one class only (\"{}\"); a classifier needs two", folder, dataset.classes.front());
  return dataset;
}

Dataset scan_folder(const std::string& folder, std::span<const std::string> classes) {
  check_folder(folder);
  Dataset dataset;
  dataset.classes.assign(classes.begin(), classes.end());
  const std::vector<std::string> names = folders_in(folder);
  check_names(folder, names);
  for (const std::string& name : names) {
    if (std::find(classes.begin(), classes.end(), name) == classes.end()) {
      fail(ErrorKind::input, "{}: \"{}\" is none of the {} known classes", folder, name, classes.size());
    }
  }
  for (size_t label = 0; label < classes.size(); ++label) {
    if (std::binary_search(names.begin(), names.end(), classes[label])) add_class(dataset, fs::path(folder) / classes[label], label);
  }
  return dataset;
}

Dataset scan_files(std::span<const std::string> files) {
  const std::vector<ListedFile> listed = listed_files(files);
  std::set<std::string> names;
  for (const ListedFile& file : listed) names.insert(file.folder);
  std::vector<std::string> classes(names.begin(), names.end());
  const std::string where =
      listed.size() == 1 ? listed.front().path : fmt::format("{} and {} more", listed.front().path, listed.size() - 1);
  check_case(where, classes);
  if (classes.size() == 1) fail(ErrorKind::input, "{}: one class only (\"{}\"); a classifier needs two", where, classes.front());
  return dataset_of(listed, std::move(classes));
}

Dataset scan_files(std::span<const std::string> files, std::span<const std::string> classes) {
  return dataset_of(listed_files(files), {classes.begin(), classes.end()});
}

std::optional<Splits> scan_splits(const std::string& folder) {
  check_folder(folder);
  const fs::path root(folder);
  std::string validation;
  bool has_train = false, has_test = false;
  for (const std::string& name : folders_in(root)) {
    if (name == "train")
      has_train = true;
    else if (name == "test")
      has_test = true;
    else if (name == "val" || name == "valid" || name == "validation") {
      if (!validation.empty()) fail(ErrorKind::input, "{}: both {}/ and {}/ are there for validation", folder, validation, name);
      validation = name;
    } else {
      return std::nullopt;
    }
  }
  if (!has_train || folders_in(root / "train").empty()) return std::nullopt;
  Splits splits;
  splits.train = scan_folder((root / "train").string());
  splits.validation.classes = splits.test.classes = splits.train.classes;
  if (!validation.empty()) splits.validation = scan_folder((root / validation).string(), splits.train.classes);
  if (has_test) splits.test = scan_folder((root / "test").string(), splits.train.classes);
  return splits;
}

namespace {

size_t share(size_t count, double fraction) {
  if (fraction <= 0) return 0;
  const auto rounded = static_cast<size_t>(std::floor(static_cast<double>(count) * fraction + 0.5));
  return count >= 3 ? std::max<size_t>(rounded, 1) : rounded;
}

// Places 0..count-1 in random order.
std::vector<size_t> shuffled(size_t count, uint64_t seed, const std::string& name) {
  const RandomStream random(seed, "split/" + name);
  std::vector<std::pair<uint64_t, size_t>> keyed(count);
  for (size_t i = 0; i < count; ++i) keyed[i] = {random.bits(i), i};
  std::sort(keyed.begin(), keyed.end());
  std::vector<size_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = keyed[i].second;
  return order;
}

// Several labels a picture: in one go, so that every class is in every part where it can be.
Splits split_labels(const Dataset& dataset, const SplitOptions& options, std::span<const int64_t> groups) {
  const std::array<double, 3> shares{1 - options.validation - options.test, options.validation, options.test};
  const std::vector<size_t> parts = stratify(dataset, shares, options.seed, groups);
  Splits splits;
  const std::array<Dataset*, 3> datasets{&splits.train, &splits.validation, &splits.test};
  for (Dataset* one : datasets) *one = {dataset.classes, {}, true};
  for (size_t i = 0; i < parts.size(); ++i) datasets[parts[i]]->samples.push_back(dataset.samples[i]);
  return splits;
}

// Samples by the part they go to, class by class.
class Dealer {
 public:
  enum Part : uint8_t { train, validation, test };

  Dealer(const Dataset& dataset, std::span<const int64_t> groups) : dataset_(dataset), by_class_(dataset.classes.size()) {
    parts.assign(dataset.samples.size(), train);
    for (size_t i = 0; i < dataset.samples.size(); ++i) by_class_[label_of(i)].push_back(i);
    for (const auto& members : by_class_) left_.push_back(members.size());
    std::map<int64_t, std::vector<size_t>> grouped;
    for (size_t i = 0; i < groups.size(); ++i) grouped[groups[i]].push_back(i);
    for (auto& [number, group] : grouped)
      if (group.size() > 1 && !takes_all(group))
        for (size_t i : group) together_[i] = group;
  }

  // A fraction of each class; training keeps one.
  void deal(Part part, double fraction, uint64_t seed) {
    for (size_t label = 0; label < by_class_.size(); ++label) {
      const std::vector<size_t>& members = by_class_[label];
      if (members.empty()) continue;
      size_t taken = 0;  // with a group that another class took
      for (size_t i : members) taken += parts[i] == part;
      const size_t wanted = std::min(share(members.size(), fraction), left_[label] - 1 + taken);
      std::vector<size_t> order = shuffled(members.size(), seed, dataset_.classes[label]);
      // From the other end, so that the test pictures stay when the fraction for validation changes, and the other way round.
      if (part == validation) std::ranges::reverse(order);
      for (size_t place : order) {
        if (taken >= wanted) break;
        if (parts[members[place]] == train) taken += take(part, members[place], wanted - taken, taken == 0);
      }
    }
  }

  std::vector<Part> parts;

 private:
  size_t label_of(size_t sample) const { return static_cast<size_t>(dataset_.samples[sample].label); }
  std::map<size_t, size_t> counts_of(const std::vector<size_t>& group) const {
    std::map<size_t, size_t> counts;
    for (size_t i : group) ++counts[label_of(i)];
    return counts;
  }
  bool takes_all(const std::vector<size_t>& group) const {
    return std::ranges::any_of(counts_of(group), [&](const auto& one) { return one.second == by_class_[one.first].size(); });
  }
  // How many of the sample's class went with it: none where that left a class without training, or were further from what is wanted.
  size_t take(Part part, size_t sample, size_t wanted, bool first) {
    const auto found = together_.find(sample);
    const std::vector<size_t> group = found == together_.end() ? std::vector{sample} : found->second;
    const std::map<size_t, size_t> counts = counts_of(group);
    const size_t own = counts.at(label_of(sample));
    if (!first && own > 2 * wanted) return 0;
    for (const auto& [label, count] : counts)
      if (count >= left_[label]) return 0;
    for (const auto& [label, count] : counts) left_[label] -= count;
    for (size_t i : group) parts[i] = part;
    return own;
  }

  const Dataset& dataset_;
  std::vector<std::vector<size_t>> by_class_;
  std::vector<size_t> left_;  // to train on, of each class
  std::map<size_t, std::vector<size_t>> together_;
};

}  // namespace

Splits split(const Dataset& dataset, const SplitOptions& options, std::span<const int64_t> groups) {
  if (!(options.validation >= 0) || !(options.test >= 0) || !(options.validation + options.test < 1)) {
    fail(ErrorKind::usage, "fractions {} for validation and {} for test do not leave a part to train on", options.validation, options.test);
  }
  if (dataset.multi_label) return split_labels(dataset, options, groups);
  Dealer dealer(dataset, groups);
  dealer.deal(Dealer::test, options.test, options.seed);
  dealer.deal(Dealer::validation, options.validation, options.seed);
  const auto& parts = dealer.parts;
  Splits splits;
  splits.train.classes = splits.validation.classes = splits.test.classes = dataset.classes;
  for (size_t i = 0; i < parts.size(); ++i) {
    Dataset& part = parts[i] == Dealer::train ? splits.train : parts[i] == Dealer::validation ? splits.validation : splits.test;
    part.samples.push_back(dataset.samples[i]);
  }
  return splits;
}

std::vector<std::string> list_pictures(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) fail(ErrorKind::input, "{}: no such file or folder", path);
  if (error) fail(ErrorKind::input, "{}: {}", path, error.message());
  if (!fs::is_directory(status)) return {path};
  std::vector<std::string> files = files_in(path);
  if (files.empty()) fail(ErrorKind::input, "{}: no pictures in it", path);
  return files;
}

std::vector<std::string> list_pictures(std::span<const std::string> paths) {
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    const std::vector<std::string> some = list_pictures(path);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<std::string> read_list(std::istream& lines) {
  std::vector<std::string> paths;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) paths.push_back(line);
  }
  return paths;
}

}  // namespace fovea::image
