// The page of pictures and what is most like them.
#pragma once

#include <fovea/features.h>

#include <string>
#include <vector>

namespace fovea::report {

// One HTML file that opens offline. Pictures are read from the files that are named; one that is gone is named in its place.
std::string neighbors_page(const FeatureRecord& record, int64_t pictures, const std::vector<Neighborhood>& found);

}  // namespace fovea::report
