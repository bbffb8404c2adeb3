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

void check_folder(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::not_found) fail(ErrorKind::input, "{}: no such folder", folder.string());
  if (error) fail(ErrorKind::input, "{}: {}", folder.string(), error.message());
  if (!fs::is_directory(status)) fail(ErrorKind::input, "{}: not a folder", folder.string());
}

// Names of the class folders in it, links to folders among them; what else lies there is not used.
std::vector<std::string> class_folders_in(const fs::path& folder, std::vector<Unused>& unused) {
  Entries entries = entries_in(folder, unused);
  for (const std::string& name : entries.files) unused.push_back({(folder / name).string(), "beside the class folders, not in one"});
  return std::move(entries.folders);
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

// The files of the class folders that are there, class by class.
void add_classes(Dataset& dataset, const fs::path& root, std::span<const std::string> there) {
  std::vector<fs::path> folders;
  std::vector<size_t> labels;
  for (size_t label = 0; label < dataset.classes.size(); ++label) {
    if (!std::ranges::binary_search(there, dataset.classes[label])) continue;
    folders.push_back(root / dataset.classes[label]);
    labels.push_back(label);
  }
  std::vector<std::vector<std::string>> files = files_in(root, folders, dataset.unused);
  for (size_t i = 0; i < folders.size(); ++i) {
    const size_t prefix = folders[i].string().size();
    for (std::string& file : files[i]) {
      std::string name = dataset.classes[labels[i]] + file.substr(prefix);
      dataset.samples.push_back({std::move(file), static_cast<int32_t>(labels[i]), std::move(name)});
    }
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
  Dataset dataset;
  dataset.classes = std::move(classes);
  for (const ListedFile& file : files) {
    const auto label = labels.find(file.folder);
    if (label == labels.end())
      fail(ErrorKind::input, "{}: \"{}\" is none of the {} known classes", file.path, file.folder, dataset.classes.size());
    dataset.samples.push_back({file.path, label->second, file.folder + "/" + file.name});
  }
  sort_samples(dataset.samples);
  return dataset;
}

}  // namespace

std::vector<int32_t> labels_of(const Sample& sample) {
  if (sample.label >= 0) return {sample.label};
  return sample.labels;
}

void sort_samples(std::vector<Sample>& samples) {
  std::ranges::sort(samples, [](const Sample& a, const Sample& b) {
    return std::tie(a.label, a.name, a.path) < std::tie(b.label, b.name, b.path);  // paths: of the same name in two folders of that name
  });
}

Dataset scan_folder(const std::string& folder) {
  check_folder(folder);
  Dataset dataset;
  dataset.classes = class_folders_in(folder, dataset.unused);
  check_names(folder, dataset.classes);
  const std::vector<std::string> there = dataset.classes;
  add_classes(dataset, folder, there);
  std::vector<bool> filled(dataset.classes.size());
  for (const Sample& sample : dataset.samples) filled[static_cast<size_t>(sample.label)] = true;
  for (size_t label = 0; label < filled.size(); ++label)
    if (!filled[label]) fail(ErrorKind::input, "{}: class folder without pictures", (fs::path(folder) / dataset.classes[label]).string());
  if (dataset.classes.size() == 1)
    fail(ErrorKind::input, "{}: one class only (\"{}\"); a classifier needs two", folder, dataset.classes.front());
  return dataset;
}

Dataset scan_folder(const std::string& folder, std::span<const std::string> classes) {
  check_folder(folder);
  Dataset dataset;
  dataset.classes.assign(classes.begin(), classes.end());
  const std::vector<std::string> names = class_folders_in(folder, dataset.unused);
  check_names(folder, names);
  for (const std::string& name : names) {
    if (std::find(classes.begin(), classes.end(), name) == classes.end()) {
      fail(ErrorKind::input, "{}: \"{}\" is none of the {} known classes", folder, name, classes.size());
    }
  }
  add_classes(dataset, folder, names);
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

namespace {

enum class SplitRole { train, validation, test };

std::optional<SplitRole> role_of(const std::string& folder) {
  const std::string name = lower_case(folder);
  if (name == "train" || name == "training") return SplitRole::train;
  if (name == "val" || name == "valid" || name == "validation" || name == "dev" || name == "eval") return SplitRole::validation;
  if (name == "test" || name == "testing") return SplitRole::test;
  return std::nullopt;
}

const char* name_of(SplitRole role) {
  return role == SplitRole::train ? "training" : role == SplitRole::validation ? "validation" : "testing";
}

// The folder of each role, where there are no others.
std::optional<std::map<SplitRole, std::string>> split_folders(const std::string& root, std::span<const std::string> folders) {
  std::map<SplitRole, std::string> found;
  std::string twice;
  for (const std::string& name : folders) {
    const auto role = role_of(name);
    if (!role) return std::nullopt;
    const auto [first, added] = found.emplace(*role, name);
    if (!added && twice.empty()) twice = fmt::format("{}: both {}/ and {}/ are there for {}", root, first->second, name, name_of(*role));
  }
  if (!twice.empty()) fail(ErrorKind::input, "{}", twice);
  return found;
}

// Without train/: the same class folders in validation and test say that these are no classes.
void require_train(const std::string& root, const std::map<SplitRole, std::string>& folders) {
  if (folders.size() < 2) return;
  std::vector<Unused> ignored;
  const std::string &validation = folders.at(SplitRole::validation), &test = folders.at(SplitRole::test);
  const std::vector<std::string> some = class_folders_in(fs::path(root) / validation, ignored);
  if (!some.empty() && some == class_folders_in(fs::path(root) / test, ignored))
    fail(ErrorKind::input, "{}: {}/ and {}/ hold the same classes and are taken for validation and testing; there is no train/", root,
         validation, test);
}

}  // namespace

std::optional<Splits> scan_splits(const std::string& folder) {
  check_folder(folder);
  const fs::path root(folder);
  std::vector<Unused> unused;
  const Entries entries = entries_in(root, unused);
  const auto folders = split_folders(folder, entries.folders);
  if (!folders || folders->empty()) return std::nullopt;
  const auto train = folders->find(SplitRole::train);
  if (train == folders->end()) {
    require_train(folder, *folders);
    return std::nullopt;
  }
  if (std::vector<Unused> ignored; class_folders_in(root / train->second, ignored).empty()) return std::nullopt;
  Splits splits;
  splits.train = scan_folder((root / train->second).string());
  splits.validation.classes = splits.test.classes = splits.train.classes;
  std::vector<std::string> told;
  bool usual = true;
  for (const auto& [role, name] : *folders) {
    if (role == SplitRole::validation) splits.validation = scan_folder((root / name).string(), splits.train.classes);
    if (role == SplitRole::test) splits.test = scan_folder((root / name).string(), splits.train.classes);
    told.push_back(fmt::format("{}/ for {}", name, name_of(role)));
    usual = usual && (name == "train" || name == "val" || name == "valid" || name == "validation" || name == "test");
  }
  if (!usual) splits.news.push_back(fmt::format("{}: its folders are taken for splits, {}", folder, fmt::join(told, ", ")));
  for (const std::string& name : entries.files) unused.push_back({(root / name).string(), "beside the folders of the splits"});
  splits.unused = std::move(unused);
  for (Dataset* part : {&splits.train, &splits.validation, &splits.test}) {
    std::ranges::move(part->unused, std::back_inserter(splits.unused));
    part->unused.clear();
  }
  return splits;
}

std::optional<EvaluatedSplit> evaluated_split(const std::string& folder, std::span<const std::string> classes) {
  check_folder(folder);
  const fs::path root(folder);
  std::vector<Unused> unused;
  const Entries entries = entries_in(root, unused);
  for (const std::string& name : entries.folders)
    if (std::ranges::find(classes, name) != classes.end()) return std::nullopt;
  const auto folders = split_folders(folder, entries.folders);
  if (!folders) return std::nullopt;
  for (const SplitRole role : {SplitRole::test, SplitRole::validation}) {
    const auto found = folders->find(role);
    if (found == folders->end()) continue;
    EvaluatedSplit split{(root / found->second).string(), std::move(unused)};
    for (const auto& [other, name] : *folders)
      if (other != role) split.others.push_back({(root / name).string(), fmt::format("not evaluated beside {}/", found->second)});
    return split;
  }
  return std::nullopt;
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
  for (Dataset* one : datasets) {
    one->classes = dataset.classes;
    one->multi_label = true;
  }
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
      if (group.size() > 1 && (is_inseparable(group) || !takes_all(group)))
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
  bool is_inseparable(const std::vector<size_t>& group) const {
    return std::ranges::any_of(group, [&](size_t i) { return !dataset_.samples[i].group.empty(); });
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

std::vector<std::string> list_pictures(const std::string& path, std::vector<Unused>& unused) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) fail(ErrorKind::input, "{}: no such file or folder", path);
  if (error) fail(ErrorKind::input, "{}: {}", path, error.message());
  if (!fs::is_directory(status)) return {path};
  const fs::path folder(path);
  std::vector<std::string> files = std::move(files_in(folder, std::span(&folder, 1), unused).front());
  if (files.empty()) fail(ErrorKind::input, "{}: no pictures in it", path);
  return files;
}

std::vector<std::string> list_pictures(std::span<const std::string> paths, std::vector<Unused>& unused) {
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    const std::vector<std::string> some = list_pictures(path, unused);
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
