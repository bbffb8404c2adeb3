#include "weights/config_json.h"

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "weights/text.h"

namespace fovea::weights {

using nlohmann::json;

json read_json_object(const std::filesystem::path& path) {
  return in_context(path.string(), [&] {
    json object;
    try {
      object = parse_json(read_text(path));
    } catch (const json::exception&) {
      fail(ErrorKind::format, "is no JSON");
    }
    if (!object.is_object()) fail(ErrorKind::format, "is no JSON object");
    return object;
  });
}

const json* entry_of(const json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void fail_entry(std::string_view key, const json& value, std::string_view expected) {
  fail(ErrorKind::format, "{} is {}, {} expected", key, in_quotes(json_text(value)), expected);
}

double number_in(const json& value, std::string_view key) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) fail_entry(key, value, "a number");
  return value.get<double>();
}

int64_t count_in(const json& value, std::string_view key) {
  const auto wrong = [&] { fail_entry(key, value, fmt::format("a whole number from 0 to {}", kLargestCount)); };
  if (!value.is_number_integer()) wrong();
  if (value.is_number_unsigned() ? value.get<uint64_t>() > uint64_t{kLargestCount} : true) wrong();
  return value.get<int64_t>();
}

std::string text_in(const json& value, std::string_view key) {
  if (!value.is_string()) fail_entry(key, value, "a text");
  return value.get<std::string>();
}

std::vector<int64_t> counts_in(const json& value, std::string_view key) {
  if (!value.is_array()) fail_entry(key, value, "a list of whole numbers");
  std::vector<int64_t> result;
  for (const json& one : value) result.push_back(count_in(one, key));
  return result;
}

double number_or(const json& object, std::string_view key, double otherwise) {
  const json* value = entry_of(object, key);
  return value ? number_in(*value, key) : otherwise;
}

int64_t count_or(const json& object, std::string_view key, int64_t otherwise) {
  const json* value = entry_of(object, key);
  return value ? count_in(*value, key) : otherwise;
}

std::string text_or(const json& object, std::string_view key, std::string_view otherwise) {
  const json* value = entry_of(object, key);
  return value ? text_in(*value, key) : std::string(otherwise);
}

bool flag_or(const json& object, std::string_view key, bool otherwise) {
  const json* value = entry_of(object, key);
  if (!value) return otherwise;
  if (!value->is_boolean()) fail_entry(key, *value, "true or false");
  return value->get<bool>();
}

std::vector<int64_t> counts_or(const json& object, std::string_view key, std::vector<int64_t> otherwise) {
  const json* value = entry_of(object, key);
  return value ? counts_in(*value, key) : std::move(otherwise);
}

std::vector<float> three_or(const json& object, std::string_view key, std::vector<float> otherwise) {
  const json* value = entry_of(object, key);
  if (!value) return otherwise;
  if (!value->is_array() || (value->size() != 3 && value->size() != 1)) fail_entry(key, *value, "three numbers");
  std::vector<float> result(3);
  for (size_t i = 0; i < 3; ++i) result[i] = static_cast<float>(number_in((*value)[value->size() == 3 ? i : 0], key));
  return result;
}

void require_entry(const json& object, std::string_view key, const json& expected) {
  const json* value = entry_of(object, key);
  if (value && *value != expected)
    fail(ErrorKind::unsupported, "{} is {}; fovea has this network with {} alone", key, in_quotes(json_text(*value)), json_text(expected));
}

}  // namespace fovea::weights
