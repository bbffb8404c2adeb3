// Attributes as text: what `print`, `parse`, equality and the operator page share.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <type_traits>

#include "ir/types.h"

namespace fovea {

std::string print_field(int64_t value);
std::string print_field(double value);  // shortest text that reads back the same
std::string print_field(bool value);
std::string print_field(const std::string& value);
std::string print_field(const Size2& value);
std::string print_field(const Padding2& value);
std::string print_field(const Shape& value);
std::string print_field(DType value);

// These throw Error(format), which names the text.
void parse_field(std::string_view text, int64_t& value);
void parse_field(std::string_view text, double& value);
void parse_field(std::string_view text, bool& value);
void parse_field(std::string_view text, std::string& value);
void parse_field(std::string_view text, Size2& value);
void parse_field(std::string_view text, Padding2& value);
void parse_field(std::string_view text, Shape& value);
void parse_field(std::string_view text, DType& value);

// An enum E takes part by declaring, beside itself, `std::span<const char* const> names_of(E)`: the names in order of value.
template <class E>
requires std::is_enum_v<E> std::string print_field(E value) { return names_of(value)[static_cast<size_t>(value)]; }

[[noreturn]] void fail_enum(std::string_view text, std::span<const char* const> names);

template <class E>
requires std::is_enum_v<E>
void parse_field(std::string_view text, E& value) {
  const auto names = names_of(value);
  for (size_t i = 0; i < names.size(); ++i)
    if (text == names[i]) {
      value = static_cast<E>(i);
      return;
    }
  fail_enum(text, names);
}

template <class T>
std::string print_fields(const T& attributes) {
  std::string text;
  T::fields(attributes, [&](std::string_view name, const auto& value) {
    if (!text.empty()) text += ' ';
    text.append(name).append("=").append(print_field(value));
  });
  return text;
}

using FieldTexts = std::map<std::string, std::string, std::less<>>;

[[noreturn]] void fail_unknown_field(std::string_view op, std::string_view field);

// Fields that the texts leave out keep their defaults; a text that names no field is an error.
template <class T>
T parse_fields(FieldTexts texts) {
  T attributes;
  T::fields(attributes, [&](std::string_view name, auto& value) {
    if (const auto found = texts.find(name); found != texts.end()) {
      parse_field(found->second, value);
      texts.erase(found);
    }
  });
  if (!texts.empty()) fail_unknown_field(T::kName, texts.begin()->first);
  return attributes;
}

}  // namespace fovea
