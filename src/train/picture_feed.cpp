#include "base/error.h"
#include "image/channels.h"
#include "image/loader.h"
#include "train/feed.h"

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
        frozen_(parts.network->frozen_by(phase.freeze)),
        loader_(samples_of(parts, phase), loader_options(parts, phase, seed)) {}

  Batches batches() const override { return {static_cast<int64_t>(loader_.samples().size()), phase_.batch}; }
  std::string data_input() const override { return "image"; }

  Graph build_step(int64_t batch) const override {
    const ModelGraph model = parts_.network->build(batch);
    const StepOptions options = step_options(parts_, phase_, model, frozen_);
    return training::build_step(lower_for_training(model, frozen_), options);
  }

  void start(int64_t epoch, int64_t step) override {
    if (next_epoch_ != epoch || step > 0) loader_.start(epoch, step);  // else it is there already
    next_epoch_ = epoch + 1;
  }

  StepInput next() override {
    const image::Batch* batch = loader_.next();
    while (!batch) batch = loader_.next();  // the end of an epoch is told once
    const auto images = image::with_channels(batch->images, parts_.network->preprocessing(), parts_.network->channels(), room_);
    return {images, batch->labels, 0, 0};
  }

  Evaluation validate() override {
    parts_.session.weights_changed();
    return evaluate(*parts_.network, parts_.session,
                    {parts_.data.splits.validation.samples, parts_.network->preprocessing(), parts_.data.cache, false});
  }

  size_t bytes() const override {
    constexpr size_t kHeld = 3;  // batches ready and the one in use
    const Preprocessing& size = parts_.network->preprocessing();
    return kHeld * static_cast<size_t>(loader_.largest_batch() * size.height * size.width * 3) * sizeof(float);
  }

 private:
  const Parts parts_;
  const Phase phase_;
  const std::set<std::string> frozen_;
  image::Loader loader_;
  std::vector<float> room_;
  int64_t next_epoch_ = 0;
};

}  // namespace

std::unique_ptr<Feed> picture_feed(const Parts& parts, const Phase& phase, uint64_t seed) {
  return std::make_unique<PictureFeed>(parts, phase, seed);
}

}  // namespace fovea::training
