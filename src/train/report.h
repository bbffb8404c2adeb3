// metrics.json: what a run was and what came of it.
#pragma once

#include <fovea/train.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/network.h"
#include "image/folder.h"
#include "train/recipes.h"

namespace fovea::training {

struct Report {
  const engine::Network& network;
  const TrainOptions& options;
  const Plan& plan;
  const TrainResult& result;
  const std::optional<Evaluation>& validation;
  const std::optional<Evaluation>& test;
  int64_t training_pictures = 0;
  const std::vector<image::Sample>& test_samples;
};

void write_report(const std::filesystem::path& path, const Report& report);
// The result of a finished run.
TrainResult read_report(const std::filesystem::path& path);

// Of this process, in bytes: VmHWM of proc(5).
size_t peak_memory();

}  // namespace fovea::training
