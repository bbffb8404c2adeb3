// Pages about runs and evaluations: one HTML file each that opens offline, also in print and in dark mode.
#pragma once

#include <fovea/api.h>
#include <fovea/model.h>
#include <fovea/train.h>

#include <string>
#include <vector>

namespace fovea {

// Writes RUN/report.html again from what a finished run left in its folder (metrics.json, model.safetensors), as `train` wrote it. Pictures
// that were moved since are named in the place of theirs. Gives the page's path. Throws Error(input) for a folder without a finished run,
// Error(format) for metrics that cannot be read.
FOVEA_API std::string write_report(const std::string& run);

// The same page for a model on labelled pictures, without what belongs to training. `data` says in words which pictures, `command` what
// would repeat it; both may be empty.
FOVEA_API void write_report(const Model& model, const Evaluation& evaluation, const std::string& path, const std::string& data = {},
                            const std::vector<std::string>& command = {});
// The same of an evaluation of this dataset, from which the page takes its pictures.
FOVEA_API void write_report(const Model& model, const Evaluation& evaluation, const std::string& path, const Dataset& data,
                            const std::vector<std::string>& command = {});

}  // namespace fovea
