#include "train/evaluate.h"

#include <algorithm>

#include "base/parallel.h"
#include "image/channels.h"
#include "train/metrics.h"

namespace fovea::training {
namespace {

image::LoaderOptions loader_options(const PictureSource& source) {
  image::LoaderOptions options;
  options.preprocessing = source.preprocessing;
  options.batch = kInferenceBatch;
  options.skip_bad = source.skip_bad;
  options.cache = source.cache;
  return options;
}

bool is_bad(const image::Batch& batch, int64_t position) {
  return std::any_of(batch.bad.begin(), batch.bad.end(), [&](const auto& bad) { return bad.position == position; });
}

}  // namespace

Evaluation evaluate(const engine::Network& network, engine::Session& session, const PictureSource& source, const OnBatch& on_batch) {
  engine::FeatureWriter writer(session, source.preprocessing.height, source.preprocessing.width, "logits", kInferenceBatch);
  engine::FeatureTable logits;
  const auto logits_of = [&](std::span<const float> pictures, int64_t count) -> std::span<const float> {
    logits = {};
    writer.append(pictures, count, logits);
    return logits.values;
  };
  return evaluate(network, source, logits_of, on_batch);
}

Evaluation evaluate(const engine::Network& network, const PictureSource& source, const LogitsOf& logits_of, const OnBatch& on_batch) {
  Tally tally(network.classes(), network.form().head.independent);
  std::vector<BadPicture> left_out;
  if (source.samples.empty()) return tally.finish();
  image::LoaderOptions options = loader_options(source);
  options.second_fit = true;
  image::Loader loader(source.samples, options);
  std::vector<float> room;
  const Preprocessing& size = source.preprocessing;
  const size_t classes = network.classes().size();
  int64_t done = 0;
  while (const image::Batch* batch = loader.next()) {
    const auto answer = [&](std::span<float> images) {
      const auto once = [&] { return logits_of(image::with_channels(images, size, network.channels(), room), batch->size()); };
      const auto plain = once();
      std::vector<float> mean(plain.begin(), plain.end());
      if (size.mirrored) {
        mirror(images, batch->size(), size.height, size.width);
        average(mean, once());
      }
      return mean;
    };
    std::vector<float> logits = answer(batch->images);
    if (!batch->second.empty()) average(logits, answer(batch->second));
    for (size_t i = 0; i < batch->labels.size(); ++i) {
      if (!is_bad(*batch, static_cast<int64_t>(i)))
        tally.add(std::span<const float>(logits).subspan(i * classes, classes), source.samples[static_cast<size_t>(batch->indices[i])],
                  true);
    }
    for (const auto& bad : batch->bad) left_out.push_back({bad.picture.path, bad.picture.message});
    if (on_batch && !on_batch(++done, loader.batches_per_epoch())) break;
  }
  Evaluation result = tally.finish();
  result.left_out = std::move(left_out);
  return result;
}

bool compute_features(engine::Session& session, const PictureSource& source, bool mirrored, const OnFeatures& take,
                      const OnBatch& on_batch) {
  if (source.samples.empty()) return true;
  const Preprocessing& size = source.preprocessing;
  image::Loader loader(source.samples, loader_options(source));
  engine::FeatureWriter writer(session, size.height, size.width, "head_input", kInferenceBatch);
  std::vector<float> room;
  const auto rows_of = [&](const image::Batch& batch) {
    engine::FeatureTable table;
    writer.append(image::with_channels(batch.images, size, session.network().channels(), room), batch.size(), table);
    return std::move(table.values);
  };
  int64_t done = 0;
  while (const image::Batch* batch = loader.next()) {
    const std::vector<float> plain = rows_of(*batch);
    std::vector<float> turned;
    if (mirrored) {
      mirror(batch->images, batch->size(), size.height, size.width);
      turned = rows_of(*batch);
    }
    take(plain, turned, batch->size());
    if (on_batch && !on_batch(++done, loader.batches_per_epoch())) return false;
  }
  return true;
}

void average(std::span<float> answers, std::span<const float> others) {
  for (size_t i = 0; i < answers.size(); ++i) answers[i] = (answers[i] + others[i]) / 2;
}

void mirror(std::span<float> images, int64_t count, int64_t height, int64_t width) {
  constexpr int64_t kChannels = 3, kGrain = 64;  // rows a thread turns at least
  parallel_for(count * height, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* left = images.data() + row * width * kChannels;
      float* right = left + (width - 1) * kChannels;
      for (; left < right; left += kChannels, right -= kChannels) std::swap_ranges(left, left + kChannels, right);
    }
  });
}

}  // namespace fovea::training
