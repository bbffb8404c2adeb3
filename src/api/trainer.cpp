#include <fovea/trainer.h>

#include <algorithm>
#include <cmath>

#include "api/dataset.h"
#include "api/device.h"
#include "api/implementation.h"
#include "api/report.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_sink.h"
#include "base/parallel.h"
#include "engine/layout.h"
#include "train/evaluate.h"
#include "train/job.h"
#include "train/phase_steps.h"
#include "train/trainer.h"

namespace fovea {
namespace {

// Refuses options that concern a run's folder or several runs: steps by hand have neither.
TrainOptions options_by_hand(const Model::Implementation& implementation, TrainOptions options) {
  if (options.data.folds > 0 || options.data.seeds > 1)
    fail(ErrorKind::usage, "{} folds and {} seeds: a trainer takes the steps of one run", options.data.folds, options.data.seeds);
  if (options.freeze.empty() && implementation.freeze_given) options.freeze = implementation.freeze;
  if (!options.run.note && has_log_sink()) options.run.note = [](const std::string& line) { log_line("train", line); };
  options.run.out.clear();
  options.data.feature_cache = FeatureCache::off;
  options.run.resume = options.run.overwrite = options.run.report = false;
  options.run.on_epoch = nullptr;
  options.run.on_step = nullptr;
  options.run.cancel = {};
  return options;
}

// While it lives, the averages of the weights take the weights' place.
class Averages {
 public:
  explicit Averages(training::StepRunner* runner) : runner_(runner) {
    if (runner_) runner_->swap_average();
  }
  ~Averages() {
    if (runner_) runner_->swap_average();
  }
  Averages(const Averages&) = delete;
  Averages& operator=(const Averages&) = delete;

 private:
  training::StepRunner* const runner_;
};

}  // namespace

class [[gnu::visibility("hidden")]] Trainer::Implementation {
 public:
  Implementation(Model & model, const Dataset& data, const TrainOptions& options)
      : model_(model),
        network_((model.implementation().changing(), model.implementation().shared_network())),
        states_(network_->store()->bytes()),
        options_(options_by_hand(model.implementation(), options)),
        account_(std::make_shared<engine::MemoryAccount>(options_.run.memory_bytes, states_)) {
    training::check_freeze(*network_, options_.freeze);
    if (options_.run.threads != 0) set_threads(options_.run.threads);
    begin(data);
  }

  ~Implementation() {
    runner_.reset();
    training::drop_moments(*network_->store());
  }

  const training::Phase& phase() const { return plan_.phases.back(); }
  training::Batches batches() const { return feed_->batches(); }
  int64_t taken() const { return taken_; }
  double rate() const {
    const training::Batches all = batches();
    const training::Group group = all.group(taken_ / all.count(), taken_ % all.count());
    return training::rate_at(training::schedule_of(phase(), all), group.update) * plateau_.factor;
  }

  std::optional<TrainBatch> next() {
    const int64_t count = batches().count();
    if (number_ == count) {
      ++epoch_;
      number_ = 0;
      started_ = false;
      return std::nullopt;
    }
    if (!started_) feed_->start(epoch_, number_);
    started_ = true;
    ++number_;
    const training::PictureBatch batch = feed_->next_pictures();
    const auto size = static_cast<int64_t>(batch.labels.size());
    TrainBatch result;
    result.images = engine::read_memory(batch.images.data(), type_of(size), shape_of(size), DType::f32);
    result.labels.assign(batch.labels.begin(), batch.labels.end());
    if (batch.targets.empty()) return result;
    result.targets = Tensor(DType::f32, {size, network_->class_count()});
    std::ranges::copy(batch.targets, result.targets.mutable_values<float>().begin());
    return result;
  }

  TrainedStep step(const TrainBatch& batch) {
    if (&model_.implementation().changing() != network_.get())
      fail(ErrorKind::usage, "predictors look through the model that is trained: make them from a model of their own");
    const int64_t size = check(batch);
    images_.resize(static_cast<size_t>(batch.images.size()));
    engine::write_memory(batch.images, type_of(size), images_.data());
    labels_.assign(batch.labels.begin(), batch.labels.end());
    labels_.resize(static_cast<size_t>(size));
    std::span<const float> targets;
    if (!batch.targets.empty()) targets = batch.targets.values<float>();
    training::StepInput input = feed_->input_of({images_, labels_, targets});
    input.class_weights = class_weights_;
    const training::Batches all = batches();
    const training::StepResult done =
        training::take_step(*runner_, input, phase(), all, {taken_ / all.count(), taken_ % all.count(), plateau_.factor});
    ++taken_;
    if (!std::isfinite(done.loss))
      fail(ErrorKind::input,
           "the loss is no number ({}) at step {} (rate {:.3g}): a lower rate, a longer warm-up or clipped gradients help",
           std::isnan(done.loss) ? "nan" : "infinite", taken_, input.rate);
    return {done.loss, done.correct, input.rate};
  }

  Evaluation validate() {
    if (data().splits.validation.samples.empty()) fail(ErrorKind::usage, "there are no validation pictures");
    const Averages averages(averaging());
    Evaluation result = feed_->validate();
    if (phase().schedule == RateSchedule::plateau) plateau_.epoch(result.loss);
    return result;
  }

  Evaluation test() {
    if (data().splits.test.samples.empty()) fail(ErrorKind::usage, "there are no test pictures");
    return evaluate({data().splits.test.samples, network_->preprocessing(), data().cache, false, {}, true, data().looks});
  }

  Evaluation evaluate(const Dataset& dataset) {
    const image::Dataset pictures = pictures_of(dataset, network_->classes(), network_->form().head.independent);
    Evaluation result = evaluate({pictures.samples, network_->preprocessing(), nullptr, true, {}, true});
    for (const image::Unused& one : pictures.unused) result.unused.push_back({one.path, one.reason});
    return result;
  }

  std::map<std::string, Tensor> state_dict() {
    const Averages averages(averaging());
    std::map<std::string, Tensor> result;
    for (const weights::NamedTensor& named : network_->state_dict()) result.emplace(named.name, named.tensor.clone());
    return result;
  }

  void save(const std::string& path) const { training::write_checkpoint(path, state(), *network_->store()); }

  void load(const std::string& path) {
    training::Checkpoint checkpoint = training::read_checkpoint(path);
    in_context(path, [&] {
      training::require_same_record(checkpoint.state, state());
      for (const auto& [name, entry] : network_->store()->entries())
        if (!checkpoint.states.find(name)) fail(ErrorKind::format, "there is no {}", name);
    });
    for (const auto& [name, tensor] : checkpoint.states)
      if (network_->store()->has(name)) network_->store()->set(name, tensor);
    plateau_ = checkpoint.state.plateau;
    taken_ = checkpoint.state.all_steps;
    epoch_ = checkpoint.state.epoch;
    number_ = checkpoint.state.step;
    started_ = false;
  }

 private:
  training::Data& data() { return job_->data(); }
  training::Parts parts() { return {network_, device(), arena_, *session_, data(), options_}; }

  void begin(const Dataset& dataset) {
    job_.emplace(*network_, options_, model_.implementation().loaded.source != "none", training::plan_of_steps);
    job_->take(splits_of(dataset, network_->classes()));
    job_->look();
    job_->tell();
    training::divide(data(), options_);
    if (job_->new_head()) model_.implementation().replace_head(job_->classes(), job_->head(), options_.run.seed);
    network_->set_preprocessing(job_->preprocessing());
    plan_ = job_->plan(data().splits, options_);
    train_before();
    if (options_.regularization.dropout) network_->set_dropout(*options_.regularization.dropout);
    training::check_blocks(*network_, plan_);
    if (options_.regularization.class_weights) class_weights_ = training::class_weights_of(data().splits.train);
    network_->set_seen(training::seen_with(network_->seen(), data(), options_, model_.implementation().loaded.source != "none"));
    session_.emplace(network_, device(), arena_);
    const uint64_t seed = training::phase_seed(options_.run.seed, static_cast<int64_t>(plan_.phases.size()) - 1);
    feed_ = training::feed_by_hand(parts(), phase(), seed);
    runner_.emplace(training::runner_of(parts(), *feed_, seed));
    const size_t held = data().cache->bytes();
    training::compile_steps(*runner_, *feed_, parts(), phase(), {held, held + training::evaluation_bytes(*network_, device().traits())},
                            *account_);
    if (phase().zero_head) network_->restart_head(seed);
    feed_->begin();
    if (phase().ema > 0) runner_->start_average();
  }

  // The phases before the one whose steps are taken by hand: of finetune the head.
  void train_before() {
    training::Plan before = plan_;
    before.phases.pop_back();
    if (before.phases.empty()) return;
    training::Data trained = data();
    trained.splits.test.samples.clear();
    training::Trainer({network_, device(), options_, trained, std::move(before), nullptr, origin_of(model_, "a dataset"), {}, account_})
        .run();
  }

  Shape shape(int64_t size) const {
    return {size, network_->channels(), network_->preprocessing().height, network_->preprocessing().width};
  }
  Type type_of(int64_t size) const { return {DType::f32, shape(size)}; }
  std::vector<int64_t> shape_of(int64_t size) const {
    return {size, network_->channels(), network_->preprocessing().height, network_->preprocessing().width};
  }

  // How many pictures it has.
  int64_t check(const TrainBatch& batch) const {
    const std::vector<int64_t>& shape = batch.images.shape();
    const int64_t size = shape.empty() ? 0 : shape.front(), classes = network_->class_count();
    if (batch.images.dtype() != DType::f32 || shape != shape_of(size))
      fail(ErrorKind::usage, "pictures of {} {}, f32 {} expected", to_string(batch.images.dtype()), shape_string(shape),
           shape_string(shape_of(size)));
    if (size < 2) fail(ErrorKind::usage, "a batch of {}, 2 or more expected (batch norm cannot train on one picture)", size);
    if (!batch.targets.empty()) {
      if (batch.targets.dtype() != DType::f32 || batch.targets.shape() != std::vector<int64_t>{size, classes})
        fail(ErrorKind::usage, "targets of {} {}, f32 [{},{}] expected", to_string(batch.targets.dtype()),
             shape_string(batch.targets.shape()), size, classes);
      if (!takes_targets())
        fail(ErrorKind::usage,
             "targets are given, and the loss takes one label a picture: soft or several labels in the dataset, mixup, "
             "cutmix, class weights, the binary or the focal loss make it take them");
      return size;
    }
    if (static_cast<int64_t>(batch.labels.size()) != size) fail(ErrorKind::usage, "{} labels of {} pictures", batch.labels.size(), size);
    for (const int64_t label : batch.labels)
      if (label < 0 || label >= classes) fail(ErrorKind::usage, "the label {}, one of 0 to {} expected", label, classes - 1);
    return size;
  }
  bool takes_targets() const {
    const training::LossOptions& loss = phase().loss;
    return loss.kind == training::LossOptions::Kind::binary || loss.soft_targets || loss.class_weights || loss.focal_gamma > 0;
  }

  // The runner whose averages are evaluated in place of the weights; null where none are kept.
  training::StepRunner* averaging() { return phase().ema > 0 ? &*runner_ : nullptr; }

  Evaluation evaluate(const training::PictureSource& source) {
    const Averages averages(averaging());
    return training::evaluate(*network_, *session_, source);
  }

  training::RunState state() const {
    training::RunState state;
    state.record = training::record_of(*network_, device(), options_, plan_, job_->data());
    state.plateau = plateau_;
    state.all_steps = taken_;
    state.epoch = epoch_;
    state.step = number_;
    return state;
  }

  Model model_;  // shares the network
  const std::shared_ptr<engine::Network> network_;
  const size_t states_;
  TrainOptions options_;
  const std::shared_ptr<engine::MemoryAccount> account_;
  std::optional<training::Job> job_;
  training::Plan plan_;
  const std::shared_ptr<engine::Arena> arena_ = std::make_shared<engine::Arena>();
  std::optional<engine::Session> session_;
  std::unique_ptr<training::FeedByHand> feed_;
  std::optional<training::StepRunner> runner_;
  std::vector<float> class_weights_, images_;
  std::vector<int32_t> labels_;
  training::Plateau plateau_;
  int64_t taken_ = 0;               // steps
  int64_t epoch_ = 0, number_ = 0;  // of the batch that `next` gives
  bool started_ = false;
};

Trainer::Trainer(Model& model, const Dataset& data, const TrainOptions& options)
    : implementation_(std::make_unique<Implementation>(model, data, options)) {}
Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;

Trainer::Implementation& Trainer::implementation() const {
  if (!implementation_) fail(ErrorKind::usage, "a trainer is used that was moved from");
  return *implementation_;
}

int64_t Trainer::epochs() const { return implementation().phase().epochs; }
int64_t Trainer::steps() const { return implementation().batches().count(); }
int64_t Trainer::step() const { return implementation().taken(); }
double Trainer::rate() const { return implementation().rate(); }
std::optional<TrainBatch> Trainer::next() { return implementation().next(); }
TrainedStep Trainer::step(const TrainBatch& batch) { return implementation().step(batch); }
Evaluation Trainer::validate() { return implementation().validate(); }
Evaluation Trainer::test() { return implementation().test(); }
Evaluation Trainer::evaluate(const Dataset& data) { return implementation().evaluate(data); }
std::map<std::string, Tensor> Trainer::state_dict() { return implementation().state_dict(); }
void Trainer::save(const std::string& path) const { implementation().save(path); }
void Trainer::load(const std::string& path) { implementation().load(path); }

}  // namespace fovea
