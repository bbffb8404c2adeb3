#include "cli/json.h"

#include <nlohmann/json.hpp>

namespace fovea::cli {

struct Json::Value {
  nlohmann::ordered_json json;
};

Json::Json(Value value) : value_(std::make_unique<Value>(std::move(value))) {}
Json::Json() : Json(Value{nullptr}) {}
Json::Json(bool value) : Json(Value{value}) {}
Json::Json(int value) : Json(Value{value}) {}
Json::Json(int64_t value) : Json(Value{value}) {}
Json::Json(double value) : Json(Value{value}) {}
Json::Json(const char* text) : Json(Value{text}) {}
Json::Json(const std::string& text) : Json(Value{text}) {}
Json::Json(std::initializer_list<Member> members) : Json(object()) {
  for (const Member& member : members) set(member.key, member.value);
}
Json::Json(const Json& other) : Json(Value(*other.value_)) {}
Json::Json(Json&& other) noexcept = default;
Json::~Json() = default;

Json& Json::operator=(Json other) noexcept {
  value_.swap(other.value_);
  return *this;
}

Json Json::array() { return Json(Value{nlohmann::ordered_json::array()}); }
Json Json::object() { return Json(Value{nlohmann::ordered_json::object()}); }
Json Json::parse(const std::string& text) { return Json(Value{nlohmann::ordered_json::parse(text)}); }

void Json::push_back(const Json& value) { value_->json.push_back(value.value_->json); }
void Json::set(std::string_view key, const Json& value) { value_->json[std::string(key)] = value.value_->json; }
std::string Json::line() const { return value_->json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace); }
std::string Json::text() const { return value_->json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace); }

}  // namespace fovea::cli
