#include "base/csv.h"

#include <algorithm>

#include "base/error.h"

namespace fovea {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void fail_at(const std::string& csv, int64_t line, const std::string& what) {
  fail(ErrorKind::input, "{}: line {}: {}", csv, line, what);
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

}  // namespace

std::vector<CsvRow> read_csv(const std::string& csv, std::string_view text, char separator) {
  const std::string blank = separator == '\t' ? " " : " \t";
  const char* expected = separator == '\t' ? "tab" : separator == ';' ? "semicolon" : "comma";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.find('\0') != text.npos) fail(ErrorKind::input, "{}: is no text: it has zero bytes", csv);
  std::vector<CsvRow> rows;
  int64_t line = 1;
  size_t at = 0;
  while (at < text.size()) {
    CsvRow row{line, {}};
    for (bool more = true; more;) {
      std::string field;
      const size_t first = std::min(text.find_first_not_of(blank, at), text.size());
      if (first < text.size() && text[first] == '"') at = first;
      if (at < text.size() && text[at] == '"') {
        for (++at;; ++at) {
          if (at >= text.size()) fail_at(csv, row.line, "a quoted field does not end");
          if (text[at] == '"' && at + 1 < text.size() && text[at + 1] == '"')
            ++at;
          else if (text[at] == '"')
            break;
          line += text[at] == '\n';
          field += text[at];
        }
        at = std::min(text.find_first_not_of(blank, at + 1), text.size());
        if (at < text.size() && text[at] != separator && text[at] != '\n' && text[at] != '\r')
          fail_at(csv, line, fmt::format("\"{}\" stands behind the quote that ends a field, a {} expected", text[at], expected));
      } else {
        while (at < text.size() && text[at] != separator && text[at] != '\n' && text[at] != '\r') field += text[at++];
        field = trimmed(field);
      }
      row.fields.push_back(std::move(field));
      more = at < text.size() && text[at] == separator;
      at += more;
    }
    if (at < text.size() && text[at] == '\r') ++at;
    if (at < text.size() && text[at] == '\n') ++at;
    ++line;
    if (std::ranges::any_of(row.fields, [](const std::string& field) { return !field.empty(); })) rows.push_back(std::move(row));
  }
  return rows;
}

char csv_separator(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text = text.substr(std::min(text.find_first_not_of("\r\n"), text.size()));
  bool quoted = false, tab = false, semicolon = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == ',') return ',';
    if (c == '\n' || c == '\r') break;
    tab = tab || c == '\t';
    semicolon = semicolon || c == ';';
  }
  return tab ? '\t' : semicolon ? ';' : ',';
}

std::string csv_field(std::string_view text) {
  const bool blank = !text.empty() && (text.front() == ' ' || text.front() == '\t' || text.back() == ' ' || text.back() == '\t');
  if (!blank && !text.starts_with(kByteOrderMark) && text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace fovea
