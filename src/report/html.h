// Text that goes into a page.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace fovea::report {

// For text and for attributes in double quotes: & < > " ' as entities; what is no UTF-8, and control characters, as U+FFFD.
std::string escaped(std::string_view text);

// "83.3 %", with a narrow space that does not break.
std::string percent(double share);
// "72.0 to 90.7 %"
std::string percent_range(double low, double high);
// "1,234,567"
std::string with_commas(int64_t number);
std::string counted(int64_t count, const char* one, const char* many);
// Three significant figures and a unit: "256 MB", "8.19 s", "2 min 5 s".
std::string as_bytes(double bytes);
std::string as_seconds(double seconds);

}  // namespace fovea::report
