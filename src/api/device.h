// Where everything of the public interface computes.
#pragma once

#include "backend/backend.h"

namespace fovea {

const backend::Backend& device();

}  // namespace fovea
