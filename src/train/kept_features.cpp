#include "train/kept_features.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/parallel.h"
#include "image/codecs.h"
#include "train/feature_journal.h"
#include "weights/digest.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;

enum class Storage { nowhere, memory, disk };

std::string megabytes(size_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

void note(const Parts& parts, const std::string& text) {
  if (parts.options.run.note) parts.options.run.note(text);
}

int64_t rows_of(const KeepRequest& request) {
  return request.views * static_cast<int64_t>(request.train.size()) + static_cast<int64_t>(request.validation.size());
}

size_t bytes_of(int64_t rows, int64_t width) { return static_cast<size_t>(rows * width) * sizeof(float); }

bool go_into_memory(const Parts& parts, const KeepRequest& request, size_t bytes) {
  const FeatureCache cache = parts.options.data.feature_cache;
  return cache == FeatureCache::memory || (cache == FeatureCache::automatic && request.epochs > 1 && bytes <= parts.spill.room());
}

Storage storage_of(const Parts& parts, const KeepRequest& request, size_t bytes) {
  const TrainOptions& options = parts.options;
  if (go_into_memory(parts, request, bytes)) return Storage::memory;
  if (options.data.feature_cache == FeatureCache::off) return Storage::nowhere;
  if (options.data.feature_cache == FeatureCache::disk) {
    if (options.run.out.empty()) fail(ErrorKind::usage, "features are to be kept on disk, but the run has no folder for them");
    return Storage::disk;
  }
  if (request.epochs <= 1) return Storage::nowhere;  // each would be read once
  std::error_code error;
  const std::string& out = options.run.out;
  const auto space = out.empty() ? fs::space_info{} : fs::space(out, error);
  // Half of the free room stays free: other programs write to the disk too.
  if (!out.empty() && !error && bytes < space.available / 2) return Storage::disk;
  note(parts, fmt::format("the outputs of the frozen part are computed anew each epoch: {} are more than the {} still allowed in memory{}",
                          megabytes(bytes), megabytes(parts.spill.room()),
                          out.empty() ? "" : fmt::format(" and half of the {} free on disk", megabytes(space.available))));
  return Storage::nowhere;
}

// Names all that the rows depend on.
std::string key_of(const Parts& parts, const FrozenPrefix& prefix, const KeepRequest& request) {
  const engine::Executable& executable = prefix.executable().of_group();
  const Graph& graph = executable.graph();
  std::string text = fmt::format("{}\n{}\n{}\n{} threads\n{}\n", to_string(parts.network->preprocessing()), image::decoder_versions(),
                                 parts.backend.identity(), threads(), print(graph));
  for (uint32_t n = 0; n < graph.node_count(); ++n) text += executable.kernel(NodeId{n}) + "\n";
  for (const State& state : graph.states()) text += weights::sha256(parts.network->store()->at(state.name).content()) + "\n";
  if (request.augmentation) text += fmt::format("{} views of {} by {}\n", request.views, to_string(*request.augmentation), request.seed);
  for (const auto& samples : {request.train, request.validation}) {
    for (const image::Sample& sample : samples) text += digest_of(sample) + "\n";
    text += "\n";
  }
  return weights::sha256(std::as_bytes(std::span(text)));
}

// Every picture in its order, once a view. False: stopped.
bool compute(const Parts& parts, FrozenPrefix& prefix, const KeepRequest& request, const OnBatch& on_batch,
             engine::FeatureCollector& collector) {
  const auto batches = [](std::span<const image::Sample> samples) {
    return (static_cast<int64_t>(samples.size()) + look::kBatch - 1) / look::kBatch;
  };
  const int64_t all = request.views * batches(request.train) + batches(request.validation);
  int64_t done = 0;
  const int64_t views = request.views, train = static_cast<int64_t>(request.train.size());
  FeatureJournal journal(
      parts.options, "prefix", [&] { return key_of(parts, prefix, request); }, rows_of(request));
  const int64_t known = journal.rows();
  for (int64_t i = 0; i < known; ++i) collector.append(journal.row(i));
  look::Pictures pictures{
      request.train,
      {.preprocessing = parts.network->preprocessing(), .augmentation = request.augmentation, .cache = parts.data.cache},
      request.seed};
  // `first`: the row of the pass's first picture.
  const auto pass = [&](std::span<const image::Sample> samples, int64_t first) {
    const int64_t skipped = std::clamp<int64_t>(known - first, 0, static_cast<int64_t>(samples.size()));
    pictures.samples = samples.subspan(static_cast<size_t>(skipped));
    pictures.first = skipped;
    done += batches(samples) - batches(pictures.samples);
    return look::look(
        pictures, prefix.program(), parts.network->channels(), false,
        [&](int64_t, std::span<float> row) {
          collector.append(row);
          journal.add(row);
        },
        [&](int64_t, int64_t) { return !on_batch || on_batch(++done, all); });
  };
  for (; pictures.epoch < views; ++pictures.epoch)  // an epoch's draws are a view's
    if (!pass(request.train, pictures.epoch * train)) return false;
  pictures.prepare.augmentation.reset();
  return pass(request.validation, views * train);
}

}  // namespace

size_t kept_in_memory(const Parts& parts, int64_t width, const KeepRequest& request) {
  const size_t bytes = bytes_of(rows_of(request), width);
  return go_into_memory(parts, request, bytes) ? bytes : 0;
}

Keeping keep_features(const Parts& parts, FrozenPrefix& prefix, const KeepRequest& request, const OnBatch& on_batch) {
  const auto pictures = static_cast<int64_t>(request.train.size());
  const int64_t rows = rows_of(request);
  const size_t bytes = bytes_of(rows, prefix.width());
  const auto kept = [&](engine::FeatureRows features) { return Keeping{KeptFeatures(std::move(features), pictures, request.views), true}; };
  const auto tell = [&](const std::string& where) {
    note(parts, fmt::format("the outputs of the frozen part for {} pictures{}: {} {}", rows,
                            request.views > 1 ? fmt::format(" ({} views each)", request.views) : "", megabytes(bytes), where));
  };
  const Storage storage = storage_of(parts, request, bytes);
  if (storage == Storage::nowhere) return {};
  if (storage == Storage::memory) {
    engine::FeatureCollector collector(rows, prefix.width(), SpillArray<float>::in_memory(parts.spill, rows * prefix.width()));
    if (!compute(parts, prefix, request, on_batch, collector)) return {std::nullopt, false};
    tell("in memory");
    return kept(collector.finish());
  }
  const fs::path file = fs::path(parts.options.run.out) / kFeaturesFile;
  const std::string key = key_of(parts, prefix, request);
  if (auto found = engine::FeatureRows::open(file, key, rows, prefix.width())) {
    tell("are in " + file.string() + " already");
    return kept(std::move(*found));
  }
  if (fs::exists(file)) note(parts, file.string() + " belongs to other weights, pictures or settings: it is computed anew");
  engine::FeatureCollector collector(rows, prefix.width(), file, key);
  if (!compute(parts, prefix, request, on_batch, collector)) return {std::nullopt, false};
  tell("in " + file.string());
  return kept(collector.finish());
}

}  // namespace fovea::training
