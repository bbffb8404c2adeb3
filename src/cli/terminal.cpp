#include "cli/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cerrno>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

namespace fovea::cli {

int report_error(const std::string& message, int status) {
  std::string line = message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  say("fovea: " + line);
  return status;
}

namespace {
// Nobody may be listening: a closed or full standard error ends nothing.
void write_error(const std::string& text) {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}
}  // namespace

void say(const std::string& text) { write_error(text + "\n"); }

void open_standard_streams() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest number that is free is taken, which is this one. Results that cannot be written are to fail: no writing to standard
    // output.
    (void)open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
}

namespace {
int first_output_error = 0;
}

void write_output(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && first_output_error == 0) first_output_error = errno;
}

namespace {
bool in_files = false;
}

void result_is_in_files() { in_files = true; }

int output_error() {
  if (std::fflush(stdout) != 0 && first_output_error == 0) first_output_error = errno;
  return in_files ? 0 : first_output_error;
}

void print_json(const Json& json) { write_output(json.text() + "\n"); }

void report_left_out(const std::vector<BadPicture>& left_out) {
  for (const BadPicture& bad : left_out) {
    const bool named = bad.reason.starts_with(bad.file);
    say("fovea: left out " + (named ? bad.reason : bad.file + ": " + bad.reason));
  }
}

Json left_out_json(const std::vector<BadPicture>& left_out) {
  Json list = Json::array();
  for (const BadPicture& bad : left_out) list.push_back({{"file", bad.file}, {"reason", bad.reason}});
  return list;
}

namespace {
// Of the terminal that standard error is.
size_t columns() {
  constexpr size_t kUsual = 80;
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : kUsual;
}
}  // namespace

Progress::Progress() : terminal_(isatty(STDERR_FILENO)), started_(Clock::now()) {}

void Progress::show(const std::string& what, double done, double total, const std::string& words, const std::string& of) {
  const Clock::time_point now = Clock::now();
  const double share = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 0;
  if (what != what_ || done < last_) {  // the next run of several begins with the same kind of work
    what_ = what;
    tenth_ = static_cast<int>(10 * share);
    started_ = now;
    first_ = done;
  }
  last_ = done;
  std::string left = time_left(now, done, total);
  if (!left.empty()) left += of;
  if (!terminal_) {
    constexpr std::chrono::seconds kQuiet{5};
    const int tenth = static_cast<int>(10 * share);
    if (tenth <= tenth_ || now - started_ < kQuiet) return;
    tenth_ = tenth;
    say(fmt::format("{}: {}{}", what, words, left));
    return;
  }
  constexpr std::chrono::milliseconds kBetween{100};
  if (shown_ && now - drawn_ < kBetween && share < 1) return;
  // The bar gives way to the words; a line that wraps could not be drawn over.
  const std::string after = "] " + words + left;
  const size_t room = columns() - 1, others = what.size() + 2 + after.size();
  constexpr size_t kWidest = 30;
  const size_t width = others < room ? std::min(kWidest, room - others) : 0;
  const auto filled = static_cast<size_t>(static_cast<double>(width) * share);
  std::string line = what + " [" + std::string(filled, '#') + std::string(width - filled, ' ') + after;
  line.resize(std::min(line.size(), room));
  write_error("\r\033[K" + line);
  drawn_ = now;
  shown_ = true;
}

// By the pace since this kind of work began; nothing before that says something.
std::string Progress::time_left(Clock::time_point now, double done, double total) const {
  constexpr double kSoonest = 1;  // second
  const double spent = std::chrono::duration<double>(now - started_).count();
  if (spent < kSoonest || done <= first_ || total <= done) return {};
  return ", " + as_duration(spent / (done - first_) * (total - done)) + " left";
}

void Progress::clear() {
  if (!shown_) return;
  write_error("\r\033[K");
  shown_ = false;
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string result;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool right = i < alignment_.size() && alignment_[i] == '>';
      if (i > 0) line += "  ";
      line += right ? fmt::format("{:>{}}", row[i], widths[i]) : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
  }
  return result;
}

std::string with_commas(int64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string as_megabytes(int64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

std::string as_millions(int64_t number) {
  if (number >= 1'000'000'000) return fmt::format("{:.2f} G", static_cast<double>(number) / 1e9);
  return fmt::format("{:.1f} M", static_cast<double>(number) / 1e6);
}

std::string as_percent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string as_duration(double seconds) {
  const int64_t whole = std::llround(std::max(seconds, 0.0));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

std::string as_shape(const std::vector<int64_t>& shape) {
  std::string text;
  for (int64_t dim : shape) text += fmt::format("{}{}", text.empty() ? "" : "x", dim);
  return text;
}

std::string wrapped(const std::string& text, size_t indent) {
  constexpr size_t kWidth = 100;
  std::string result, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && indent + line.size() + 1 + word.size() > kWidth) {
      result += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return line.empty() ? result : result + std::string(indent, ' ') + line + "\n";
}

std::string counted(int64_t count, const char* one, const char* many) { return fmt::format("{} {}", count, count == 1 ? one : many); }

}  // namespace fovea::cli
