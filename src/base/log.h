// Diagnostics on standard error, by topic: FOVEA_LOG=kernels,passes,memory (or "all").
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace fovea {

bool log_enabled(std::string_view topic);
void log_line(std::string_view topic, std::string_view text);

template <class... Args>
void log(std::string_view topic, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(topic)) log_line(topic, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace fovea
