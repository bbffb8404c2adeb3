// The page of a run or an evaluation, for src/api alone.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "api/implementation.h"
#include "train/metrics_file.h"

namespace fovea {

constexpr const char *kMetricsFile = "metrics.json", *kReportFile = "report.html", *kModelFile = "model.safetensors";

// What a model that computes here started from and runs on.
training::Origin origin_of(const Model& model, std::string data);

// Whether the page in a run's folder is missing, or older than the metrics that it should show.
bool needs_page(const std::filesystem::path& run);
void write_page(const std::filesystem::path& path, const nlohmann::json& metrics, Model::Implementation& model);
void write_run_page(const std::filesystem::path& run, Model::Implementation& model);

}  // namespace fovea
