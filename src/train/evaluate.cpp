#include "train/evaluate.h"

#include "image/duplicates.h"
#include "ir/slots.h"
#include "look/views.h"
#include "train/metrics.h"

namespace fovea::training {

namespace {

// Which pictures of an evaluation the network has seen, and what comes of the others.
class Acquaintances {
 public:
  Acquaintances(const engine::Network& network, const PictureSource& source)
      : seen_(source.tells_seen ? network.seen() : nullptr),
        source_(source),
        likeness_(seen_ ? source.samples.size() : 0),
        others_(network.classes(), network.form().head.independent, network.thresholds()) {}

  // What is handed over where pictures are read; empty where there is nothing to compare, or it is known already.
  std::function<void(int64_t index, const Image& decoded)> on_read() {
    if (!seen_ || source_.looks) return {};
    return [this](int64_t index, const Image& decoded) {
      likeness_[static_cast<size_t>(index)] = image::likeness(*seen_, image::fingerprint(decoded));
    };
  }

  void add(int64_t index, std::span<const float> logits) {
    if (!seen_) return;
    const image::Sample& sample = source_.samples[static_cast<size_t>(index)];
    if (source_.looks) likeness_[static_cast<size_t>(index)] = image::likeness(*seen_, source_.looks->pictures.at(sample.path).print);
    const image::Likeness likeness = likeness_[static_cast<size_t>(index)];
    if (likeness == image::Likeness::none)
      others_.add(logits, sample, false);
    else
      known_.push_back({sample.path, likeness == image::Likeness::same_pixels});
  }

  std::optional<SeenInTraining> finish() {
    if (!seen_) return std::nullopt;
    const Evaluation others = others_.finish();
    return SeenInTraining{
        static_cast<int64_t>(seen_->prints.size()), seen_->all, std::move(known_), others.score, others.top5, others.loss};
  }

 private:
  const std::shared_ptr<const SeenPictures> seen_;
  const PictureSource& source_;
  std::vector<image::Likeness> likeness_;
  std::vector<SeenPicture> known_;
  Tally others_;
};

}  // namespace

Evaluation evaluate(const engine::Network& network, engine::Session& session, const PictureSource& source, const OnBatch& on_batch) {
  Tally tally(network.classes(), network.form().head.independent, network.thresholds(), source.keep);
  std::vector<BadPicture> left_out;
  Acquaintances acquaintances(network, source);
  const look::Pictures pictures{
      source.samples,
      {.preprocessing = source.preprocessing, .second_fit = true, .on_read = acquaintances.on_read(), .cache = source.cache}};
  const bool mirrored = source.preprocessing.mirrored;
  const int64_t views = look::views_of(pictures.prepare, mirrored);
  const auto sample = [&](int64_t index) -> const image::Sample& { return source.samples[static_cast<size_t>(index)]; };
  look::OnBad on_bad;
  if (source.skip_bad) on_bad = [&](int64_t index, const std::string& reason) { left_out.push_back({sample(index).path, reason}); };
  look::look(
      pictures, look::program_of(session, source.preprocessing, slots::kLogits.name), network.channels(), mirrored,
      [&](int64_t index, std::span<float> logits) {
        const auto answer = look::mean(logits, views);
        tally.add(answer, sample(index), true);
        acquaintances.add(index, answer);
      },
      on_batch, on_bad);
  Evaluation result = tally.finish();
  result.left_out = std::move(left_out);
  result.seen = acquaintances.finish();
  return result;
}

}  // namespace fovea::training
