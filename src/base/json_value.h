// JSON values. A number is read as an integer only if it is one that the type holds; the library alone would convert 1e128 or 0.5 to any
// integer.
#pragma once

#include <concepts>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

template <typename Integer>
requires std::integral<Integer> &&(!std::same_as<Integer, bool>)struct nlohmann::adl_serializer<Integer, void> {
  // Throws type_error for what is not a whole number, out_of_range for one that Integer does not hold.
  template <typename Json>
  static void from_json(const Json& json, Integer& value) {
    if (const auto* number = json.template get_ptr<const typename Json::number_unsigned_t*>()) {
      store(json, *number, value);
    } else if (const auto* number = json.template get_ptr<const typename Json::number_integer_t*>()) {
      store(json, *number, value);
    } else {
      throw Json::type_error::create(302, std::string("type must be a whole number, but is ") + described(json), &json);
    }
  }

  template <typename Json>
  static void to_json(Json& json, Integer value) {
    nlohmann::to_json(json, value);
  }

 private:
  template <typename Json, typename Number>
  static void store(const Json& json, Number number, Integer& value) {
    if (!std::in_range<Integer>(number))
      throw Json::out_of_range::create(406, std::to_string(number) + " is too large or too small", &json);
    value = static_cast<Integer>(number);
  }

  template <typename Json>
  static std::string described(const Json& json) {
    return json.is_number() ? std::to_string(json.template get<double>()) : std::string(json.type_name());
  }
};
