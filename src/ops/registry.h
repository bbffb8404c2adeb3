// Every operation by name: one line each in registry.cpp.
#pragma once

#include "ir/graph.h"

namespace fovea {

// For `parse`. Throws Error(format) for an unknown name.
Op parse_op(std::string_view name, FieldTexts fields);
std::vector<std::string_view> op_names();

}  // namespace fovea
