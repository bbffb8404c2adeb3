#include <algorithm>
#include <optional>

#include "base/error.h"
#include "image/channels.h"
#include "image/loader.h"
#include "image/mix.h"
#include "ir/slots.h"
#include "look/views.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/set_precision.h"
#include "train/feed.h"
#include "train/frozen_prefix.h"
#include "train/kept_features.h"
#include "train/metrics.h"

namespace fovea::training {
namespace {

image::LoaderOptions loader_options(const Parts& parts, const Phase& phase, uint64_t seed) {
  image::LoaderOptions options;
  options.preprocessing = parts.network->preprocessing();
  options.augmentation = phase.augmentation;
  options.batch = phase.batch;
  options.shuffle = true;
  options.balanced = parts.options.data.balanced_sampling;
  options.merge_last_single = true;
  options.endless = true;
  options.seed = seed;
  options.cache = parts.data.cache;
  options.channels = parts.network->channels();
  return options;
}

std::vector<image::Sample> samples_of(const Parts& parts, const Phase& phase) {
  std::vector<image::Sample> samples = parts.data.splits.train.samples;
  const auto& more = parts.data.splits.validation.samples;
  if (phase.with_validation) samples.insert(samples.end(), more.begin(), more.end());
  return samples;
}

// Whether a picture meets the frozen part in few enough forms to be kept.
bool keeps_features(const Parts& parts, const Phase& phase) {
  return !phase.mixing.any() && (!phase.augmentation || parts.options.augmentation.stored_views > 0);
}

std::unique_ptr<FrozenPrefix> prefix_of(const Parts& parts, const Phase& phase) {
  return FrozenPrefix::find(*parts.network, parts.network->frozen_by(phase.freeze), phase.batch, {parts.backend, parts.arena});
}

KeepRequest keep_request(const Parts& parts, const Phase& phase, uint64_t seed, std::span<const image::Sample> train) {
  KeepRequest request{train, {}, phase.augmentation, phase.augmentation ? parts.options.augmentation.stored_views : 1, phase.epochs, seed};
  if (!phase.with_validation) request.validation = parts.data.splits.validation.samples;
  return request;
}

class PictureFeed final : public FeedByHand {
 public:
  // `kept_bytes`: that will be kept, where they are not there yet.
  PictureFeed(const Parts& parts, const Phase& phase, uint64_t seed, std::unique_ptr<FrozenPrefix> prefix, std::optional<KeptFeatures> kept,
              size_t kept_bytes = 0)
      : parts_(parts),
        phase_(phase),
        seed_(seed),
        frozen_(parts.network->frozen_by(phase.freeze)),
        samples_(samples_of(parts, phase)),
        prefix_(std::move(prefix)),
        kept_(std::move(kept)),
        kept_bytes_(kept_ ? kept_->bytes() : kept_bytes) {}

  Batches batches() const override { return {static_cast<int64_t>(samples_.size()), phase_.batch, phase_.accumulate}; }
  std::vector<std::string> data_inputs() const override {
    return prefix_ ? prefix_->inputs() : std::vector<std::string>{slots::kImage.name};
  }

  Graph build_step(int64_t batch, Gradients gradients, const passes::RecomputeOptions& recompute) const override {
    const ModelGraph model = parts_.network->build(batch);
    StepOptions options = step_options(parts_, phase_, model, frozen_);
    options.gradients = gradients;
    const Graph lowered = lower_for_training(model, frozen_, phase_.stochastic_depth);
    return training::build_step(prefix_ ? without_prefix(lowered, frozen_) : lowered, options, {.recompute = recompute});
  }

  void start(int64_t epoch, int64_t step) override {
    epoch_ = epoch;
    step_ = step;
    if (kept_)
      order_ = image::epoch_order(samples_, seed_, epoch, parts_.options.data.balanced_sampling);
    else if (!loader_ || next_epoch_ != epoch || step > 0)  // else it is there already
      loader().start(epoch, step);
    next_epoch_ = epoch + 1;
  }

  StepInput next() override { return kept_ ? next_kept() : input_of(next_pictures()); }

  PictureBatch next_pictures() override {
    const image::Batch* batch = loader_->next();
    while (!batch) batch = loader_->next();  // the end of an epoch is told once
    set_targets(*batch);
    return {image::with_channels(batch->images, parts_.network->preprocessing(), parts_.network->channels(), room_), batch->labels,
            targets_};
  }

  StepInput input_of(const PictureBatch& batch) override {
    const auto size = static_cast<int64_t>(batch.labels.size());
    return {prefix_ ? arranged(rows_of(batch.images, size), size) : batch.images, batch.labels, 0, 0, batch.targets};
  }

  Evaluation validate() override {
    const std::vector<image::Sample>& samples = parts_.data.splits.validation.samples;
    const PictureSource source{samples, parts_.network->preprocessing(), parts_.data.cache, false};
    if (!prefix_) return evaluate(*parts_.network, parts_.session, source);
    rest().prepare();
    Tally tally(parts_.network->classes(), parts_.network->form().head.independent);
    rows_.clear();
    if (kept_ && !source.preprocessing.mirrored && !source.preprocessing.second_fit) {
      for (int64_t i = 0; i < static_cast<int64_t>(samples.size()); ++i) validate_row(i, kept_->validation(i), 1, tally);
      return tally.finish();
    }
    const look::Pictures pictures{samples, {.preprocessing = source.preprocessing, .second_fit = true, .cache = source.cache}};
    const int64_t views = look::views_of(pictures.prepare, source.preprocessing.mirrored);
    look::look(pictures, prefix_->program(), parts_.network->channels(), source.preprocessing.mirrored,
               [&](int64_t i, std::span<float> rows) { validate_row(i, rows, views, tally); });
    return tally.finish();
  }

  void compile_validation() override {
    const Preprocessing& size = parts_.network->preprocessing();
    if (prefix_)
      rest();
    else
      parts_.session.compile(kInferenceBatch, size.height, size.width, {slots::kLogits.name});
  }

  FeedMemory memory() const override {
    FeedMemory result;
    if (kept_) result.now = kept_->bytes();
    result.later = kept_bytes_;
    std::vector<engine::MemoryUse> executables;
    if (prefix_) executables.push_back(prefix_->executable().memory());
    if (rest_) executables.push_back(rest_->memory());
    for (const engine::MemoryUse& own : executables) {
      result.now += own.held;
      result.later += own.constants;
      result.arena = std::max(result.arena, own.arena);
    }
    const auto pictures = static_cast<size_t>(batches().largest());
    const Preprocessing& size = parts_.network->preprocessing();
    size_t numbers = 0;
    if (kept_bytes_ == 0)
      numbers += image::kBatchesHeld * pictures *
                 static_cast<size_t>(size.height * size.width * image::picture_channels(parts_.network->channels()));
    if (prefix_) numbers += (2 * pictures + kInferenceBatch) * static_cast<size_t>(prefix_->width());
    result.later += numbers * sizeof(float);
    return result;
  }

  double waited_seconds() const override { return loader_ ? loader_->waited_seconds() : 0; }

 private:
  bool has_targets() const { return phase_.loss.soft_targets || parts_.data.splits.train.multi_label; }

  void add_targets(int64_t picture) { append_targets(samples_[static_cast<size_t>(picture)], parts_.network->class_count(), targets_); }

  // What pictures have of each class, where that is not one label; mixes the pictures where the phase does.
  void set_targets(const image::Batch& batch) {
    targets_.clear();
    if (!has_targets()) return;
    for (int64_t index : batch.indices) add_targets(index);
    if (!phase_.mixing.any()) return;
    const image::Size size{parts_.network->preprocessing().width, parts_.network->preprocessing().height};
    const image::Mix mix = image::draw_mix(phase_.mixing, size, {seed_, batch.epoch, batch.number});
    image::mix_images(batch.images, batch.size(), size, mix);
    image::mix_targets(targets_, batch.size(), mix);
  }

  // What the frozen part gives for pictures; valid until the next call.
  std::span<const float> rows_of(std::span<const float> images, int64_t count) {
    rows_.resize(static_cast<size_t>(count * prefix_->width()));
    prefix_->run(images, count, rows_);
    return rows_;
  }

  StepInput next_kept() {
    const int64_t begin = batches().begin(step_), size = batches().size(step_);
    ++step_;
    data_.resize(static_cast<size_t>(size * prefix_->width()));
    labels_.resize(static_cast<size_t>(size));
    targets_.clear();
    for (int64_t i = 0; i < size; ++i) {
      const int64_t drawn = order_[static_cast<size_t>(begin + i)], picture = drawn % batches().pictures;
      const int64_t view = kept_->views() > 1 ? image::stored_view(epoch_, drawn, kept_->views()) : 0;
      prefix_->arrange(kept_->train(picture, view), i, size, data_);
      labels_[static_cast<size_t>(i)] = samples_[static_cast<size_t>(picture)].label;
      if (has_targets()) add_targets(picture);
    }
    return {data_, labels_, 0, 0, targets_};
  }

  std::span<const float> arranged(std::span<const float> rows, int64_t count) {
    if (prefix_->cuts().size() == 1) return rows;
    data_.resize(rows.size());
    const auto width = static_cast<size_t>(prefix_->width());
    for (int64_t i = 0; i < count; ++i) prefix_->arrange(rows.subspan(static_cast<size_t>(i) * width, width), i, count, data_);
    return data_;
  }

  image::Loader& loader() {
    if (loader_) return *loader_;
    image::LoaderOptions options = loader_options(parts_, phase_, seed_);
    // The views that would be kept are drawn where they are not, too.
    if (prefix_ && keeps_features(parts_, phase_)) options.stored_views = parts_.options.augmentation.stored_views;
    return loader_.emplace(samples_, options);
  }

  // The rest of the network for validation.
  engine::Executable& rest() {
    if (rest_) return *rest_;
    ModelGraph model = parts_.network->build(kInferenceBatch);
    model.graph.output(slots::kLogits.name, model.logits);
    const Graph lowered = without_prefix(passes::lower_mode(model.graph, {}), frozen_);
    Graph graph = passes::optimize(passes::set_precision(lowered, parts_.network->precision()));
    rest_ = engine::Executable::compile(std::move(graph), parts_.backend, parts_.network->store(), parts_.arena, {.reserve = false});
    return *rest_;
  }

  // Collects what the prefix gave of validation pictures, [views, width] each, in their order; a full batch, and the last one, is answered.
  void validate_row(int64_t picture, std::span<const float> rows, int64_t views, Tally& tally) {
    const std::vector<image::Sample>& samples = parts_.data.splits.validation.samples;
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    const int64_t count = picture % kInferenceBatch + 1, first = picture + 1 - count;
    if (count < kInferenceBatch && picture + 1 < static_cast<int64_t>(samples.size())) return;
    const auto width = static_cast<size_t>(prefix_->width()), classes = parts_.network->classes().size(), all = static_cast<size_t>(views);
    std::vector<float> answers(static_cast<size_t>(count) * all * classes);
    for (size_t view = 0; view < all; ++view) {
      std::vector<float> batch;
      for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        const auto row = std::span(rows_).subspan((i * all + view) * width, width);
        batch.insert(batch.end(), row.begin(), row.end());
      }
      const auto logits = logits_of(batch, count);
      for (size_t i = 0; i < static_cast<size_t>(count); ++i)
        std::ranges::copy(logits.subspan(i * classes, classes), answers.begin() + static_cast<std::ptrdiff_t>((i * all + view) * classes));
    }
    for (size_t i = 0; i < static_cast<size_t>(count); ++i)
      tally.add(look::mean(std::span(answers).subspan(i * all * classes, all * classes), views), samples[static_cast<size_t>(first) + i],
                true);
    rows_.clear();
  }

  // Of at most kInferenceBatch rows; the rest of the batch is zeros.
  std::span<const float> logits_of(std::span<const float> rows, int64_t count) {
    const auto width = static_cast<size_t>(prefix_->width());
    std::vector<float>& batch = validation_data_;
    batch.assign(static_cast<size_t>(kInferenceBatch) * width, 0.0f);
    for (int64_t i = 0; i < count; ++i) prefix_->arrange(rows.subspan(static_cast<size_t>(i) * width, width), i, kInferenceBatch, batch);
    auto next = batch.begin();
    for (const FrozenPrefix::Cut& cut : prefix_->cuts()) {
      const auto input = rest().input_as<float>(cut.name);
      std::copy_n(next, input.size(), input.begin());
      next += static_cast<std::ptrdiff_t>(input.size());
    }
    rest().run();
    const auto logits = rest().output(slots::kLogits);
    return logits.first(logits.size() / kInferenceBatch * static_cast<size_t>(count));
  }

  const Parts parts_;
  const Phase phase_;
  const uint64_t seed_;
  const std::set<std::string> frozen_;
  const std::vector<image::Sample> samples_;
  const std::unique_ptr<FrozenPrefix> prefix_;  // null: nothing is frozen below all that trains
  const std::optional<KeptFeatures> kept_;      // what it gives for every picture, in place of the loader
  const size_t kept_bytes_;                     // of it
  std::optional<image::Loader> loader_;         // it decodes from its beginning on, so it begins with the first step
  std::unique_ptr<engine::Executable> rest_;
  std::vector<float> room_, rows_, data_, validation_data_, targets_;
  std::vector<int64_t> order_;  // of the epoch, where features are kept
  std::vector<int32_t> labels_;
  int64_t epoch_ = 0, step_ = 0, next_epoch_ = 0;
};

}  // namespace

std::unique_ptr<Feed> picture_feed(const Parts& parts, const Phase& phase, uint64_t seed, const OnBatch& on_batch) {
  auto prefix = prefix_of(parts, phase);
  std::optional<KeptFeatures> kept;
  if (prefix && keeps_features(parts, phase)) {
    const std::vector<image::Sample> train = samples_of(parts, phase);
    Keeping keeping = keep_features(parts, *prefix, keep_request(parts, phase, seed, train), on_batch);
    if (!keeping.complete) return nullptr;
    kept = std::move(keeping.features);
  }
  return std::make_unique<PictureFeed>(parts, phase, seed, std::move(prefix), std::move(kept));
}

std::unique_ptr<FeedByHand> feed_by_hand(const Parts& parts, const Phase& phase, uint64_t seed) {
  return std::make_unique<PictureFeed>(parts, phase, seed, prefix_of(parts, phase), std::nullopt);
}

std::unique_ptr<Feed> planned_feed(const Parts& parts, const Phase& phase, uint64_t seed) {
  auto prefix = prefix_of(parts, phase);
  size_t kept_bytes = 0;
  if (prefix && keeps_features(parts, phase)) {
    const std::vector<image::Sample> train = samples_of(parts, phase);
    kept_bytes = kept_in_memory(parts, prefix->width(), keep_request(parts, phase, seed, train));
  }
  return std::make_unique<PictureFeed>(parts, phase, seed, std::move(prefix), std::nullopt, kept_bytes);
}

}  // namespace fovea::training
