#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/parallel.h"
#include "image/codecs.h"
#include "train/feature_journal.h"
#include "train/kept_features.h"
#include "train/metrics.h"
#include "train/phase_fields.h"
#include "train/phase_steps.h"
#include "train/run_folder.h"
#include "train/solved_head.h"
#include "weights/model_file.h"

namespace fovea::training {
namespace {

constexpr int kSaveShare = 10;  // at the end of an epoch: when at least so many times as long has passed as saving took
constexpr const char *kModel = "model.safetensors", *kCheckpoint = kCheckpointFile, *kHistory = "history.csv", *kMetrics = "metrics.json",
                     *kPredictions = "predictions.csv", *kOutOfFold = "out_of_fold.csv", *kEvents = "tensorboard";

bool better(const Evaluation& a, const Best& b) {
  const double measure = measure_of(a.score);
  return measure > b.accuracy || (measure == b.accuracy && a.loss < b.loss);
}

void note_validation(EpochRow& row, const Evaluation& validation) {
  row.validation_loss = validation.loss;
  row.validation_accuracy = validation.score.accuracy;
  if (validation.score.labels) row.validation_precision = validation.score.labels->mean_average_precision;
}

std::string validation_words(const EpochRow& row) {
  if (!row.validation_accuracy) return "";
  return fmt::format("; validation loss {:.3f}, {} {:.1f} %", row.validation_loss.value_or(0),
                     row.validation_precision ? "mean average precision" : "accuracy",
                     100 * row.validation_precision.value_or(*row.validation_accuracy));
}

// `took`: the seconds of the epoch alone.
std::string epoch_line(const EpochRow& row, int64_t epoch, int64_t epochs, double took) {
  std::string line = fmt::format("{} epoch {} of {}: loss {:.3f}", row.phase, epoch, epochs, row.train_loss);
  // Where pictures have several labels, all are seldom right, and nothing is decided by that share.
  if (!row.validation_precision) line += fmt::format(", accuracy {:.1f} %", 100 * row.train_accuracy);
  line += validation_words(row);
  for (const auto& [name, value] : row.metrics) line += fmt::format(", {} {:.4g}", name, value);
  line += fmt::format("; {:.1f} s", row.seconds);
  constexpr double kWorthTelling = 0.01;  // of the epoch
  if (row.waited_seconds > kWorthTelling * took) line += fmt::format(", {:.1f} s of them waited for pictures", row.waited_seconds);
  return line;
}

}  // namespace

Trainer::Trainer(RunInput input)
    : network_(std::move(input.network)),
      backend_(input.backend),
      options_(input.options),
      data_(input.data),
      plan_(std::move(input.plan)),
      cross_validation_(input.cross_validation),
      origin_(std::move(input.origin)),
      session_(network_, backend_, arena_),
      features_(input.features ? std::move(input.features) : std::make_shared<FeatureStore>(spill_of(options_))),
      memory_(input.memory ? std::move(input.memory)
                           : std::make_shared<engine::MemoryAccount>(input.options.run.memory_bytes, network_->store()->bytes())),
      states_beside_(input.states_beside),
      started_(Clock::now()),
      saved_(started_) {
  if (options_.regularization.dropout) network_->set_dropout(*options_.regularization.dropout);
  check_blocks(*network_, plan_);
  network_->set_thresholds({});
  state_.record = record_of(*network_, backend_, options_, plan_, data_);
  if (options_.regularization.class_weights) class_weights_ = class_weights_of(data_.splits.train);
  network_->set_seen(seen_with(network_->seen(), data_, options_, origin_.weights != "none"));
}

TrainResult Trainer::run() {
  const bool writes = !options_.run.out.empty();
  if (options_.run.resume && !writes) fail(ErrorKind::usage, "no folder is named to resume from");
  if (writes) {
    std::error_code error;
    std::filesystem::create_directories(options_.run.out, error);
    if (error) fail(ErrorKind::io, "{}: cannot be created: {}", options_.run.out, error.message());
    remove_partial_files(options_.run.out);
  }
  const bool resumed = options_.run.resume && resume();
  if (resumed && state_.finished) {
    note(fmt::format("the run in {} is finished; nothing is left to do", options_.run.out));
    hand_over();
    TrainResult done = read_metrics(file(kMetrics));
    done.thresholds = thresholds();
    if (!data_.splits.test.samples.empty())
      tested_ = read_predictions(file(kPredictions), network_->classes(), network_->form().head.independent);
    const double seconds = done.seconds;  // of all runs already
    add_cross_validation(done);
    done.seconds = seconds;
    return done;
  }
  if (writes && !options_.run.resume && std::filesystem::exists(file(kCheckpoint))) {
    const RunState there = read_checkpoint(file(kCheckpoint)).state;
    if (!there.finished)
      fail(ErrorKind::usage, "{} holds a run that was interrupted after epoch {}: resume it, or remove {} to start anew", options_.run.out,
           there.history.size(), file(kCheckpoint).string());
    note(fmt::format("the finished run in {} is replaced", options_.run.out));
  }
  note(fmt::format("recipe {}: {}", plan_.recipe, plan_.reason));
  for (const std::string& sentence : plan_.unused) note(sentence);
  plan_memory();
  if (writes && options_.run.tensorboard) events_ = std::make_unique<EventLog>(file(kEvents), state_.events);
  if (!resumed) save();
  try {
    while (state_.phase < static_cast<int64_t>(plan_.phases.size())) {
      if (run_phase(plan_.phases[static_cast<size_t>(state_.phase)])) continue;
      if (stopped()) stop();
      hand_over();
      TrainResult interrupted = result();
      interrupted.interrupted = true;
      return interrupted;
    }
  } catch (...) {
    hand_over();
    throw;
  }
  return finish();
}

template <class Call>
bool Trainer::ask(Call&& call) {
  try {
    return call();
  } catch (...) {
    save();
    throw;
  }
}

std::map<std::string, double> Trainer::own_metrics(const std::optional<Evaluation>& validation) const {
  std::map<std::string, double> metrics;
  if (validation)
    for (const auto& [name, measure] : options_.run.metrics) metrics.emplace(name, measure(*validation));
  return metrics;
}

bool Trainer::resume() {
  if (!std::filesystem::exists(file(kCheckpoint))) {
    note(fmt::format("{} holds no run yet; this one starts anew", options_.run.out));
    return false;
  }
  Checkpoint checkpoint = read_checkpoint(file(kCheckpoint));
  in_context("resuming " + options_.run.out, [&] { require_same_record(checkpoint.state, state_); });
  state_ = std::move(checkpoint.state);
  seconds_before_ = state_.seconds;
  engine::StateStore& store = *network_->store();
  for (const auto& [name, entry] : store.entries()) {
    const Tensor* tensor = checkpoint.states.find(name);
    if (!tensor) fail(ErrorKind::format, "{}: there is no {}", file(kCheckpoint).string(), name);
  }
  for (const auto& [name, tensor] : checkpoint.states)
    if (store.has(name)) store.set(name, tensor);
  moments_ = std::move(checkpoint.states);
  if (state_.probe) apply(*state_.probe, *network_);
  if (state_.best) best_ = weights::read_model_file(file(kModel)).tensors;
  if (!state_.finished)
    note(fmt::format("continues the run in {} after {} epochs and {} steps", options_.run.out, state_.history.size(), state_.step));
  return true;
}

std::unique_ptr<Feed> Trainer::make_feed(const Phase& phase) {
  if (!phase.on_features) return picture_feed(parts(), phase, phase_seed(), on_features());
  const bool mirrored = phase.augmentation.has_value() || network_->preprocessing().mirrored;
  const std::vector<Fit> fits = fits_of(network_->preprocessing());
  const bool complete = features_->compute(
      parts(), {{data_.splits.train.samples, fits, mirrored}, {data_.splits.validation.samples, fits, mirrored}}, on_features());
  return complete ? feature_feed(parts(), phase, phase_seed(), *features_) : nullptr;
}

Held Trainer::held() const {
  size_t best = 0, network = 0;
  for (const auto& [name, tensor] : best_) best += tensor.bytes();
  for (const auto& [name, entry] : network_->store()->entries())
    if (entry.role != StateRole::optimizer) network += entry.memory.bytes();
  const size_t other = states_beside_ + features_->bytes() + data_.cache->bytes();
  const bool evaluates = !data_.splits.validation.samples.empty() || !data_.splits.test.samples.empty();
  return {other + best, other + network + (evaluates ? evaluation_bytes(*network_, backend_.traits()) : 0)};
}

size_t Trainer::plan_steps(const Phase& phase, Feed& feed, StepRunner& runner) {
  const size_t planned = compile_steps(runner, feed, parts(), phase, held(), *memory_);
  planned_bytes_ = std::max(planned_bytes_, planned);
  return planned;
}

void Trainer::note_memory(const Phase& phase, size_t planned) const {
  const auto megabytes = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  if (memory_->limit() > 0)
    note(fmt::format("memory: {:.1f} MB planned for the steps of the phase {}, {:.1f} MB allowed", megabytes(planned), phase.name,
                     megabytes(memory_->limit())));
}

// Where a limit is set, it is told before anything is computed whether the steps fit into it. Steps on features take next to nothing beside
// them, so these are waited for.
void Trainer::plan_memory() {
  if (memory_->limit() == 0) return;
  for (size_t i = static_cast<size_t>(state_.phase); i < plan_.phases.size(); ++i) {
    const Phase& phase = plan_.phases[i];
    if (phase.solved || phase.on_features) continue;
    const std::unique_ptr<Feed> feed = planned_feed(parts(), phase, phase_seed());
    StepRunner runner = runner_of(parts(), *feed, phase_seed());
    note_memory(phase, plan_steps(phase, *feed, runner));
    drop_moments();
  }
}

// Called after the session ran: adds what inference takes to what is planned.
void Trainer::plan_inference() {
  const engine::MemoryUse inference = session_.memory();
  const Held other = held();
  const size_t states = network_->store()->bytes();
  memory_->measure_rest(other.now + states + inference.held + arena_->resident_bytes());
  planned_bytes_ = std::max(planned_bytes_, memory_->planned(other.later + states + inference.constants + arena_->bytes()));
}

OnBatch Trainer::on_features() const {
  return [this](int64_t done, int64_t all) {
    return (!options_.run.progress || options_.run.progress({"features", 0, 1, done, all, 0})) && !options_.run.cancel.stop_requested();
  };
}

bool Trainer::run_solved(const Phase& phase) {
  const auto solved = solve_head(parts(), phase, *features_, state_.probe, phase_seed(), on_features());
  if (!solved) return false;  // the last save holds all there is
  plan_inference();
  EpochRow row;
  row.epoch = static_cast<int64_t>(state_.history.size()) + 1;
  row.phase = phase.name;
  row.train_loss = solved->training.loss;
  row.train_accuracy = solved->training.score.accuracy;
  std::string line = fmt::format("{} solved on {} pictures", phase.name, solved->pictures);
  if (!state_.probe) line += ", " + solved->choice.text();
  if (solved->validation) {
    note_validation(row, *solved->validation);
    line += validation_words(row);
  }
  note(line + fmt::format("; {} steps, {:.2f} s", solved->steps, solved->seconds));
  row.seconds = seconds();
  row.metrics = own_metrics(solved->validation);
  state_.history.push_back(row);
  if (goes_astray(row.train_loss, "the loss", phase) || goes_astray(row.validation_loss.value_or(0), "the validation loss", phase))
    return false;
  if (!state_.probe && solved->validation) state_.probe_correct = correct_answers(*solved->validation);
  state_.probe = solved->choice;
  end_phase(phase, solved->validation);
  if (options_.run.on_epoch && !ask([&] { return options_.run.on_epoch(row); })) end_run();
  save();
  return true;
}

bool Trainer::run_phase(const Phase& phase) {
  if (phase.solved) return run_solved(phase);
  const std::unique_ptr<Feed> feed = make_feed(phase);
  if (!feed) return false;  // the last save holds all there is
  saved_ = Clock::now();    // features that were computed until here are nothing that a checkpoint keeps
  const bool begins = state_.epoch == 0 && state_.step == 0;
  bool goes_on = true;
  {
    StepRunner runner = runner_of(parts(), *feed, phase_seed());
    const size_t planned = plan_steps(phase, *feed, runner);
    if (phase.on_features) note_memory(phase, planned);
    if (begins && phase.zero_head) network_->restart_head(phase_seed());
    if (begins) feed->begin();
    if (phase.ema > 0) runner.start_average();
    if (moments_) {
      engine::StateStore& store = *network_->store();
      for (const auto& [name, tensor] : *moments_)
        if (store.has(name) && store.at(name).role == StateRole::optimizer) store.set(name, tensor);
      moments_.reset();
    }
    const auto out_of_patience = [&] { return phase.patience > 0 && state_.bad_epochs >= phase.patience; };
    while (goes_on && !ended_ && state_.epoch < phase.epochs && !out_of_patience()) goes_on = run_epoch(phase, *feed, runner);
    if (goes_on && out_of_patience())
      note(fmt::format("{} epochs without a better validation end the phase {}", phase.patience, phase.name));
    if (goes_on && phase.ema > 0) runner.swap_average();
  }
  std::optional<Evaluation> last;
  if (goes_on && phase.on_features && !phase.with_validation && !data_.splits.validation.samples.empty()) last = feed->validate();
  feed->finish();
  if (goes_on) end_phase(phase, last);
  if (goes_on && ended_) end_run();
  drop_moments();
  if (goes_on) save();
  return goes_on;
}

bool Trainer::run_epoch(const Phase& phase, Feed& feed, StepRunner& runner) {
  const Batches batches = feed.batches();
  const int64_t steps = batches.count();
  if (state_.step < steps) feed.start(state_.epoch, state_.step);
  while (state_.step < steps) {
    const double waited = feed.waited_seconds();
    StepInput input = feed.next();
    state_.waited_seconds += feed.waited_seconds() - waited;
    input.class_weights = class_weights_;
    const StepResult step = take_step(runner, input, phase, batches, {state_.epoch, state_.step, state_.plateau.factor});
    const int64_t size = static_cast<int64_t>(input.labels.size());
    if (goes_astray(step.loss, "the loss", phase)) return false;
    state_.loss_sum += step.loss * static_cast<double>(size);
    state_.correct += step.correct;
    state_.seen += size;
    ++state_.step;
    ++state_.all_steps;
    if (events_) events_->scalar("loss/step", state_.all_steps, step.loss);
    TrainProgress progress{phase.name, state_.epoch + 1, phase.epochs, state_.step, steps, step.loss};
    if (state_.best && !data_.splits.validation.samples.empty()) progress.best = state_.best->accuracy;
    progress.rate = input.rate;
    progress.pictures = state_.seen;
    progress.last = state_.phase + 1 == static_cast<int64_t>(plan_.phases.size());
    if (!state_.history.empty()) progress.validation_loss = state_.history.back().validation_loss.value_or(-1);
    const bool goes_on = ask([&] {
      const bool on = !options_.run.progress || options_.run.progress(progress);
      ended_ = options_.run.on_step && !options_.run.on_step(progress);
      return on && !options_.run.cancel.stop_requested();
    });
    if (!goes_on || std::chrono::duration<double>(Clock::now() - saved_).count() >= options_.run.checkpoint_seconds) save();
    if (!goes_on) return false;
    if (ended_) break;
  }
  end_epoch(phase, feed, runner);
  if (!stopped() && options_.run.on_epoch) ended_ = !ask([&] { return options_.run.on_epoch(state_.history.back()); }) || ended_;
  return !stopped();
}

// Ends the run after this phase: it gives what it has come to.
void Trainer::end_run() {
  note(fmt::format("ended by the caller after epoch {}", state_.history.size()));
  state_.phase = static_cast<int64_t>(plan_.phases.size());
}

bool Trainer::goes_astray(double loss, const char* of, const Phase& phase) {
  if (std::isfinite(loss)) return false;
  const std::string where = phase.solved ? "" : fmt::format(" at step {} of epoch {}", state_.step + 1, state_.epoch + 1);
  stopped_ = fmt::format("{} is no number ({}){} (phase {}, highest rate {:.3g}): ", of, std::isnan(loss) ? "nan" : "infinite", where,
                         phase.name, phase.rate);
  stopped_ += phase.solved ? "do the weights, or the pictures, hold values that are no numbers?"
                           : fmt::format("try a lower rate (--lr {:.2g}), a longer warm-up (--warmup) or clipped gradients (--clip 1)",
                                         phase.rate / 10);
  if (state_.best) stopped_ += fmt::format("; the best so far, of epoch {}, is kept", state_.best->epoch);
  return true;
}

void Trainer::stop() {
  restore_best();
  if (!options_.run.out.empty()) {
    if (!best_saved_) save_model();
    best_saved_ = true;
    write_text(file(kHistory), history_csv(state_.history));
    const TrainResult so_far = result();
    write_metrics(file(kMetrics), {*network_, options_, plan_, so_far, state_.validation, std::nullopt, data_, state_, origin_, stopped_},
                  state_.best ? file(kModel) : std::filesystem::path());
  }
  fail(ErrorKind::input, "{}", stopped_);
}

void Trainer::end_epoch(const Phase& phase, Feed& feed, StepRunner& runner) {
  const Batches batches = feed.batches();
  EpochRow row;
  row.epoch = static_cast<int64_t>(state_.history.size()) + 1;
  row.phase = phase.name;
  row.train_loss = state_.loss_sum / static_cast<double>(state_.seen);
  row.train_accuracy = static_cast<double>(state_.correct) / static_cast<double>(state_.seen);
  row.rate = rate_at(schedule_of(phase, batches), (state_.epoch + 1) * batches.updates() - 1) * state_.plateau.factor;
  if (phase.ema > 0) runner.swap_average();  // what is validated and kept
  std::optional<Evaluation> validation;
  if (!data_.splits.validation.samples.empty() && !phase.with_validation) {
    validation = feed.validate();
    note_validation(row, *validation);
  }
  row.metrics = own_metrics(validation);
  row.waited_seconds = state_.waited_seconds;
  row.seconds = seconds();
  const double took = row.seconds - (state_.history.empty() ? 0 : state_.history.back().seconds);
  state_.history.push_back(row);
  if (validation && goes_astray(validation->loss, "the validation loss", phase)) return;
  ++state_.epoch;
  // A probe's epochs are too many and too short for a line each.
  if (!phase.on_features || state_.epoch == phase.epochs) note(epoch_line(row, state_.epoch, phase.epochs, took));
  state_.step = state_.correct = state_.seen = 0;
  state_.loss_sum = state_.waited_seconds = 0;
  if (!phase.on_features) consider(validation.value_or(Evaluation{}), !validation, phase.trial);
  if (phase.ema > 0) runner.swap_average();
  if (phase.schedule == RateSchedule::plateau) state_.plateau.epoch(validation ? validation->loss : row.train_loss);
  if (validation) count_patience(*validation);
  // A probe's epochs are milliseconds: one file a phase is enough for them, and for what takes longer the clock saves.
  if (!phase.on_features && Clock::now() - saved_ >= kSaveShare * saving_) save();
}

void Trainer::count_patience(const Evaluation& validation) {
  const bool improved = !state_.phase_best || better(validation, *state_.phase_best);
  if (improved) state_.phase_best = Best{state_.history.back().epoch, measure_of(validation.score), validation.loss};
  state_.bad_epochs = improved ? 0 : state_.bad_epochs + 1;
}

// The head of a feature phase counts only as it is at the end, when it is a part of the network again.
void Trainer::end_phase(const Phase& phase, const std::optional<Evaluation>& validation) {
  ++state_.phase;
  state_.epoch = 0;
  state_.plateau = {};
  state_.phase_best.reset();
  state_.bad_epochs = 0;
  if (phase.on_features) consider(validation.value_or(Evaluation{}), !validation);
  const bool needed = std::any_of(plan_.phases.begin() + state_.phase, plan_.phases.end(), [](const Phase& p) { return p.on_features; });
  if (!needed) {
    features_ = std::make_shared<FeatureStore>(features_->spill());  // lets go of them, where no other run wants them
    if (phase.on_features) session_.network_changed();               // what computed them
  }
  if (phase.trial) end_trial();
}

void Trainer::consider(const Evaluation& validation, bool always, bool trial) {
  if (trial && !convinces(validation)) return;
  if (!always && state_.best && !better(validation, *state_.best)) return;
  state_.trial_kept = trial;
  Best best{state_.history.back().epoch, measure_of(validation.score), validation.loss};
  if (always && state_.best) {  // trained on what measured it: the accuracy before is the one that means something
    best.accuracy = state_.best->accuracy;
    best.loss = state_.best->loss;
  }
  state_.best = best;
  if (!always) state_.validation = validation;
  best_ = {};  // not two of them at a time
  best_ = network_->state_dict();
  best_saved_ = false;
}

bool Trainer::convinces(const Evaluation& validation) {
  const Comparison comparison = compare(state_.probe_correct, correct_answers(validation));
  if (!state_.trial || comparison.after > state_.trial->after) state_.trial = comparison;
  return comparison.convinces();
}

// Where the trial did not convince, what was there before it goes on.
void Trainer::end_trial() {
  note(verdict());
  if (state_.trial_kept)
    state_.phase = static_cast<int64_t>(plan_.phases.size());
  else
    restore_best();
}

std::string Trainer::verdict() const {
  if (!state_.trial) return {};
  return fmt::format("{} kept: {}", state_.trial_kept ? "finetune" : "probe", state_.trial->text("probe", "finetune"));
}

TrainResult Trainer::finish() {
  hand_over();
  if (const std::vector<std::string> changed = changed_files(data_); !changed.empty())
    note(fmt::format("warning: {} changed or vanished while the training went on, {} the first: what was learnt is of both states",
                     changed.size() == 1 ? "1 picture" : fmt::format("{} pictures", changed.size()), changed.front()));
  std::optional<Evaluation> test;
  if (!data_.splits.test.samples.empty())
    test = evaluate(*network_, session_, {data_.splits.test.samples, network_->preprocessing(), data_.cache, false, {}, true, data_.looks});
  TrainResult done = result();
  if (test) {
    done.test = test->score;
    tested_ = test->outcomes;
  }
  add_cross_validation(done);
  plan_inference();
  done.planned_bytes = planned_bytes_;
  done.measured_bytes = memory_->measured();
  if (!options_.run.out.empty()) {
    if (test) write_text(file(kPredictions), predictions_csv(network_->classes(), tested_, network_->thresholds()));
    if (done.out_of_fold)
      write_text(file(kOutOfFold), predictions_csv(network_->classes(), done.out_of_fold->outcomes, done.out_of_fold->thresholds));
    if (!best_saved_) save_model();
    best_saved_ = true;
    write_metrics(file(kMetrics), {*network_, options_, plan_, done, state_.validation, test, data_, state_, origin_, stopped_},
                  std::filesystem::exists(file(kModel)) ? file(kModel) : std::filesystem::path());
    state_.finished = true;
    save();
    std::error_code none;
    std::filesystem::remove(file(kFeaturesFile), none);
    remove_journals(options_.run.out);
  }
  return done;
}

// Adds what is known of the runs beside this one.
void Trainer::add_cross_validation(TrainResult& result) const {
  if (!cross_validation_) return;
  CrossValidation together = *cross_validation_;
  add_first_seed(together, result.test);
  result.folds = together.folds;
  result.seeds = together.seeds;
  result.out_of_fold = together.out_of_fold;
  result.seconds += together.seconds;
}

TrainResult Trainer::result() const {
  TrainResult result;
  if (state_.validation) result.validation = state_.validation->score;
  result.seconds = seconds();
  result.recipe = state_.trial_kept ? to_string(Recipe::finetune) : plan_.recipe;
  result.reason = plan_.reason;
  if (const std::string text = verdict(); !text.empty()) result.reason += "; " + text;
  result.left_out = data_.left_out;
  result.epochs = static_cast<int64_t>(state_.history.size());
  result.best_epoch = state_.best ? state_.best->epoch : 0;
  result.history = state_.history;
  result.thresholds = thresholds();
  result.planned_bytes = planned_bytes_;
  return result;
}

void Trainer::save() {
  const auto begin = saved_ = Clock::now();
  if (options_.run.out.empty()) return;
  if (!best_saved_) save_model();
  best_saved_ = true;
  state_.seconds = seconds();
  log_epochs();
  write_text(file(kHistory), history_csv(state_.history));
  // The checkpoint is written last, for a continuation goes by it. A kill before it leaves files that are ahead of it, which the
  // continuation writes again, the same.
  write_checkpoint(file(kCheckpoint), state_, *network_->store());
  saved_ = Clock::now();
  saving_ = saved_ - begin;
}

// Called before the checkpoint is written, which says how much of the log belongs to it.
void Trainer::log_epochs() {
  if (!events_) return;
  for (; state_.events.epochs < static_cast<int64_t>(state_.history.size()); ++state_.events.epochs) {
    const EpochRow& row = state_.history[static_cast<size_t>(state_.events.epochs)];
    events_->scalar("loss/train", row.epoch, row.train_loss);
    events_->scalar("accuracy/train", row.epoch, row.train_accuracy);
    if (row.validation_loss) events_->scalar("loss/validation", row.epoch, *row.validation_loss);
    if (row.validation_accuracy) events_->scalar("accuracy/validation", row.epoch, *row.validation_accuracy);
    if (row.rate > 0) events_->scalar("rate", row.epoch, row.rate);  // what was solved for has none
    if (row.validation_precision) events_->scalar("mean average precision/validation", row.epoch, *row.validation_precision);
    for (const auto& [name, value] : row.metrics) events_->scalar(name + "/validation", row.epoch, value);
  }
  state_.events.bytes = events_->flush();
}

void Trainer::save_model() const {
  if (!options_.run.out.empty()) network_->save(file(kModel), best_, thresholds());
}

void Trainer::drop_moments() { training::drop_moments(*network_->store()); }

void drop_moments(engine::StateStore& store) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : store.entries())
    if (entry.role == StateRole::optimizer) names.push_back(name);
  for (const std::string& name : names) store.erase(name);
}

void Trainer::restore_best() {
  drop_moments();
  for (const auto& [name, tensor] : best_) network_->store()->set(name, tensor);
}

// What the caller's model is afterwards.
void Trainer::hand_over() {
  restore_best();
  network_->set_thresholds(thresholds());
}

// Of several labels, by what was best when it was validated.
std::vector<double> Trainer::thresholds() const {
  if (!network_->form().head.independent || !state_.validation) return {};
  return best_thresholds(state_.validation->outcomes, network_->classes().size());
}

void Trainer::note(const std::string& text) const {
  if (options_.run.note) options_.run.note(text);
}

double Trainer::seconds() const { return seconds_before_ + std::chrono::duration<double>(Clock::now() - started_).count(); }

uint64_t Trainer::phase_seed() const { return training::phase_seed(options_.run.seed, state_.phase); }

std::vector<std::pair<std::string, std::string>> record_of(const engine::Network& network, const backend::Backend& backend,
                                                           const TrainOptions& options, const Plan& plan, const Data& data) {
  const auto& splits = data.splits;
  std::vector<std::pair<std::string, std::string>> record{
      {"model", network.variant().name},
      {"recipe", plan.recipe},
      {"seed", fmt::format("{}", options.run.seed)},
      {"threads", fmt::format("{}", threads())},
      {"arithmetic", backend.identity()},
      {"decoders", image::decoder_versions()},
      {"preprocessing", to_string(network.preprocessing())},
      {"head", fmt::format("{} hidden {} dropout {}{}", static_cast<int>(network.form().head.kind), network.form().head.hidden,
                           network.form().head.dropout, network.form().head.independent ? " independent" : "")},
      {"channels", fmt::format("{}", network.channels())},
      {"precision", to_string(network.precision())},
      {"classes", fmt::format("{}", fmt::join(network.classes(), ", "))},
      {"training pictures", fmt::format("{}", splits.train.samples.size())},
      {"validation pictures", fmt::format("{}", splits.validation.samples.size())},
      {"test pictures", fmt::format("{}", splits.test.samples.size())},
      {"fingerprint of the pictures", data.fingerprint},
      {"balanced sampling", fmt::format("{}", options.data.balanced_sampling)},
      {"stored views", fmt::format("{}", options.augmentation.stored_views)},
  };
  for (const Phase& phase : plan.phases)
    fields(phase, [&](const char*, const char* name, const auto& value) { record.emplace_back(name, fmt::format("{}", value)); });
  return record;
}

}  // namespace fovea::training
