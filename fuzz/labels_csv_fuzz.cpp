// Any text gives pictures and labels or an Error. The pictures a.png to d.png are there.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/atomic_file.h"
#include "base/csv.h"
#include "base/error.h"
#include "image/labels_csv.h"

namespace {

namespace fs = std::filesystem;

// Goes when the fuzzer ends.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("labels_csv_fuzz-" + std::to_string(getpid()));
  Folder() {
    fs::create_directory(path);
    for (const char* name : {"a.png", "b.png", "c.png", "d.png"}) fovea::write_text(path / name, "");
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

void check(const fovea::image::Dataset& dataset) {
  const auto known = [&](int64_t label) { return label >= 0 && label < static_cast<int64_t>(dataset.classes.size()); };
  for (const fovea::image::Sample& sample : dataset.samples) {
    if (dataset.multi_label != (sample.label == -1)) std::abort();
    if (!dataset.multi_label && !known(sample.label)) std::abort();
    for (const int32_t label : sample.labels)
      if (!known(label)) std::abort();
  }
}

// Rows are written and read again the same.
void check_rows(std::string_view text) {
  const std::vector<fovea::CsvRow> rows = fovea::read_csv("text", text);
  std::string written;
  for (const fovea::CsvRow& row : rows) {
    for (size_t i = 0; i < row.fields.size(); ++i) written += (i > 0 ? "," : "") + fovea::csv_field(row.fields[i]);
    written += "\n";
  }
  const std::vector<fovea::CsvRow> again = fovea::read_csv("written", written);
  if (again.size() != rows.size()) std::abort();
  for (size_t i = 0; i < rows.size(); ++i)
    if (again[i].fields != rows[i].fields) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    check_rows(text);
    const fovea::image::Splits splits = fovea::image::parse_labels_csv((folder.path / "labels.csv").string(), text);
    for (const auto* dataset : {&splits.train, &splits.validation, &splits.test}) check(*dataset);
  } catch (const fovea::Error&) {
  }
  return 0;
}
