// The files that features lie in, as far as more than one source reads them.
#pragma once

#include <fovea/features.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

// Of PATH.json. Throws Error: io, format.
FeatureRecord read_record(const std::filesystem::path& path, std::vector<int64_t>& shape);
// The first field of every row of a CSV file but the header.
std::vector<std::string> first_fields(const std::string& csv);

}  // namespace fovea
