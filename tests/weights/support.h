// What the weights tests share: where their data lies, and what the tensors in it hold.
#pragma once

#include <fovea/error.h>
#include <fovea/tensor.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "support/files.h"
#include "weights/digest.h"

namespace fovea::weights {

inline std::filesystem::path data_folder() { return std::filesystem::path(FOVEA_TEST_DATA) / "weights"; }
inline std::filesystem::path data(const std::string& name) { return data_folder() / name; }

inline std::vector<std::byte> bytes_of(const std::filesystem::path& path) {
  const std::string text = contents_of(path);
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline std::string digest_of(const std::string& text) { return sha256(std::as_bytes(std::span(text.data(), text.size()))); }

inline std::vector<std::filesystem::path> data_files(const std::vector<std::string>& endings) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder())) {
    for (const std::string& ending : endings) {
      if (entry.path().extension() == ending) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The rule of tests/data/weights/generate.py.
inline double value_at(const std::string& name, int64_t i) {
  return static_cast<double>((7 * i + static_cast<int64_t>(name.size())) % 11 - 5);
}

inline void expect_values(const std::string& name, const Tensor& tensor) {
  const Tensor numbers = tensor.to(DType::f64);
  for (int64_t i = 0; i < numbers.size(); ++i) {
    double expected = value_at(name, i);
    if (name == "bool") expected = expected > 0;
    if (name == "u8") expected += 5;
    ASSERT_EQ(numbers.values<double>()[static_cast<size_t>(i)], expected) << name << " element " << i;
  }
}

// The message of the Error that `body` throws; an empty one where it throws none.
inline std::string message_of(const std::function<void()>& body, ErrorKind* kind = nullptr) {
  try {
    body();
  } catch (const Error& error) {
    if (kind) *kind = error.kind();
    return error.what();
  }
  return "";
}

#define EXPECT_CONTAINS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << "in: " << (text)

// A folder that is gone after the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fovea-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

}  // namespace fovea::weights
