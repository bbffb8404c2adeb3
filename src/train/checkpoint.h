// Where a run stands, on disk: everything that its continuation depends on.
#pragma once

#include <fovea/train.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/state_store.h"
#include "train/comparison.h"
#include "train/event_log.h"
#include "train/probe.h"
#include "train/schedule.h"
#include "weights/state_dict.h"

namespace fovea::training {

struct Best {
  int64_t epoch = 0;
  double accuracy = 0, loss = 0;  // in place of accuracy what measure_of says
};

// A run's progress; with the states of the store it determines all that follows.
struct RunState {
  // What a continuation must agree on, in the order of messages: name and value.
  std::vector<std::pair<std::string, std::string>> record;
  int64_t phase = 0;
  int64_t epoch = 0, step = 0;  // done: epochs of the phase, steps of the epoch
  double loss_sum = 0;          // of the epoch so far: loss times pictures
  int64_t correct = 0, seen = 0;
  double waited_seconds = 0;
  Plateau plateau;                 // of the phase
  std::optional<Best> phase_best;  // what early stopping goes by
  int64_t bad_epochs = 0;          // of the phase, since that one
  double seconds = 0;
  bool finished = false;
  int64_t all_steps = 0;  // of every phase so far
  EventPosition events;
  std::optional<Best> best;
  std::optional<Evaluation> validation;  // of the best
  std::optional<ProbeChoice> probe;      // made by a solved phase
  std::vector<int> probe_correct;        // by validation picture: 1 if the probe's head classified it correctly
  std::optional<Comparison> trial;       // of the best epoch of a trial with it
  bool trial_kept = false;
  std::vector<EpochRow> history;
};

// A .safetensors with every state of the store, moments included; the progress is in its metadata under "fovea.run". Written beside and
// renamed.
void write_checkpoint(const std::filesystem::path& path, const RunState& state, const engine::StateStore& store);

struct Checkpoint {
  RunState state;
  weights::StateDict states;
};
// Throws Error(format) that names the file and what is wrong with it.
Checkpoint read_checkpoint(const std::filesystem::path& path);
// The same from memory, which `owner` keeps alive for the states.
Checkpoint read_checkpoint(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

// Throws Error(mismatch) for the first entry of the records that differs, naming both values.
void require_same_record(const RunState& then, const RunState& now);

// epoch,phase,train_loss,train_accuracy,validation_loss,validation_accuracy,rate,waited_seconds,seconds; of several labels
// validation_mean_average_precision before rate.
std::string history_csv(const std::vector<EpochRow>& history);
// The same, a list of objects; null where nothing was validated.
nlohmann::json history_json(const std::vector<EpochRow>& history);

}  // namespace fovea::training
