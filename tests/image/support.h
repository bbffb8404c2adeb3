// What the tests of pictures share.
#pragma once

#include <fovea/image.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "support/files.h"
#include "weights/digest.h"

namespace fovea::image {

inline std::filesystem::path data_folder() { return std::filesystem::path(FOVEA_TEST_DATA) / "image"; }

inline std::string sha256(std::span<const uint8_t> bytes) { return weights::sha256(std::as_bytes(bytes)); }

inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  EXPECT_TRUE(std::filesystem::is_regular_file(path)) << path;
  const std::string text = contents_of(path);
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline void write_bytes(const std::filesystem::path& path, std::string_view text) { write_bytes(path, std::as_bytes(std::span(text))); }

// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fovea-image-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// The message of the Error that body throws; a test failure where it throws none or one of another kind.
template <class Body>
std::string message_of(ErrorKind kind, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

// A picture with something to see in it, the same everywhere.
inline Image pattern(int64_t width, int64_t height, uint32_t seed = 1) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
  uint32_t state = seed;
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    image.pixels[i] = static_cast<uint8_t>((state >> 26) + (i / 3 % static_cast<size_t>(width)) * 3 + i % 3 * 40);
  }
  return image;
}

}  // namespace fovea::image
