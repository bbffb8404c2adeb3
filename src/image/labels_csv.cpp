#include "image/labels_csv.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace fovea::image {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kFileColumns{"file", "filename", "path", "image", "picture"};

enum class Part { train, validation, test };

struct Entry {
  int64_t line = 0;
  std::string file, path;           // as written; where it lies
  std::vector<std::string> labels;  // sorted, each once
  Part part = Part::train;
};

[[noreturn]] void fail_at(const std::string& csv, int64_t line, const std::string& what) {
  fail(ErrorKind::input, "{}: line {}: {}", csv, line, what);
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

Part part_of(const std::string& csv, int64_t line, const std::string& text) {
  const std::string name = lower_case(text);
  if (name == "train" || name == "training") return Part::train;
  if (name == "validation" || name == "valid" || name == "val") return Part::validation;
  if (name == "test") return Part::test;
  fail_at(csv, line, fmt::format("the split is \"{}\"; train, validation or test expected", text));
}

std::vector<std::string> labels_in(const std::vector<std::string>& fields) {
  std::set<std::string> labels;
  for (const std::string& field : fields) {
    for (size_t begin = 0; begin <= field.size();) {
      const size_t end = std::min(field.find(';', begin), field.size());
      if (std::string label = trimmed(std::string_view(field).substr(begin, end - begin)); !label.empty()) labels.insert(std::move(label));
      begin = end + 1;
    }
  }
  return {labels.begin(), labels.end()};
}

// Columns: which hold labels, and which the split; the first holds the file.
struct Columns {
  std::vector<std::string> names;  // empty: no header
  size_t split = 0;                // 0: none
  bool yes_or_no = false;          // a class a column
};

Columns read_header(const std::string& csv, std::vector<CsvRow>& rows) {
  Columns columns;
  const std::string first = lower_case(trimmed(rows.front().fields.front()));
  if (std::ranges::find(kFileColumns, first) == kFileColumns.end()) return columns;
  const int64_t line = rows.front().line;
  columns.names = std::move(rows.front().fields);
  rows.erase(rows.begin());
  for (size_t i = 1; i < columns.names.size(); ++i) {
    if (lower_case(columns.names[i]) != "split") continue;
    if (columns.split > 0) fail_at(csv, line, "two columns are named split");
    columns.split = i;
  }
  const auto is_answer = [&](const CsvRow& row) {
    for (size_t i = 1; i < columns.names.size(); ++i)
      if (i != columns.split && row.fields[i] != "0" && row.fields[i] != "1") return false;
    return true;
  };
  for (const CsvRow& row : rows) {
    if (row.fields.size() > columns.names.size())
      fail_at(csv, row.line, fmt::format("{} fields, the header has {}", row.fields.size(), columns.names.size()));
  }
  const size_t classes = columns.names.size() - 1 - (columns.split > 0);
  columns.yes_or_no = classes >= 2 && std::ranges::all_of(rows, [&](const CsvRow& row) {
                        return row.fields.size() == columns.names.size() && is_answer(row);
                      });
  return columns;
}

Entry entry_of(const std::string& csv, const CsvRow& row, const Columns& columns) {
  Entry entry;
  entry.line = row.line;
  entry.file = row.fields.front();
  if (entry.file.empty()) fail_at(csv, row.line, "the first field names no file");
  const fs::path path(entry.file);
  entry.path = (path.is_absolute() ? path : fs::path(csv).parent_path() / path).lexically_normal().string();
  std::vector<std::string> fields;
  for (size_t i = 1; i < row.fields.size(); ++i) {
    if (columns.split > 0 && i == columns.split)
      entry.part = part_of(csv, row.line, row.fields[i]);
    else if (!columns.yes_or_no)
      fields.push_back(row.fields[i]);
    else if (row.fields[i] == "1")
      fields.push_back(columns.names[i]);
  }
  if (columns.split >= row.fields.size()) fail_at(csv, row.line, "says nothing in the column split");
  entry.labels = labels_in(fields);
  return entry;
}

void check_files(const std::string& csv, const std::vector<Entry>& entries) {
  std::map<std::string, const Entry*> given;
  const Entry* missing = nullptr;
  int64_t count = 0;
  for (const Entry& entry : entries) {
    const auto [other, added] = given.emplace(fs::absolute(entry.path).lexically_normal().string(), &entry);
    if (!added && other->second->labels != entry.labels)
      fail_at(csv, entry.line,
              fmt::format("{} is given twice, with the labels \"{}\", and \"{}\" in line {}", entry.file, fmt::join(entry.labels, ";"),
                          fmt::join(other->second->labels, ";"), other->second->line));
    if (!added) fail_at(csv, entry.line, fmt::format("{} is given twice, before in line {}", entry.file, other->second->line));
    std::error_code error;
    if (fs::exists(entry.path, error)) continue;
    if (!missing) missing = &entry;
    ++count;
  }
  if (!missing) return;
  const std::string more = count == 1 ? "" : fmt::format(", as for {} more of {}", count - 1, entries.size());
  fail_at(csv, missing->line, fmt::format("there is no file {}{}", missing->path, more));
}

std::string text_of(const std::string& csv) {
  std::error_code error;
  if (!fs::is_regular_file(csv, error)) fail(ErrorKind::input, "{}: no such file", csv);
  return read_text(csv);
}

std::vector<Entry> entries_in(const std::string& csv, std::string_view text) {
  std::vector<CsvRow> rows = read_csv(csv, text);
  const Columns columns = rows.empty() ? Columns{} : read_header(csv, rows);
  if (rows.empty()) fail(ErrorKind::input, "{}: no picture in it", csv);
  std::vector<Entry> entries;
  for (const CsvRow& row : rows) entries.push_back(entry_of(csv, row, columns));
  check_files(csv, entries);
  return entries;
}

Dataset dataset_of(const std::string& csv, const std::vector<Entry>& entries, std::vector<std::string> classes, bool multi_label) {
  std::map<std::string, int32_t> known;
  for (size_t i = 0; i < classes.size(); ++i) known.emplace(classes[i], static_cast<int32_t>(i));
  Dataset dataset{std::move(classes), {}, multi_label};
  for (const Entry& entry : entries) {
    Sample sample{entry.path, -1, entry.file};
    for (const std::string& label : entry.labels) {
      const auto found = known.find(label);
      if (found == known.end())
        fail_at(csv, entry.line, fmt::format("{}: \"{}\" is none of the {} known classes", entry.file, label, known.size()));
      sample.labels.push_back(found->second);
    }
    std::ranges::sort(sample.labels);
    if (!multi_label) {
      if (sample.labels.size() != 1)
        fail_at(csv, entry.line,
                fmt::format("{} has {} labels; the classes exclude each other, 1 expected", entry.file, sample.labels.size()));
      sample.label = sample.labels.front();
      sample.labels.clear();
    }
    dataset.samples.push_back(std::move(sample));
  }
  std::ranges::sort(dataset.samples,
                    [](const Sample& a, const Sample& b) { return std::tie(a.label, a.name) < std::tie(b.label, b.name); });
  return dataset;
}

std::vector<std::string> classes_in(const std::string& csv, const std::vector<Entry>& entries) {
  std::set<std::string> names;
  for (const Entry& entry : entries)
    if (entry.part == Part::train) names.insert(entry.labels.begin(), entry.labels.end());
  if (names.empty()) fail(ErrorKind::input, "{}: no picture to train on has a label", csv);
  std::map<std::string, std::string> seen;
  for (const std::string& name : names) {
    const auto [other, added] = seen.emplace(lower_case(name), name);
    if (!added) fail(ErrorKind::input, "{}: classes \"{}\" and \"{}\" differ only in case", csv, other->second, name);
  }
  return {names.begin(), names.end()};
}

}  // namespace

bool is_labels_csv(const std::string& path) { return path.size() > 4 && lower_case(path.substr(path.size() - 4)) == ".csv"; }

Splits read_labels_csv(const std::string& path) { return parse_labels_csv(path, text_of(path)); }

Splits parse_labels_csv(const std::string& path, std::string_view text) {
  const std::vector<Entry> entries = entries_in(path, text);
  const std::vector<std::string> classes = classes_in(path, entries);
  const bool multi_label = std::ranges::any_of(entries, [](const Entry& entry) { return entry.labels.size() != 1; });
  if (classes.size() == 1 && !multi_label)
    fail(ErrorKind::input, "{}: one class only (\"{}\"); a classifier needs two", path, classes.front());
  Splits splits;
  for (auto [dataset, part] : {std::pair(&splits.train, Part::train), {&splits.validation, Part::validation}, {&splits.test, Part::test}}) {
    std::vector<Entry> own;
    std::ranges::copy_if(entries, std::back_inserter(own), [part = part](const Entry& entry) { return entry.part == part; });
    *dataset = dataset_of(path, own, classes, multi_label);
  }
  if (splits.train.samples.empty()) fail(ErrorKind::input, "{}: no picture to train on", path);
  return splits;
}

Dataset read_labels_csv(const std::string& path, std::span<const std::string> classes, bool multi_label) {
  return dataset_of(path, entries_in(path, text_of(path)), {classes.begin(), classes.end()}, multi_label);
}

}  // namespace fovea::image
