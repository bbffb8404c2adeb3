// The oracle: every operation as the plainest loops, on float and double, accumulating in double.
#pragma once

#include "backend/backend.h"

namespace fovea::reference {

const backend::Backend& reference_backend();

}  // namespace fovea::reference
