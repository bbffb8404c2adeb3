#include "base/json.h"

#include "base/json_value.h"

namespace fovea {

using nlohmann::json;

std::string json_text(const json& value, int indent) { return value.dump(indent, ' ', false, json::error_handler_t::replace); }
std::string strict_json_text(const json& value) { return value.dump(); }
json parse_json(const std::string& text) { return json::parse(text); }

}  // namespace fovea
