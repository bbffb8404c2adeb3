#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "train/feature_journal.h"
#include "train/feed.h"
#include "train/logistic_regression.h"

namespace fovea::training {
namespace {

// A number for all that features depend on beside the picture and its fit. It takes the weights word by word, as every run computes it.
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
    const std::span<const std::byte> bytes = entry.content();
    uint32_t word = 0;
    for (size_t at = 0; at + sizeof word <= bytes.size(); at += sizeof word) {
      std::memcpy(&word, bytes.data() + at, sizeof word);
      hash = mix64(hash ^ word);
    }
  }
  return hash;
}

// What features depend on, and whose they are.
std::string journal_key(uint64_t origin, Fit fit, bool mirrored, std::span<const image::Sample> samples, const Data& data) {
  uint64_t pictures = 0;
  for (const image::Sample& sample : samples) pictures = mix64(pictures ^ data.looks->pictures.at(sample.path).print.pixels);
  return fmt::format("{:016x} {} {} {:016x} {} threads", origin, static_cast<int>(fit), mirrored, pictures, threads());
}

int64_t batches_of(size_t pictures) { return (static_cast<int64_t>(pictures) + kInferenceBatch - 1) / kInferenceBatch; }

}  // namespace

Spill spill_of(const TrainOptions& options) {
  namespace fs = std::filesystem;
  const std::string& out = options.run.out;
  return {options.data.feature_cache_bytes, out.empty() ? fs::temp_directory_path() : fs::path(out)};
}

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
    width_ = 0;
    origin_ = origin;
  }
  int64_t done = 0, all = 0;
  for (const Wanted& one : wanted)
    for (Fit fit : one.fits) all += batches_of(missing(one, fit).size());
  const OnBatch count = [&](int64_t, int64_t) { return !on_batch || on_batch(++done, all); };
  for (const Wanted& one : wanted)
    for (Fit fit : one.fits)
      if (!add(parts, tables_.at(fit), fit, missing(one, fit), count)) return false;
  return true;
}

bool FeatureStore::add(const Parts& parts, Table& table, Fit fit, const std::vector<image::Sample>& samples, const OnBatch& on_batch) {
  if (samples.empty()) return true;
  Preprocessing preprocessing = parts.network->preprocessing();
  preprocessing.fit = fit;
  preprocessing.second_fit.reset();
  const int64_t views = table.mirrored ? 2 : 1, rows = static_cast<int64_t>(samples.size());
  SpillArray<float> block;
  const auto take = [&](int64_t index, std::span<const float> row) {
    const auto numbers = static_cast<int64_t>(row.size());
    if (index == 0) {
      width_ = numbers / views;
      block = SpillArray<float>(spill_, rows * numbers);
    }
    std::ranges::copy(row, block.part(index * numbers, numbers).begin());
    if ((index + 1) % kRowsAtOnce == 0 || index + 1 == rows) block.let_go(0, (index + 1) * numbers);
  };
  FeatureJournal journal(
      parts.options, fmt::format("{}", blocks_++), [&] { return journal_key(origin_, fit, table.mirrored, samples, parts.data); }, rows);
  const int64_t known = journal.rows();
  for (int64_t i = 0; i < known; ++i) take(i, journal.row(i));
  const auto rest = std::span(samples).subspan(static_cast<size_t>(known));
  for (int64_t batch = batches_of(rest.size()); batch < batches_of(samples.size()); ++batch)
    if (on_batch && !on_batch(batch, batch)) return false;
  const auto take_new = [&](int64_t index, std::span<float> row) {
    take(known + index, row);
    journal.add(row);
  };
  const look::Pictures pictures{rest, {.preprocessing = preprocessing, .cache = parts.data.cache}};
  if (!look::look(pictures, look::program_of(parts.session, preprocessing, "head_input"), parts.network->channels(), table.mirrored,
                  take_new, on_batch))
    return false;
  for (size_t i = 0; i < samples.size(); ++i)
    table.rows.emplace(samples[i].path, block.values().data() + static_cast<int64_t>(i) * views * width_);
  table.blocks.push_back(std::move(block));
  return true;
}

std::span<const float> FeatureStore::row(const image::Sample& sample, Fit fit, bool mirrored) const {
  const Table& table = tables_.at(fit);
  const auto found = table.rows.find(sample.path);
  if (found == table.rows.end()) fail(ErrorKind::internal, "{}: no features of it were computed", sample.path);
  return {found->second + (mirrored ? width_ : 0), static_cast<size_t>(width_)};
}

size_t FeatureStore::bytes() const {
  size_t sum = 0;
  for (const auto& [fit, table] : tables_)
    for (const auto& block : table.blocks) sum += block.bytes_of_memory();
  return sum;
}

void FeatureStore::let_go() const {
  for (const auto& [fit, table] : tables_)
    for (const auto& block : table.blocks) block.let_go();
}

}  // namespace fovea::training
