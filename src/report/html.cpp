#include "report/html.h"

#include <cmath>

namespace fovea::report {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

// Bytes of the UTF-8 character that `text` begins with; 0: it begins with none (Unicode 15, table 3-7).
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) { return byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) return follows(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && follows(2) ? 3 : 0;
  if (first >= 0xF0 && first <= 0xF4)
    return follows(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const size_t length = character_length(rest);
    const auto c = static_cast<unsigned char>(rest[0]);
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '"') {
      result += "&quot;";
    } else if (c == '\'') {
      result += "&#39;";
    } else if (length == 0 || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
      result += kReplacement;
    } else {
      result += rest.substr(0, length);
    }
    at += length == 0 ? 1 : length;
  }
  return result;
}

std::string percent(double share) { return fmt::format("{:.1f}\u202F%", 100 * share); }

std::string percent_range(double low, double high) { return fmt::format("{:.1f} to {:.1f}\u202F%", 100 * low, 100 * high); }

std::string with_commas(int64_t number) {
  std::string digits = std::to_string(number);
  const int64_t sign = number < 0 ? 1 : 0;
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > sign; at -= 3) digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string counted(int64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", with_commas(count), count == 1 ? one : many);
}

std::string as_bytes(double bytes) {
  const char* units[] = {"bytes", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(units); ++unit) bytes /= 1000;
  return bytes >= 100 || unit == 0 ? fmt::format("{:.0f}\u00A0{}", bytes, units[unit]) : fmt::format("{:.3g}\u00A0{}", bytes, units[unit]);
}

std::string as_seconds(double seconds) {
  constexpr int64_t kMinute = 60, kHour = 3600;
  if (seconds < kMinute) return fmt::format("{:.1f}\u00A0s", seconds);
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  if (whole < kHour) return fmt::format("{}\u00A0min {}\u00A0s", whole / kMinute, whole % kMinute);
  return fmt::format("{}\u00A0h {}\u00A0min", whole / kHour, whole % kHour / kMinute);
}

}  // namespace fovea::report
