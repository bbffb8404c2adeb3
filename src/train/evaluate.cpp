#include "train/evaluate.h"

#include "ir/slots.h"
#include "look/views.h"
#include "train/metrics.h"

namespace fovea::training {

Evaluation evaluate(const engine::Network& network, engine::Session& session, const PictureSource& source, const OnBatch& on_batch) {
  Tally tally(network.classes(), network.form().head.independent, network.thresholds(), source.keep);
  std::vector<BadPicture> left_out;
  const look::Pictures pictures{source.samples, {.preprocessing = source.preprocessing, .second_fit = true, .cache = source.cache}};
  const bool mirrored = source.preprocessing.mirrored;
  const int64_t views = look::views_of(pictures.prepare, mirrored);
  const auto sample = [&](int64_t index) -> const image::Sample& { return source.samples[static_cast<size_t>(index)]; };
  look::OnBad on_bad;
  if (source.skip_bad) on_bad = [&](int64_t index, const std::string& reason) { left_out.push_back({sample(index).path, reason}); };
  look::look(
      pictures, look::program_of(session, source.preprocessing, slots::kLogits.name), network.channels(), mirrored,
      [&](int64_t index, std::span<float> logits) { tally.add(look::mean(logits, views), sample(index), true); }, on_batch, on_bad);
  Evaluation result = tally.finish();
  result.left_out = std::move(left_out);
  return result;
}

}  // namespace fovea::training
