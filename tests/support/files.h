#pragma once
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace fovea {

// All bytes of a file; none where there is no such file.
inline std::string contents_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace fovea
