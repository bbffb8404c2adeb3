// The page of a run or an evaluation, for src/api alone.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "api/implementation.h"
#include "image/folder.h"
#include "train/metrics_file.h"

namespace fovea {

constexpr const char *kMetricsFile = "metrics.json", *kReportFile = "report.html", *kModelFile = "model.safetensors",
                     *kShownFolder = "shown", *kShownFile = "shown/names.json";

// What a model that computes here started from and runs on.
training::Origin origin_of(const Model& model, std::string data);

// Whether the page in a run's folder is missing, or older than the metrics that it should show.
bool needs_page(const std::filesystem::path& run);
// Where pictures without a file come from, by their names.
using PicturesByName = std::map<std::string, image::Sample>;
void add_pictures(PicturesByName& pictures, const std::vector<image::Sample>& samples);

void write_page(const std::filesystem::path& path, const nlohmann::json& metrics, Model::Implementation& model,
                const PicturesByName& pictures);
// Pictures that are no files are kept in the run's folder as far as the page shows them, so that it can be made again.
void write_run_page(const std::filesystem::path& run, Model::Implementation& model, const PicturesByName& pictures = {});

}  // namespace fovea
