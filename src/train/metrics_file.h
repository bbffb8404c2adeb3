// metrics.json: what a run was and what came of it; every number that its page shows.
#pragma once

#include <fovea/train.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/network.h"
#include "train/checkpoint.h"
#include "train/data.h"
#include "train/recipes.h"

namespace fovea::training {

// What a run started from, and what it ran with, as its record names them.
struct Origin {
  std::string data;     // the folder, or how many files
  std::string weights;  // their tag or file; "none"
  std::vector<std::pair<std::string, std::string>> versions;
  std::string freeze_savings = {};  // in words; empty: nothing was asked for or frozen
};

struct Metrics {
  const engine::Network& network;
  const TrainOptions& options;
  const Plan& plan;
  const TrainResult& result;
  const std::optional<Evaluation>& validation;
  const std::optional<Evaluation>& test;
  const Data& data;
  const RunState& state;
  const Origin& origin;
  const std::string& stopped;  // why the run ended before its end; empty: it did not
};

// run.json, written when a run begins: the command that a continuation repeats.
void write_run_command(const std::filesystem::path& path, const std::vector<std::string>& words);

// `model`: the run's model file, of which the metrics tell the digest; empty: there is none.
void write_metrics(const std::filesystem::path& path, const Metrics& metrics, const std::filesystem::path& model);
// The result of a finished run.
TrainResult read_metrics(const std::filesystem::path& path);

}  // namespace fovea::training
