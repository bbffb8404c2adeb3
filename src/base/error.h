// Throwing fovea::Error with a formatted message, and adding context to it on the way up.
#pragma once

#include <fmt/format.h>
#include <fovea/error.h>

namespace fovea {

template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

// Runs `body`; an Error that leaves it gets "context: " in front.
template <class Body>
decltype(auto) in_context(std::string_view context, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context(context);
    throw;
  }
}

}  // namespace fovea
