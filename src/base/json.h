// JSON as text and back. The two directions cost seconds to compile, so they are compiled here alone; values are made and read wherever
// they are needed.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fovea {

// Writes in one line, or indented by so many blanks. Bytes that are not UTF-8 become U+FFFD.
std::string json_text(const nlohmann::json& value, int indent = -1);
// Writes in one line; throws nlohmann::json::type_error for bytes that are not UTF-8.
std::string strict_json_text(const nlohmann::json& value);
// Throws nlohmann::json::parse_error.
nlohmann::json parse_json(const std::string& text);

}  // namespace fovea
