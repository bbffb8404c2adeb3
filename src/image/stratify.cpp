#include "image/stratify.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace fovea::image {
namespace {

// Samples that go to the same part.
struct Item {
  std::vector<size_t> samples;
  std::map<int32_t, int64_t> labels;  // how many of the samples have each
};

std::vector<int64_t> label_counts(const Dataset& dataset) {
  std::vector<int64_t> counts(dataset.classes.size());
  for (const Sample& sample : dataset.samples)
    for (int32_t label : labels_of(sample)) ++counts[static_cast<size_t>(label)];
  return counts;
}

std::vector<Item> items_of(const Dataset& dataset, std::span<const int64_t> groups, const std::vector<int64_t>& counts) {
  std::map<int64_t, Item> grouped;
  std::vector<Item> items;
  const auto add = [&](Item& item, size_t i) {
    item.samples.push_back(i);
    for (int32_t label : labels_of(dataset.samples[i])) ++item.labels[label];
  };
  for (size_t i = 0; i < dataset.samples.size(); ++i) {
    if (!groups.empty()) {
      add(grouped[groups[i]], i);
      continue;
    }
    add(items.emplace_back(), i);
  }
  for (auto& [group, item] : grouped) {
    const bool takes_all = item.samples.size() > 1 && std::ranges::any_of(item.labels, [&](const auto& one) {
                             return one.second == counts[static_cast<size_t>(one.first)];
                           });
    const bool inseparable = std::ranges::any_of(item.samples, [&](size_t i) { return !dataset.samples[i].group.empty(); });
    if (inseparable || !takes_all) {
      items.push_back(std::move(item));
      continue;
    }
    for (size_t i : item.samples) add(items.emplace_back(), i);
  }
  return items;
}

// What a fold tests of a class, others train.
void require_groups(const Dataset& dataset, std::span<const int64_t> groups) {
  if (groups.empty() || dataset.multi_label) return;
  std::vector<std::set<int64_t>> of(dataset.classes.size());
  for (size_t i = 0; i < dataset.samples.size(); ++i) of[static_cast<size_t>(dataset.samples[i].label)].insert(groups[i]);
  for (size_t label = 0; label < of.size(); ++label) {
    const auto one = [&](const Sample& sample) { return sample.label == static_cast<int32_t>(label) && !sample.group.empty(); };
    if (const auto found = std::ranges::find_if(dataset.samples, one); of[label].size() == 1 && found != dataset.samples.end())
      fail(ErrorKind::input, "folds, but all pictures of class \"{}\" are of one group (\"{}\"): a fold would test what no picture trains",
           dataset.classes[label], found->group);
  }
}

// Larger items first, while there is room to even them out.
void shuffle(std::vector<Item>& items, uint64_t seed) {
  const RandomStream random(seed, "stratify");
  std::ranges::sort(items, [&](const Item& a, const Item& b) {
    if (a.samples.size() != b.samples.size()) return a.samples.size() > b.samples.size();
    return random.bits(a.samples.front()) < random.bits(b.samples.front());
  });
}

}  // namespace

std::vector<size_t> stratify(const Dataset& dataset, std::span<const double> shares, uint64_t seed, std::span<const int64_t> groups) {
  const std::vector<int64_t> counts = label_counts(dataset);
  std::vector<Item> items = items_of(dataset, groups, counts);
  shuffle(items, seed);
  std::vector<double> room;                 // pictures that each part still wants
  std::vector<std::vector<double>> wanted;  // the same of each class
  std::vector<int64_t> left = counts;       // pictures of each class that have no part yet
  for (double share : shares) {
    room.push_back(share * static_cast<double>(dataset.samples.size()));
    wanted.emplace_back();
    for (int64_t count : counts) wanted.back().push_back(share * static_cast<double>(count));
  }
  std::vector<size_t> parts(dataset.samples.size());
  std::vector<bool> placed(items.size(), false);
  constexpr double kAlike = 1e-9;
  const auto place = [&](size_t number, int32_t label) {
    const Item& item = items[number];
    size_t best = 0;
    for (size_t part = 1; part < shares.size(); ++part) {
      const double more = label < 0 ? 0 : wanted[part][static_cast<size_t>(label)] - wanted[best][static_cast<size_t>(label)];
      if (more > kAlike || (more > -kAlike && room[part] > room[best] + kAlike)) best = part;
    }
    placed[number] = true;
    for (size_t sample : item.samples) parts[sample] = best;
    room[best] -= static_cast<double>(item.samples.size());
    for (const auto& [own, count] : item.labels) {
      wanted[best][static_cast<size_t>(own)] -= static_cast<double>(count);
      left[static_cast<size_t>(own)] -= count;
    }
  };
  for (;;) {
    int32_t rarest = -1;
    for (size_t label = 0; label < left.size(); ++label)
      if (left[label] > 0 && (rarest < 0 || left[label] < left[static_cast<size_t>(rarest)])) rarest = static_cast<int32_t>(label);
    if (rarest < 0) break;
    for (size_t i = 0; i < items.size(); ++i)
      if (!placed[i] && items[i].labels.contains(rarest)) place(i, rarest);
  }
  for (size_t i = 0; i < items.size(); ++i)
    if (!placed[i]) place(i, -1);
  return parts;
}

std::vector<Splits> make_folds(const Dataset& dataset, int64_t folds, uint64_t seed, std::span<const int64_t> groups) {
  const auto pictures = static_cast<int64_t>(dataset.samples.size());
  if (folds < 2) fail(ErrorKind::usage, "{} folds, at least 2 expected", folds);
  if (folds > pictures) fail(ErrorKind::input, "{} folds of {} pictures: a fold would test none", folds, pictures);
  const std::vector<int64_t> counts = label_counts(dataset);
  for (size_t label = 0; label < counts.size() && !dataset.multi_label; ++label) {
    if (counts[label] < folds)
      fail(ErrorKind::input, "{} folds, but class \"{}\" has {} pictures: a fold would test none of them", folds, dataset.classes[label],
           counts[label]);
  }
  require_groups(dataset, groups);
  const std::vector<double> shares(static_cast<size_t>(folds), 1 / static_cast<double>(folds));
  const std::vector<size_t> parts = stratify(dataset, shares, seed, groups);
  std::vector<Splits> result;
  for (size_t fold = 0; fold < shares.size(); ++fold) {
    Splits splits;
    for (Dataset* part : {&splits.train, &splits.validation, &splits.test}) {
      part->classes = dataset.classes;
      part->multi_label = dataset.multi_label;
    }
    for (size_t i = 0; i < parts.size(); ++i) (parts[i] == fold ? splits.test : splits.train).samples.push_back(dataset.samples[i]);
    result.push_back(std::move(splits));
  }
  return result;
}

}  // namespace fovea::image
