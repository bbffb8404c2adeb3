#include "base/log.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace fovea {

bool log_enabled(std::string_view topic) {
  static const std::string wanted = [] {
    const char* text = std::getenv("FOVEA_LOG");
    return std::string(",") + (text ? text : "") + ",";
  }();
  return wanted.find(",all,") != std::string::npos || wanted.find("," + std::string(topic) + ",") != std::string::npos;
}

void log_line(std::string_view topic, std::string_view text) {
  std::fprintf(stderr, "fovea %.*s: %.*s\n", static_cast<int>(topic.size()), topic.data(), static_cast<int>(text.size()), text.data());
}

}  // namespace fovea
