// The taker of lines that a program has set (include/fovea/log.h).
#pragma once

namespace fovea {

// Whether news without another taker are wanted.
bool has_log_sink();

}  // namespace fovea
