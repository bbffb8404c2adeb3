// How pictures are prepared for networks whose weights fovea does not publish, so that a file of them is used as it was measured.
#pragma once

#include <fovea/preprocess.h>

#include <optional>
#include <string_view>

namespace fovea::weights {

// That of timm's first weights of the name; nothing for a model that timm does not lay out.
std::optional<Preprocessing> usual_preprocessing(std::string_view model);

}  // namespace fovea::weights
