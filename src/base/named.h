// Names of the values of an enumeration: one table, from which they are written, read and offered.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fovea {

template <class T>
struct Named {
  const char* name;
  T value;
};

template <class T, size_t n>
const char* name_of(const Named<T> (&table)[n], T value) {
  for (const Named<T>& row : table)
    if (row.value == value) return row.name;
  fail(ErrorKind::internal, "the value {} has no name", static_cast<int>(value));
}

template <class T, size_t n>
std::optional<T> value_of(const Named<T> (&table)[n], std::string_view name) {
  for (const Named<T>& row : table)
    if (row.name == name) return row.value;
  return std::nullopt;
}

// "a, b, c"
template <class T, size_t n>
std::string names_of(const Named<T> (&table)[n], const char* between = ", ") {
  std::string names;
  for (const Named<T>& row : table) names += fmt::format("{}{}", names.empty() ? "" : between, row.name);
  return names;
}

}  // namespace fovea
