// How pictures are prepared for networks that no published weights are listed of, so that a file of them is used as it was measured.
#pragma once

#include <fovea/preprocess.h>

#include <optional>
#include <string_view>

namespace fovea::weights {

// As the network's library prepares them; nothing for a model that it says nothing of.
std::optional<Preprocessing> usual_preprocessing(std::string_view model);

}  // namespace fovea::weights
