#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "train/feed.h"

namespace fovea::training {
namespace {

// Everything that features depend on beside the picture and how it is fitted. A word of the weights at a time: it is read for every run.
uint64_t origin_of(const engine::Network& network) {
  Preprocessing preprocessing = network.preprocessing();
  preprocessing.fit = Fit::crop;
  preprocessing.second_fit.reset();
  preprocessing.mirrored = false;
  uint64_t hash = fnv1a64(to_string(preprocessing) + to_string(network.precision()));
  const std::vector<std::string> head = network.head_states();
  for (const auto& [name, entry] : network.store()->entries()) {
    if (entry.role == StateRole::optimizer || std::ranges::find(head, name) != head.end()) continue;
    hash = fnv1a64(name, hash);
    const auto* words = static_cast<const uint32_t*>(entry.memory.raw());
    const size_t count = entry.memory.bytes() / sizeof(uint32_t);
    for (size_t i = 0; i < count; ++i) hash = mix64(hash ^ words[i]);
  }
  return hash;
}

int64_t batches_of(size_t pictures) { return (static_cast<int64_t>(pictures) + kInferenceBatch - 1) / kInferenceBatch; }

void add(engine::FeatureTable& table, const engine::FeatureTable& more) {
  table.width = more.width;
  table.rows += more.rows;
  table.values.insert(table.values.end(), more.values.begin(), more.values.end());
}

}  // namespace

std::vector<image::Sample> FeatureStore::missing(const Wanted& wanted, Fit fit) {
  Table& table = tables_[fit];
  if (wanted.mirrored && !table.mirrored) table = {};
  table.mirrored = table.mirrored || wanted.mirrored;
  std::vector<image::Sample> samples;
  for (const image::Sample& sample : wanted.samples)
    if (!table.rows.contains(sample.path)) samples.push_back(sample);
  return samples;
}

bool FeatureStore::compute(const Parts& parts, const std::vector<Wanted>& wanted, const OnBatch& on_batch) {
  if (const uint64_t origin = origin_of(*parts.network); origin != origin_) {
    tables_.clear();
    origin_ = origin;
  }
  int64_t done = 0, all = 0;
  for (const Wanted& one : wanted)
    for (Fit fit : one.fits) all += batches_of(missing(one, fit).size());
  for (const Wanted& one : wanted) {
    for (Fit fit : one.fits) {
      const std::vector<image::Sample> samples = missing(one, fit);
      if (samples.empty()) continue;
      Preprocessing preprocessing = parts.network->preprocessing();
      preprocessing.fit = fit;
      preprocessing.second_fit.reset();
      Table& table = tables_.at(fit);
      const Views views = compute_features(parts.session, {samples, preprocessing, parts.data.cache, false}, table.mirrored,
                                           [&](int64_t, int64_t) { return !on_batch || on_batch(++done, all); });
      if (!views.complete) return false;
      for (const image::Sample& sample : samples) table.rows.emplace(sample.path, static_cast<int64_t>(table.rows.size()));
      add(table.views.plain, views.plain);
      if (table.mirrored) add(table.views.mirrored, views.mirrored);
    }
  }
  return true;
}

std::span<const float> FeatureStore::row(const image::Sample& sample, Fit fit, bool mirrored) const {
  const Table& table = tables_.at(fit);
  const auto found = table.rows.find(sample.path);
  if (found == table.rows.end()) fail(ErrorKind::internal, "{}: no features of it were computed", sample.path);
  return (mirrored ? table.views.mirrored : table.views.plain).row(found->second);
}

size_t FeatureStore::bytes() const {
  size_t sum = 0;
  for (const auto& [fit, table] : tables_) sum += table.views.plain.bytes() + table.views.mirrored.bytes();
  return sum;
}

}  // namespace fovea::training
