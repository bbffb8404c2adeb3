#include "base/error.h"
#include "image/channels.h"
#include "image/loader.h"
#include "image/mix.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "train/feed.h"
#include "train/frozen_prefix.h"
#include "train/metrics.h"

namespace fovea::training {
namespace {

image::LoaderOptions loader_options(const Parts& parts, const Phase& phase, uint64_t seed) {
  image::LoaderOptions options;
  options.preprocessing = parts.network->preprocessing();
  options.augmentation = phase.augmentation;
  options.batch = phase.batch;
  options.shuffle = true;
  options.merge_last_single = true;
  options.endless = true;
  options.seed = seed;
  options.cache = parts.data.cache;
  return options;
}

std::vector<image::Sample> samples_of(const Parts& parts, const Phase& phase) {
  std::vector<image::Sample> samples = parts.data.splits.train.samples;
  const auto& more = parts.data.splits.validation.samples;
  if (phase.with_validation) samples.insert(samples.end(), more.begin(), more.end());
  return samples;
}

class PictureFeed final : public Feed {
 public:
  PictureFeed(const Parts& parts, const Phase& phase, uint64_t seed)
      : parts_(parts),
        phase_(phase),
        seed_(seed),
        frozen_(parts.network->frozen_by(phase.freeze)),
        prefix_(FrozenPrefix::find(*parts.network, frozen_, phase.batch, {parts.backend, parts.arena})),
        loader_(samples_of(parts, phase), loader_options(parts, phase, seed)) {}

  Batches batches() const override { return {static_cast<int64_t>(loader_.samples().size()), phase_.batch}; }
  std::vector<std::string> data_inputs() const override { return prefix_ ? prefix_->inputs() : std::vector<std::string>{"image"}; }

  Graph build_step(int64_t batch) const override {
    const ModelGraph model = parts_.network->build(batch);
    const StepOptions options = step_options(parts_, phase_, model, frozen_);
    const Graph lowered = lower_for_training(model, frozen_);
    return training::build_step(prefix_ ? without_prefix(lowered, frozen_) : lowered, options);
  }

  void start(int64_t epoch, int64_t step) override {
    if (next_epoch_ != epoch || step > 0) loader_.start(epoch, step);  // else it is there already
    next_epoch_ = epoch + 1;
  }

  StepInput next() override {
    const image::Batch* batch = loader_.next();
    while (!batch) batch = loader_.next();  // the end of an epoch is told once
    mix(*batch);
    const auto images = image::with_channels(batch->images, parts_.network->preprocessing(), parts_.network->channels(), room_);
    StepInput input{prefix_ ? arranged(rows_of(images, batch->size()), batch->size()) : images, batch->labels, 0, 0};
    if (phase_.mixing.any()) input.targets = targets_;
    return input;
  }

  Evaluation validate() override {
    const PictureSource source{parts_.data.splits.validation.samples, parts_.network->preprocessing(), parts_.data.cache, false};
    if (prefix_) {
      rest().prepare();
      return evaluate(*parts_.network, source,
                      [&](std::span<const float> pictures, int64_t count) { return logits_of(rows_of(pictures, count), count); });
    }
    parts_.session.weights_changed();
    return evaluate(*parts_.network, parts_.session, source);
  }

  size_t bytes() const override {
    constexpr size_t kHeld = 3;  // batches ready and the one in use
    const Preprocessing& size = parts_.network->preprocessing();
    return kHeld * static_cast<size_t>(loader_.largest_batch() * size.height * size.width * 3) * sizeof(float);
  }

 private:
  // The pictures of the batch with each other, and their labels into targets_.
  void mix(const image::Batch& batch) {
    if (!phase_.mixing.any()) return;
    const image::Size size{parts_.network->preprocessing().width, parts_.network->preprocessing().height};
    const image::Mix mix = image::draw_mix(phase_.mixing, size, {seed_, batch.epoch, batch.number});
    image::mix_images(batch.images, batch.size(), size, mix);
    targets_.resize(static_cast<size_t>(batch.size() * parts_.network->class_count()));
    image::one_hot(batch.labels, targets_);
    image::mix_targets(targets_, batch.size(), mix);
  }

  // What the frozen part gives for pictures; valid until the next call.
  std::span<const float> rows_of(std::span<const float> images, int64_t count) {
    rows_.resize(static_cast<size_t>(count * prefix_->width()));
    prefix_->run(images, count, rows_);
    return rows_;
  }

  std::span<const float> arranged(std::span<const float> rows, int64_t count) {
    if (prefix_->cuts().size() == 1) return rows;
    data_.resize(rows.size());
    const auto width = static_cast<size_t>(prefix_->width());
    for (int64_t i = 0; i < count; ++i) prefix_->arrange(rows.subspan(static_cast<size_t>(i) * width, width), i, count, data_);
    return data_;
  }

  // The rest of the network for validation.
  engine::Executable& rest() {
    if (rest_) return *rest_;
    ModelGraph model = parts_.network->build(kInferenceBatch);
    model.graph.output("logits", model.logits);
    Graph graph = passes::optimize(without_prefix(passes::lower_mode(model.graph, {}), frozen_));
    rest_ = engine::Executable::compile(std::move(graph), parts_.backend, parts_.network->store(), parts_.arena);
    return *rest_;
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
    const auto logits = rest().output_as<float>("logits");
    return logits.first(logits.size() / kInferenceBatch * static_cast<size_t>(count));
  }

  const Parts parts_;
  const Phase phase_;
  const uint64_t seed_;
  const std::set<std::string> frozen_;
  const std::unique_ptr<FrozenPrefix> prefix_;  // null: nothing is frozen below all that trains
  std::unique_ptr<engine::Executable> rest_;
  std::vector<float> rows_, data_, validation_data_, targets_;
  image::Loader loader_;
  std::vector<float> room_;
  int64_t next_epoch_ = 0;
};

}  // namespace

std::unique_ptr<Feed> picture_feed(const Parts& parts, const Phase& phase, uint64_t seed) {
  return std::make_unique<PictureFeed>(parts, phase, seed);
}

}  // namespace fovea::training
