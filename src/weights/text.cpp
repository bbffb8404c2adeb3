#include "weights/text.h"

#include <fmt/format.h>

namespace fovea::weights {

std::string printable(std::string_view text, size_t limit) {
  std::string result;
  for (char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  if (text.size() > limit) result += "...";
  return result;
}

std::string in_quotes(std::string_view text, size_t limit) { return "'" + printable(text, limit) + "'"; }

}  // namespace fovea::weights
