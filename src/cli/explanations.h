// Formulas worked out, for people and for programs.
#pragma once

#include <fovea/inspect.h>

#include "cli/json.h"

namespace fovea::cli {

// Rows in a sequence that differ in nothing but their names are told once.
void print_explanation(const Explanation& explanation);

// {"topic", "title", "formula", "text", "facts": {KEY: number}, "rows": [{"name", KEY: number}]}
Json to_json(const Explanation& explanation);

}  // namespace fovea::cli
