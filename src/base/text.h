// Small changes of text that several folders make.
#pragma once

#include <string>
#include <string_view>

namespace fovea {

// The letters A to Z as small ones; everything else, bytes outside ASCII among it, stays.
inline std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

}  // namespace fovea
