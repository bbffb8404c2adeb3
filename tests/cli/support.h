// Running the command as a user does, and things for it to run on.
#pragma once

#include <fovea/model.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "support/files.h"

namespace fovea::cli {

namespace fs = std::filesystem;

inline std::string read_all(const fs::path& path) { return contents_of(path); }

inline void write_all(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// A folder that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "fovea-cli-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

struct Outcome {
  int status = -1;  // the exit status; 128 + a signal's number
  std::string out, err;

  nlohmann::json json() const {
    const nlohmann::json parsed = nlohmann::json::parse(out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << out << err;
    return parsed;
  }
};

inline std::string quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

// `before` is shell that stands before the command: "printf 'a.png\n' |" or "timeout -s INT 1".
inline Outcome run_fovea(const std::vector<std::string>& arguments, const std::string& before = "") {
  const Folder folder;
  std::string line = before + " " + quoted(FOVEA_COMMAND);
  for (const std::string& argument : arguments) line += " " + quoted(argument);
  line += " >" + quoted(folder / "out") + " 2>" + quoted(folder / "err");
  const int result = std::system(line.c_str());
  Outcome outcome;
  outcome.status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
  outcome.out = read_all(folder / "out");
  outcome.err = read_all(folder / "err");
  return outcome;
}

// "fovea: " and one sentence in one line, that holds every part.
inline void expect_one_line(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.status, status) << outcome.out << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("fovea: ")) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const std::string& part : parts) EXPECT_THAT(outcome.err, testing::HasSubstr(part));
}

// A 24-bit BMP of `side` x `side` pixels around one colour.
std::string bmp(int side, uint8_t red, uint8_t green, uint8_t blue);
// The first bytes of a PNG that claims this size, with right checksums.
std::string png_header(uint32_t width, uint32_t height);
// Three folders of `count` pictures each: red, green and blue.
void draw_classes(const fs::path& folder, int count);
// A small network of random weights for 3 classes and pictures of 64 x 64, as a model file.
std::string small_model(const Folder& folder);

}  // namespace fovea::cli
