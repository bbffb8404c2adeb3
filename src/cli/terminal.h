// What commands write: results on standard output, news and progress on standard error.
#pragma once

#include <fmt/core.h>
#include <fovea/pictures.h>

#include <chrono>
#include <string>
#include <vector>

#include "cli/json.h"

namespace fovea::cli {

// Prints "fovea: MESSAGE" on standard error, in one line, and gives the status back.
int report_error(const std::string& message, int status);

// Those of the three streams that are closed become ones that nothing comes from and nothing goes to, so that no file that is opened later
// is taken for one of them.
void open_standard_streams();

// One line on standard error. Never throws for what cannot be written.
void say(const std::string& text);

// On standard output. What cannot be written does not end the command: `output_error` tells at the end.
void write_output(const std::string& text);
// Flushes; the first error (errno) that standard output had, or 0.
int output_error();
// What the command was to make lies in files by now: what standard output cannot take is news, and no failure.
void result_is_in_files();
template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  write_output(fmt::format(format, std::forward<Args>(args)...));
}
void print_json(const Json& json);

// One line a picture that could not be read, on standard error.
void report_left_out(const std::vector<BadPicture>& left_out);
Json left_out_json(const std::vector<BadPicture>& left_out);  // [{"file", "reason"}]

// A bar on a terminal; elsewhere a line whenever another tenth is done, but none in the first seconds.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `total` 0: not known yet. `done` and `total` in words follow the bar, and once it can be told the time that is left.
  // `of`: what it is left of.
  void show(const std::string& what, double done, double total, const std::string& words, const std::string& of = "");
  // Takes the bar off the screen, for a line of news.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left(Clock::time_point now, double done, double total) const;

  bool terminal_ = false, shown_ = false;
  Clock::time_point started_, drawn_;
  std::string what_;
  double first_ = 0, last_ = 0;  // done when it began (a run may go on in the middle), and when last told
  int tenth_ = 0;
};

// Columns as wide as they need to be; those whose mark is '>' are aligned to the right.
class Table {
 public:
  explicit Table(std::string alignment) : alignment_(std::move(alignment)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::string alignment_;
  std::vector<std::vector<std::string>> rows_;
};

std::string with_commas(int64_t number);                  // 1,234,567
std::string as_megabytes(int64_t bytes);                  // "12.3 MB"
std::string as_millions(int64_t number);                  // "4.09 G", "386 M"
std::string as_percent(double fraction);                  // "81.7 %"
std::string as_duration(double seconds);                  // "42 s", "3:07 min", "1:12 h"
std::string as_shape(const std::vector<int64_t>& shape);  // "256x14x14"
// Breaks the text into lines of at most 100 characters, each after `indent` spaces and with its end.
std::string wrapped(const std::string& text, size_t indent);
std::string counted(int64_t count, const char* one, const char* many);

}  // namespace fovea::cli
