#include "audit/audit.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/parallel.h"
#include "image/duplicates.h"
#include "image/inspect.h"

namespace fovea::auditing {
namespace {

constexpr int64_t kTiny = 10;
constexpr double kImbalance = 10;

struct Picture {
  const image::Sample* sample = nullptr;
  int split = 0;  // train, validation, test
  std::string error;
  std::string format;
  image::Fingerprint print;
  int orientation = 1;
  bool transparent = false, grey = false;
};

std::vector<Picture> look(const image::Splits& splits, const AuditOptions& options) {
  std::vector<Picture> pictures;
  int split = 0;
  for (const image::Dataset* part : {&splits.train, &splits.validation, &splits.test}) {
    for (const image::Sample& sample : part->samples) {
      pictures.emplace_back().sample = &sample;
      pictures.back().split = split;
    }
    ++split;
  }
  std::atomic<size_t> next{0};
  std::mutex mutex;
  int64_t done = 0;
  parallel_for(threads(), 1, [&](int64_t, int64_t) {
    for (size_t i; (i = next++) < pictures.size();) {
      Picture& picture = pictures[i];
      try {
        const image::Inspection seen = image::inspect_image(picture.sample->path);
        picture.format = seen.format;
        picture.orientation = seen.orientation;
        picture.transparent = seen.transparent;
        picture.grey = seen.grey;
        picture.print = image::fingerprint(seen.image);
      } catch (const std::exception& error) {
        picture.error = error.what();
      }
      const std::lock_guard lock(mutex);
      ++done;
      if (options.progress) options.progress(done, static_cast<int64_t>(pictures.size()));
    }
  });
  return pictures;
}

std::string lower_extension(const std::string& path) {
  std::string text = std::filesystem::path(path).extension().string();
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text.empty() ? text : text.substr(1);
}

bool fits(const std::string& extension, const std::string& format) {
  if (format == "jpeg") return extension == "jpg" || extension == "jpeg" || extension == "jpe" || extension == "jfif";
  return extension == format;
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

void note_odd_sizes(const std::vector<const Picture*>& good, Audit& audit) {
  std::vector<double> aspects, areas;
  for (const Picture* picture : good) {
    const auto width = static_cast<double>(picture->print.width), height = static_cast<double>(picture->print.height);
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
        {good[i]->sample->path, fmt::format("{} x {}: {} far from the others'", good[i]->print.width, good[i]->print.height,
                                            aspect && area ? "aspect and area are"
                                            : aspect       ? "the aspect is"
                                                           : "the area is")});
  }
}

void note_copies(const std::vector<const Picture*>& good, Audit& audit) {
  std::vector<image::Fingerprint> prints;
  for (const Picture* picture : good) prints.push_back(picture->print);
  for (const image::Copies& group : image::find_copies(prints)) {
    AuditCopies copies;
    copies.same_pixels = group.same_pixels;
    std::set<int> splits;
    std::set<std::vector<int32_t>> labels;
    for (size_t i : group.members) {
      copies.files.push_back(good[i]->sample->path);
      splits.insert(good[i]->split);
      labels.insert(image::labels_of(*good[i]->sample));
    }
    copies.across_splits = splits.size() > 1;
    copies.across_classes = labels.size() > 1;
    audit.copies.push_back(std::move(copies));
  }
}

void count_classes(const image::Splits& splits, const std::vector<const Picture*>& good, Audit& audit) {
  for (const std::string& name : splits.train.classes) audit.classes.push_back({name, 0, 0, 0});
  for (const Picture* picture : good) {
    for (int32_t label : image::labels_of(*picture->sample)) {
      AuditClass& own = audit.classes[static_cast<size_t>(label)];
      ++(picture->split == 0 ? own.training : picture->split == 1 ? own.validation : own.test);
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

}  // namespace

Audit audit(const image::Splits& splits, const AuditOptions& options) {
  const std::vector<Picture> pictures = look(splits, options);
  Audit result;
  result.pictures = static_cast<int64_t>(pictures.size());
  std::vector<const Picture*> good;
  for (const Picture& picture : pictures) {
    if (!picture.error.empty()) {
      const std::string prefix = picture.sample->path + ": ";
      result.unreadable.push_back(
          {picture.sample->path, picture.error.starts_with(prefix) ? picture.error.substr(prefix.size()) : picture.error});
      result.truncated += result.unreadable.back().reason.find("truncated") != std::string::npos;
      continue;
    }
    good.push_back(&picture);
    const std::string extension = lower_extension(picture.sample->path);
    if (!fits(extension, picture.format)) result.wrong_extensions.push_back({picture.sample->path, fmt::format("is {}", picture.format)});
    result.turned += picture.orientation != 1;
    result.grey += picture.grey;
    result.transparent += picture.transparent;
  }
  count_classes(splits, good, result);
  note_copies(good, result);
  note_odd_sizes(good, result);
  return result;
}

}  // namespace fovea::auditing

namespace fovea {

int64_t Audit::problems() const {
  return static_cast<int64_t>(unreadable.size() + copies.size() + tiny_classes.size() + wrong_extensions.size()) +
         (imbalance >= auditing::kImbalance ? 1 : 0);
}

}  // namespace fovea
