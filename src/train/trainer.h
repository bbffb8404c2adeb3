// A training run: phases of steps, validation, checkpoints, the test at the end.
#pragma once

#include <fovea/train.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/memory_account.h"
#include "train/checkpoint.h"
#include "train/cross_validation.h"
#include "train/feed.h"
#include "train/metrics_file.h"
#include "train/step_memory.h"

namespace fovea::training {

struct RunInput {
  std::shared_ptr<engine::Network> network;  // its head has the data's classes; holds the best weights afterwards
  const backend::Backend& backend;
  const TrainOptions& options;
  const Data& data;
  Plan plan;
  const CrossValidation* cross_validation = nullptr;  // of the runs before this one, for its report
  Origin origin = {};
  std::shared_ptr<FeatureStore> features = {};  // shared with runs on the same pictures; null: one of its own
  // The account of all runs of this training; null: this one has its own.
  std::shared_ptr<engine::MemoryAccount> memory = {};
  size_t states_beside = 0;  // bytes that the account knows of a network that waits while this one trains
};

class Trainer {
 public:
  explicit Trainer(RunInput input);

  // Trains, or continues where `resume` says so. Throws Error: usage where `out` holds an unfinished run that is not to be
  // resumed, mismatch where it is and its options or pictures were others, input for a loss that is no number.
  TrainResult run();
  // What became of the test pictures, once `run` is through; of a finished run in `out` as it is stored there.
  const std::vector<Outcome>& tested() const { return tested_; }
  // Whether `run` threw because a loss was no number: the network then holds the best weights so far, and metrics.json tells.
  bool stopped() const { return !stopped_.empty(); }

 private:
  bool resume();  // false: nothing is there yet
  // These return false where the run was interrupted.
  bool run_phase(const Phase& phase);
  bool run_solved(const Phase& phase);
  bool run_epoch(const Phase& phase, Feed& feed, StepRunner& runner);
  std::unique_ptr<Feed> make_feed(const Phase& phase);
  Parts parts() { return {network_, backend_, arena_, session_, data_, options_, features_->spill()}; }
  void plan_memory();
  size_t plan_steps(const Phase& phase, Feed& feed, StepRunner& runner);
  void note_memory(const Phase& phase, size_t planned) const;
  void plan_inference();
  Held held() const;
  void end_epoch(const Phase& phase, Feed& feed, StepRunner& runner);
  void count_patience(const Evaluation& validation);
  OnBatch on_features() const;
  // What a callback of the caller answers; where it throws, the run is saved first.
  template <class Call>
  bool ask(Call&& call);
  std::map<std::string, double> own_metrics(const std::optional<Evaluation>& validation) const;
  void end_run();
  void end_phase(const Phase& phase, const std::optional<Evaluation>& validation);
  void consider(const Evaluation& validation, bool always, bool trial = false);
  // Whether an epoch of a trial is to be kept.
  bool convinces(const Evaluation& validation);
  void end_trial();
  std::string verdict() const;  // of the trial; empty: there was none
  TrainResult finish();
  // A loss that is no number: nothing that is computed after it means anything.
  bool goes_astray(double loss, const char* of, const Phase& phase);
  [[noreturn]] void stop();
  void add_cross_validation(TrainResult& result) const;
  TrainResult result() const;

  void save();
  void log_epochs();  // those that are not in the event log yet
  void save_model() const;
  void drop_moments();
  void restore_best();
  void hand_over();
  std::vector<double> thresholds() const;
  void note(const std::string& text) const;
  double seconds() const;
  uint64_t phase_seed() const;
  std::filesystem::path file(const char* name) const { return std::filesystem::path(options_.run.out) / name; }

  std::shared_ptr<engine::Network> network_;
  const backend::Backend& backend_;
  const TrainOptions& options_;
  const Data& data_;
  const Plan plan_;
  const CrossValidation* const cross_validation_;
  const Origin origin_;
  // Everything that computes shares it, for nothing of it runs at the same time.
  const std::shared_ptr<engine::Arena> arena_ = std::make_shared<engine::Arena>();
  engine::Session session_;
  std::shared_ptr<FeatureStore> features_;
  const std::shared_ptr<engine::MemoryAccount> memory_;
  const size_t states_beside_;
  std::vector<float> class_weights_;  // where the loss takes them
  RunState state_;
  std::unique_ptr<EventLog> events_;           // null: none is written
  std::optional<weights::StateDict> moments_;  // of a checkpoint, until the phase's step has declared them
  weights::StateDict best_;                    // empty: none yet
  size_t planned_bytes_ = 0;
  std::vector<Outcome> tested_;
  using Clock = std::chrono::steady_clock;
  Clock::time_point started_, saved_;
  Clock::duration saving_{};  // what the last one took
  bool best_saved_ = true;
  bool ended_ = false;         // the caller wants no other step
  std::string stopped_;        // why the run cannot go on; empty: it can
  double seconds_before_ = 0;  // of the run, until it was interrupted
};

// Moments, sums and averages go out of the store.
void drop_moments(engine::StateStore& store);

// The record that a continuation must match.
std::vector<std::pair<std::string, std::string>> record_of(const engine::Network& network, const backend::Backend& backend,
                                                           const TrainOptions& options, const Plan& plan, const Data& data);

}  // namespace fovea::training
