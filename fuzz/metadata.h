// A .safetensors made around what a fuzzer is given, so that mutations meet the reader of the metadata and not the checks of the container,
// which safetensors_fuzz is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/json_value.h"

namespace fovea::fuzz {

// No tensors, only this metadata.
inline std::vector<std::byte> file_with(const std::map<std::string, std::string>& metadata) {
  const nlohmann::json header{{"__metadata__", metadata}};
  const std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const uint64_t length = text.size();
  std::vector<std::byte> file(sizeof length + text.size());
  std::memcpy(file.data(), &length, sizeof length);
  std::memcpy(file.data() + sizeof length, text.data(), text.size());
  return file;
}

}  // namespace fovea::fuzz
