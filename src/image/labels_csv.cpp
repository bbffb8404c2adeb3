#include "image/labels_csv.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace fovea::image {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 14> kFileColumns{"file", "filename", "file_name", "filepath",   "file_path",
                                                        "path", "image",    "filenames", "image_path", "image_file",
                                                        "img",  "img_path", "picture",   "photo"};
constexpr std::array<std::string_view, 12> kLabelColumns{"label",    "labels",     "class", "classes", "class_name", "classname",
                                                         "category", "categories", "tag",   "tags",    "target",     "targets"};

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
  if (name == "validation" || name == "valid" || name == "val" || name == "dev" || name == "eval") return Part::validation;
  if (name == "test" || name == "testing") return Part::test;
  fail_at(csv, line, fmt::format("the split is \"{}\"; train, validation or test expected", text));
}

// Of one field or several, each with labels between separators.
std::vector<std::string> labels_in(const std::vector<std::string>& fields, char separator) {
  std::set<std::string> labels;
  for (const std::string& field : fields) {
    for (size_t begin = 0; begin <= field.size();) {
      const size_t end = std::min(field.find(separator, begin), field.size());
      if (std::string label = trimmed(std::string_view(field).substr(begin, end - begin)); !label.empty()) labels.insert(std::move(label));
      begin = end + 1;
    }
  }
  return {labels.begin(), labels.end()};
}

// Which column says what.
struct Columns {
  std::vector<std::string> names;  // empty: no header
  size_t file = 0;
  std::optional<size_t> split;
  std::vector<size_t> labels;  // without a header: empty, and all behind the file
  bool yes_or_no = false;      // a class a column
  char between_labels = ';';
};

bool is_one_of(std::span<const std::string_view> names, const std::string& name) { return std::ranges::find(names, name) != names.end(); }

// "label", and with a number behind it: "label2", "label_2".
bool is_label_column(std::string name) {
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  while (!name.empty() && (name.back() == '_' || name.back() == ' ' || name.back() == '-')) name.pop_back();
  return is_one_of(kLabelColumns, name);
}

// Where a first row is a header: which of its fields names the files.
std::optional<size_t> file_column(const std::string& csv, const std::vector<std::string>& fields) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!is_one_of(kFileColumns, lower_case(fields[i]))) continue;
    std::error_code ignored;
    const bool picture = i > 0 && !fields[0].empty() && fs::exists(fs::path(csv).parent_path() / fields[0], ignored);
    return picture ? std::nullopt : std::optional(i);
  }
  return std::nullopt;
}

bool is_yes_or_no(const std::vector<CsvRow>& rows, size_t column) {
  return std::ranges::all_of(
      rows, [&](const CsvRow& row) { return column < row.fields.size() && (row.fields[column] == "0" || row.fields[column] == "1"); });
}

// What columns other than file and split are.
void choose_labels(const std::vector<CsvRow>& rows, std::vector<size_t> others, const std::string& csv, Columns& columns,
                   std::vector<Unused>& unused) {
  const auto leave_out = [&](size_t column, const char* reason) {
    unused.push_back({fmt::format("{}: column \"{}\"", csv, columns.names[column]), reason});
  };
  std::erase_if(others, [&](size_t column) {
    const std::string name = lower_case(columns.names[column]);
    const bool index = name.empty() || name.starts_with("unnamed: ") || (name == "index" && column < columns.file);
    if (index) leave_out(column, "an index");
    return index;
  });
  std::vector<size_t> named;
  std::ranges::copy_if(others, std::back_inserter(named),
                       [&](size_t column) { return is_label_column(lower_case(columns.names[column])); });
  if (!named.empty()) {
    for (size_t column : others)
      if (std::ranges::find(named, column) == named.end()) leave_out(column, "not named as one of labels");
    columns.labels = std::move(named);
    return;
  }
  columns.labels = std::move(others);
  columns.yes_or_no =
      columns.labels.size() >= 2 && std::ranges::all_of(columns.labels, [&](size_t column) { return is_yes_or_no(rows, column); });
}

Columns read_header(const std::string& csv, std::vector<CsvRow>& rows, std::vector<Unused>& unused) {
  Columns columns;
  const auto file = file_column(csv, rows.front().fields);
  if (!file) return columns;
  columns.file = *file;
  const int64_t line = rows.front().line;
  columns.names = std::move(rows.front().fields);
  rows.erase(rows.begin());
  std::vector<size_t> others;
  for (size_t i = 0; i < columns.names.size(); ++i) {
    if (i == columns.file) continue;
    if (lower_case(columns.names[i]) != "split") {
      others.push_back(i);
      continue;
    }
    if (columns.split) fail_at(csv, line, "two columns are named split");
    columns.split = i;
  }
  for (const CsvRow& row : rows) {
    if (row.fields.size() > columns.names.size())
      fail_at(csv, row.line, fmt::format("{} fields, the header has {}", row.fields.size(), columns.names.size()));
  }
  choose_labels(rows, std::move(others), csv, columns, unused);
  return columns;
}

Entry entry_of(const std::string& csv, const CsvRow& row, const Columns& columns) {
  Entry entry;
  entry.line = row.line;
  if (columns.file < row.fields.size()) entry.file = row.fields[columns.file];
  if (entry.file.empty())
    fail_at(csv, row.line, columns.file == 0 ? "the first field names no file" : fmt::format("field {} names no file", columns.file + 1));
  const fs::path path(entry.file);
  entry.path = (path.is_absolute() ? path : fs::path(csv).parent_path() / path).lexically_normal().string();
  if (columns.split) {
    if (*columns.split >= row.fields.size()) fail_at(csv, row.line, "says nothing in the column split");
    entry.part = part_of(csv, row.line, row.fields[*columns.split]);
  }
  std::vector<std::string> fields;
  if (columns.names.empty()) {
    fields.assign(row.fields.begin() + 1, row.fields.end());
  } else {
    for (size_t column : columns.labels) {
      if (column >= row.fields.size()) continue;
      if (!columns.yes_or_no)
        fields.push_back(row.fields[column]);
      else if (row.fields[column] == "1")
        fields.push_back(columns.names[column]);
    }
  }
  entry.labels = columns.yes_or_no ? std::move(fields) : labels_in(fields, columns.between_labels);
  std::ranges::sort(entry.labels);
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
  // One or some are left out as pictures that cannot be read; all of them are another folder's.
  if (missing && count == static_cast<int64_t>(entries.size())) {
    const std::string more = count == 1 ? "" : fmt::format(", as for {} more of {}", count - 1, entries.size());
    fail_at(csv, missing->line, fmt::format("there is no file {}{}", missing->path, more));
  }
}

std::string text_of(const std::string& csv) {
  std::error_code error;
  if (!fs::is_regular_file(csv, error)) fail(ErrorKind::input, "{}: no such file", csv);
  return read_text(csv);
}

struct Table {
  std::vector<Entry> entries;
  bool yes_or_no = false;
  std::vector<Unused> unused;
  // Whether pictures have several labels: a class a column says so where not each has one, else a picture that has several.
  bool multi_label() const {
    return std::ranges::any_of(entries, [&](const Entry& entry) { return yes_or_no ? entry.labels.size() != 1 : entry.labels.size() > 1; });
  }
};

Table read_table(const std::string& csv, std::string_view text) {
  const char separator = lower_case(csv).ends_with(".tsv") ? '\t' : csv_separator(text);
  std::vector<CsvRow> rows = read_csv(csv, text, separator);
  Table table;
  Columns columns;
  if (!rows.empty()) columns = read_header(csv, rows, table.unused);
  if (separator == ';') columns.between_labels = ',';
  if (rows.empty()) fail(ErrorKind::input, "{}: no picture in it", csv);
  for (const CsvRow& row : rows) table.entries.push_back(entry_of(csv, row, columns));
  table.yes_or_no = columns.yes_or_no;
  check_files(csv, table.entries);
  return table;
}

// Where pictures have one label each, those that have none.
void leave_out_unlabelled(const std::string& csv, Table& table) {
  std::erase_if(table.entries, [&](const Entry& entry) {
    if (!entry.labels.empty()) return false;
    table.unused.push_back({fmt::format("{}: line {}, {}", csv, entry.line, entry.file), "no label"});
    return true;
  });
}

Dataset dataset_of(const std::string& csv, const std::vector<Entry>& entries, std::vector<std::string> classes, bool multi_label) {
  std::map<std::string, int32_t> known;
  for (size_t i = 0; i < classes.size(); ++i) known.emplace(classes[i], static_cast<int32_t>(i));
  Dataset dataset;
  dataset.classes = std::move(classes);
  dataset.multi_label = multi_label;
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

bool is_labels_csv(const std::string& path) {
  const std::string name = lower_case(path);
  return name.size() > 4 && (name.ends_with(".csv") || name.ends_with(".tsv"));
}

Splits read_labels_csv(const std::string& path) { return parse_labels_csv(path, text_of(path)); }

Splits parse_labels_csv(const std::string& path, std::string_view text) {
  Table table = read_table(path, text);
  const std::vector<std::string> classes = classes_in(path, table.entries);
  const bool multi_label = table.multi_label();
  if (!multi_label) leave_out_unlabelled(path, table);
  if (classes.size() == 1 && !multi_label)
    fail(ErrorKind::input, "{}: one class only (\"{}\"); a classifier needs two", path, classes.front());
  Splits splits;
  for (auto [dataset, part] : {std::pair(&splits.train, Part::train), {&splits.validation, Part::validation}, {&splits.test, Part::test}}) {
    std::vector<Entry> own;
    std::ranges::copy_if(table.entries, std::back_inserter(own), [part = part](const Entry& entry) { return entry.part == part; });
    *dataset = dataset_of(path, own, classes, multi_label);
  }
  if (splits.train.samples.empty()) fail(ErrorKind::input, "{}: no picture to train on", path);
  splits.unused = std::move(table.unused);
  return splits;
}

Dataset read_labels_csv(const std::string& path, std::span<const std::string> classes, bool multi_label) {
  Table table = read_table(path, text_of(path));
  if (!multi_label) leave_out_unlabelled(path, table);
  Dataset dataset = dataset_of(path, table.entries, {classes.begin(), classes.end()}, multi_label);
  dataset.unused = std::move(table.unused);
  return dataset;
}

}  // namespace fovea::image
