#include "audit/audit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "image/duplicates.h"
#include "image/formats.h"
#include "image/inspect.h"

namespace fovea::auditing {
namespace {

constexpr int64_t kTiny = 10;
constexpr double kImbalance = 10;

constexpr size_t kMostFiles = 6, kMostLines = 5;  // in warnings
constexpr const char* kSplits[] = {"training", "validation", "test"};

struct Picture {
  const image::Sample* sample = nullptr;
  size_t split = 0;
  const image::Look* look = nullptr;
};

std::vector<Picture> pictures_of(const image::Splits& splits, const Looks& looks) {
  std::vector<Picture> pictures;
  size_t split = 0;
  for (const image::Dataset* part : {&splits.train, &splits.validation, &splits.test}) {
    for (const image::Sample& sample : part->samples) {
      const auto found = looks.pictures.find(sample.path);
      if (found != looks.pictures.end()) pictures.push_back({&sample, split, &found->second});
    }
    ++split;
  }
  return pictures;
}

std::string lower_extension(const std::string& path) {
  std::string text = std::filesystem::path(path).extension().string();
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text.empty() ? text : text.substr(1);
}

bool fits(const std::string& extension, const std::string& name) {
  for (const image::Format& format : image::formats()) {
    if (lower_case(std::string(format.name)) != name) continue;
    const std::string all = fmt::format(" {} ", format.extensions);
    return all.find(fmt::format(" {} ", extension)) != all.npos;
  }
  return extension == name;
}

// Of sorted numbers.
double quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

// Beyond three times the quartiles' distance from them (Tukey's far outliers), and at least twice as large or small: logarithms.
std::vector<size_t> outliers(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::ranges::sort(sorted);
  std::vector<size_t> result;
  if (sorted.empty()) return result;
  const double low = quantile(sorted, 0.25), high = quantile(sorted, 0.75), reach = std::max(3 * (high - low), std::log(2.0));
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] < low - reach || values[i] > high + reach) result.push_back(i);
  return result;
}

void note_odd_sizes(const std::vector<Picture>& good, Audit& audit) {
  std::vector<double> aspects, areas;
  for (const Picture& picture : good) {
    const auto width = static_cast<double>(picture.look->print.width), height = static_cast<double>(picture.look->print.height);
    aspects.push_back(std::log(width / height));
    areas.push_back(std::log(width * height));
  }
  std::set<size_t> odd_aspects, odd_areas;
  for (size_t i : outliers(aspects)) odd_aspects.insert(i);
  for (size_t i : outliers(areas)) odd_areas.insert(i);
  for (size_t i = 0; i < good.size(); ++i) {
    const bool aspect = odd_aspects.contains(i), area = odd_areas.contains(i);
    if (!aspect && !area) continue;
    audit.odd_sizes.push_back(
        {good[i].sample->path, fmt::format("{} x {}: {} far from the others'", good[i].look->print.width, good[i].look->print.height,
                                           aspect && area ? "aspect and area are"
                                           : aspect       ? "the aspect is"
                                                          : "the area is")});
  }
}

void note_copies(const std::vector<Picture>& good, const Looks& looks, Audit& audit) {
  std::map<std::string, const Picture*> by_path;
  for (const Picture& picture : good) by_path.emplace(picture.sample->path, &picture);
  for (const Group& group : looks.copies) {
    AuditCopies copies;
    copies.same_pixels = group.same_pixels;
    std::set<size_t> splits;
    std::set<std::vector<int32_t>> labels;
    for (const std::string& file : group.files) {
      const auto found = by_path.find(file);
      if (found == by_path.end()) continue;  // in no split
      copies.files.push_back(file);
      copies.splits.emplace_back(kSplits[found->second->split]);
      splits.insert(found->second->split);
      labels.insert(image::labels_of(*found->second->sample));
    }
    if (copies.files.size() < 2) continue;
    copies.across_splits = splits.size() > 1;
    copies.across_classes = labels.size() > 1;
    audit.copies.push_back(std::move(copies));
  }
}

void count_classes(const image::Splits& splits, const std::vector<Picture>& good, Audit& audit) {
  for (const std::string& name : splits.train.classes) audit.classes.push_back({name, 0, 0, 0});
  for (const Picture& picture : good) {
    for (int32_t label : image::labels_of(*picture.sample)) {
      AuditClass& own = audit.classes[static_cast<size_t>(label)];
      ++(picture.split == 0 ? own.training : picture.split == 1 ? own.validation : own.test);
    }
  }
  int64_t least = 0, most = 0;
  for (const AuditClass& own : audit.classes) {
    if (own.pictures() < kTiny) audit.tiny_classes.push_back(own.name);
    least = least == 0 ? own.pictures() : std::min(least, own.pictures());
    most = std::max(most, own.pictures());
  }
  if (least > 0) audit.imbalance = static_cast<double>(most) / static_cast<double>(least);
}

void find_copies(const image::Splits& splits, Looks& looks) {
  std::vector<const std::string*> paths;
  std::vector<image::Fingerprint> prints;
  for (const image::Dataset* part : {&splits.train, &splits.validation, &splits.test}) {
    for (const image::Sample& sample : part->samples) {
      paths.push_back(&sample.path);
      prints.push_back(looks.pictures.at(sample.path).print);
    }
  }
  for (const image::Copies& found : image::find_copies(prints, prints.size() <= kMostCompared)) {
    Group& group = looks.copies.emplace_back();
    group.same_pixels = found.same_pixels;
    for (size_t i : found.members) group.files.push_back(*paths[i]);
  }
}

std::string named(const AuditCopies& copies, bool with_splits) {
  std::vector<std::string> files;
  for (size_t i = 0; i < std::min(kMostFiles, copies.files.size()); ++i)
    files.push_back(with_splits ? fmt::format("{} ({})", copies.files[i], copies.splits[i]) : copies.files[i]);
  if (copies.files.size() > kMostFiles) files.push_back(fmt::format("and {} more", copies.files.size() - kMostFiles));
  return fmt::format("{}", fmt::join(files, ", "));
}

std::vector<std::string> lines_of(const Audit& audit, bool AuditCopies::*bad, bool with_splits, const char* what) {
  std::vector<std::string> lines;
  size_t found = 0;
  for (const AuditCopies& copies : audit.copies) {
    if (!(copies.*bad) || ++found > kMostLines) continue;
    lines.push_back(
        fmt::format("warning: {} {}: {}", copies.same_pixels ? "one picture" : "nearly one picture", what, named(copies, with_splits)));
  }
  if (found > kMostLines) lines.push_back(fmt::format("warning: {} more such pictures, which fovea audit names", found - kMostLines));
  return lines;
}

}  // namespace

namespace {

Looks look_as(image::Splits& found, image::ImageCache* cache, const Preprocessing& preprocessing, const image::Progress& progress) {
  Looks looks;
  const std::array<image::Dataset*, 3> parts{&found.train, &found.validation, &found.test};
  int64_t all = 0, before = 0;
  for (const image::Dataset* part : parts) all += static_cast<int64_t>(part->samples.size());
  for (image::Dataset* part : parts) {
    const auto count = static_cast<int64_t>(part->samples.size());
    const auto on_part = [&](int64_t done, int64_t) { progress(before + done, all); };
    std::vector<image::Look> seen;
    for (auto& bad : image::check_pictures(*part, cache, preprocessing, progress ? image::Progress(on_part) : nullptr, &seen))
      looks.unreadable.push_back(std::move(bad));
    for (size_t i = 0; i < seen.size(); ++i) looks.pictures.emplace(part->samples[i].path, std::move(seen[i]));
    before += count;
  }
  find_copies(found, looks);
  return looks;
}

}  // namespace

Looks look(image::Splits& found, image::ImageCache* cache, const image::Progress& progress) {
  return look_as(found, cache, cache ? cache->preprocessing() : Preprocessing{}, progress);
}

Looks look(image::Splits& found, const Preprocessing& preprocessing, const image::Progress& progress) {
  return look_as(found, nullptr, preprocessing, progress);
}

Audit audit(const image::Splits& splits, const Looks& looks) {
  const std::vector<Picture> good = pictures_of(splits, looks);
  Audit result;
  result.pictures = static_cast<int64_t>(good.size() + looks.unreadable.size());
  for (const image::BadPicture& bad : looks.unreadable) {
    const std::string prefix = bad.path + ": ";
    result.unreadable.push_back({bad.path, bad.message.starts_with(prefix) ? bad.message.substr(prefix.size()) : bad.message});
    result.truncated += bad.message.find("truncated") != std::string::npos;
  }
  for (const Picture& picture : good) {
    const std::string extension = lower_extension(picture.sample->path);
    const image::Look& look = *picture.look;
    if (!picture.sample->source && !fits(extension, look.format)) result.wrong_extensions.push_back({picture.sample->path, fmt::format("is {}", look.format)});
    result.turned += look.orientation != 1;
    result.grey += look.grey;
    result.transparent += look.transparent;
  }
  count_classes(splits, good, result);
  note_copies(good, looks, result);
  note_odd_sizes(good, result);
  return result;
}

std::vector<std::string> leak_warnings(const Audit& audit) {
  return lines_of(audit, &AuditCopies::across_splits, true, "is on both sides of a split");
}

std::vector<std::string> conflict_warnings(const Audit& audit) {
  return lines_of(audit, &AuditCopies::across_classes, false, "is under different classes");
}

}  // namespace fovea::auditing

namespace fovea {

int64_t Audit::problems() const {
  return static_cast<int64_t>(unreadable.size() + copies.size() + tiny_classes.size() + wrong_extensions.size()) +
         (imbalance >= auditing::kImbalance ? 1 : 0);
}

}  // namespace fovea
