#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "image/loader.h"
#include "ir/slots.h"
#include "look/views.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/split_frozen.h"
#include "train/feed.h"
#include "train/logistic_regression.h"
#include "train/metrics.h"
#include "train/standardize.h"

namespace fovea::training {
namespace {

const char* const kFeatures = "cut.0";  // split_frozen's name for the only value that leaves the backbone

Graph head_of(const Graph& lowered, const std::set<std::string>& frozen) {
  passes::SplitGraph split = passes::split_frozen(lowered, frozen, {slots::kImage.name});
  if (split.cuts.size() != 1) fail(ErrorKind::internal, "the head reads {} values of the backbone, 1 expected", split.cuts.size());
  return std::move(split.suffix);
}

// Standardized features: every view of a picture, one after the other.
struct Rows {
  struct View {
    Fit fit;
    bool mirrored;
  };
  int64_t width = 0;
  std::vector<View> views;
  SpillArray<float> values;  // [pictures, views, width]
  std::vector<image::Sample> samples;

  std::span<const float> row(int64_t picture, int64_t view) const { return values.part((picture * count() + view) * width, width); }
  int64_t count() const { return static_cast<int64_t>(views.size()); }  // of views
  size_t bytes() const { return values.bytes_of_memory(); }
};

std::vector<Rows::View> views_of(const std::vector<Fit>& fits, bool mirrored) {
  std::vector<Rows::View> views;
  for (const Fit fit : fits) {
    views.push_back({fit, false});
    if (mirrored) views.push_back({fit, true});
  }
  return views;
}

Rows rows_of(const FeatureStore& features, std::vector<image::Sample> samples, std::vector<Rows::View> views,
             const Standardization& standardization) {
  Rows rows{features.width(), std::move(views), {}, std::move(samples)};
  const auto pictures = static_cast<int64_t>(rows.samples.size());
  rows.values = SpillArray<float>(features.spill(), pictures * rows.count() * rows.width);
  for (int64_t i = 0; i < pictures; ++i) {
    for (int64_t v = 0; v < rows.count(); ++v) {
      const Rows::View& view = rows.views[static_cast<size_t>(v)];
      standardization.apply(features.row(rows.samples[static_cast<size_t>(i)], view.fit, view.mirrored),
                            rows.values.part((i * rows.count() + v) * rows.width, rows.width));
    }
    if ((i + 1) % kRowsAtOnce != 0) continue;
    features.let_go();
    rows.values.let_go();
  }
  return rows;
}

void count(Standardization& standardization, const FeatureStore& features, Fit fit, const std::vector<image::Sample>& samples,
           bool mirrored) {
  int64_t read = 0;
  for (const image::Sample& sample : samples) {
    standardization.count(features.row(sample, fit, false));
    if (mirrored) standardization.count(features.row(sample, fit, true));
    if (++read % kRowsAtOnce == 0) features.let_go();
  }
}

class FeatureFeed final : public Feed {
 public:
  FeatureFeed(const Parts& parts, const Phase& phase, uint64_t seed, const FeatureStore& features)
      : parts_(parts),
        phase_(phase),
        seed_(seed),
        frozen_(parts.network->frozen_by("all")),
        mirrors_(seed, "mirrored views"),
        standardizes_(parts.network->form().head.kind != HeadKind::concat_pool),
        standardization_(features.width()) {
    const auto& splits = parts.data.splits;
    const Preprocessing& preprocessing = parts.network->preprocessing();
    const Fit fit = preprocessing.fit;
    const bool mirrored = phase.augmentation.has_value();
    std::vector<image::Sample> train = splits.train.samples;
    const std::vector<image::Sample>& validation = splits.validation.samples;
    if (phase.with_validation) train.insert(train.end(), validation.begin(), validation.end());
    if (standardizes_) count(standardization_, features, fit, train, mirrored);
    standardization_.finish();
    train_ = rows_of(features, std::move(train), views_of({fit}, mirrored), standardization_);
    // Validation pictures are answered as later predictions will be: in all shapes, with mirror images where the preprocessing has them.
    validation_ = rows_of(features, validation, views_of(fits_of(preprocessing), preprocessing.mirrored), standardization_);
    features.let_go();
  }

  Batches batches() const override { return {static_cast<int64_t>(train_.samples.size()), phase_.batch, phase_.accumulate}; }
  std::vector<std::string> data_inputs() const override { return {kFeatures}; }

  Graph build_step(int64_t batch, Gradients gradients, const passes::RecomputeOptions& recompute) const override {
    const ModelGraph model = parts_.network->build(batch);
    StepOptions options = step_options(parts_, phase_, model, frozen_);
    options.gradients = gradients;
    options.precision = DType::f32;  // a head alone: nothing to gain, and features are kept in f32
    return training::build_step(head_of(lower_for_training(model, frozen_, phase_.stochastic_depth), frozen_), options,
                                {.recompute = recompute});
  }

  void begin() override {
    // A linear head starts from zero: a new head's random weights would outweigh what few pictures can teach, and cost up to 20 points (of
    // BiT's rule too).
    parts_.network->restart_head(seed_);
  }

  void start(int64_t epoch, int64_t step) override {
    epoch_ = epoch;
    step_ = step;
    order_ = image::epoch_order(train_.samples, seed_, epoch, parts_.options.data.balanced_sampling);
  }

  StepInput next() override {
    const int64_t begin = batches().begin(step_), size = batches().size(step_), pictures = batches().pictures;
    ++step_;
    data_.resize(static_cast<size_t>(size * train_.width));
    labels_.resize(static_cast<size_t>(size));
    targets_.clear();
    for (int64_t i = 0; i < size; ++i) {
      const int64_t drawn = order_[static_cast<size_t>(begin + i)], picture = drawn % pictures;
      const double draw = mirrors_.uniform(static_cast<uint64_t>(epoch_ * pictures + drawn));
      const int64_t view = train_.count() > 1 && draw < phase_.augmentation->flip ? 1 : 0;
      std::ranges::copy(train_.row(picture, view), data_.begin() + i * train_.width);
      const image::Sample& sample = train_.samples[static_cast<size_t>(picture)];
      labels_[static_cast<size_t>(i)] = sample.label;
      if (phase_.loss.soft_targets || parts_.data.splits.train.multi_label) append_targets(sample, parts_.network->class_count(), targets_);
    }
    return {data_, labels_, 0, 0, targets_};
  }

  Evaluation validate() override {
    Tally tally(parts_.network->classes(), parts_.network->form().head.independent);
    const auto rows = static_cast<int64_t>(validation_.samples.size());
    inference_head().prepare();
    const int64_t views = validation_.count();
    for (int64_t begin = 0; begin < rows; begin += kInferenceBatch) {
      const int64_t count = std::min(kInferenceBatch, rows - begin);
      std::vector<std::vector<float>> by_view;
      for (int64_t view = 0; view < views; ++view) by_view.push_back(answer(begin, count, view));
      const size_t classes = by_view[0].size() / static_cast<size_t>(count);
      for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        std::vector<float> answers;
        for (const std::vector<float>& one : by_view) {
          const auto logits = std::span(one).subspan(i * classes, classes);
          answers.insert(answers.end(), logits.begin(), logits.end());
        }
        tally.add(look::mean(answers, views), validation_.samples[static_cast<size_t>(begin) + i], true);
      }
    }
    return tally.finish();
  }

  void finish() override {
    if (!standardizes_) return;
    engine::HeadLayer layer = parts_.network->head_layer();
    standardization_.fold(layer.weight, layer.bias);
    parts_.network->set_head_layer(layer);
  }

  FeedMemory memory() const override { return {train_.bytes() + validation_.bytes(), train_.bytes() + validation_.bytes()}; }

 private:
  engine::Executable& inference_head() {
    if (!inference_head_) {
      const ModelGraph model = parts_.network->build(kInferenceBatch);
      Graph graph = model.graph;
      graph.output(slots::kLogits.name, model.logits);
      Graph head = passes::optimize(head_of(passes::lower_mode(graph, {}), frozen_));
      inference_head_ =
          engine::Executable::compile(std::move(head), parts_.backend, parts_.network->store(), std::make_shared<engine::Arena>());
    }
    return *inference_head_;
  }

  // The logits of `count` validation pictures from `begin` on, of one view.
  std::vector<float> answer(int64_t begin, int64_t count, int64_t view) {
    engine::Executable& head = inference_head();
    const auto input = head.input_as<float>(kFeatures);
    std::ranges::fill(input, 0.0f);
    for (int64_t i = 0; i < count; ++i) std::ranges::copy(validation_.row(begin + i, view), input.begin() + i * validation_.width);
    head.run();
    const auto logits = head.output(slots::kLogits);
    return {logits.begin(), logits.begin() + static_cast<std::ptrdiff_t>(logits.size()) / kInferenceBatch * count};
  }

  const Parts parts_;
  const Phase phase_;
  const uint64_t seed_;
  const std::set<std::string> frozen_;
  const RandomStream mirrors_;
  const bool standardizes_;  // not where the head begins with a batch norm, which does it
  Standardization standardization_;
  Rows train_, validation_;
  std::unique_ptr<engine::Executable> inference_head_;
  int64_t epoch_ = 0, step_ = 0;
  std::vector<int64_t> order_;
  std::vector<float> data_;
  std::vector<int32_t> labels_;
  std::vector<float> targets_;
};

}  // namespace

std::unique_ptr<Feed> feature_feed(const Parts& parts, const Phase& phase, uint64_t seed, const FeatureStore& features) {
  return std::make_unique<FeatureFeed>(parts, phase, seed, features);
}

}  // namespace fovea::training
