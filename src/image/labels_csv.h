// A CSV file that says which picture has which labels.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "image/folder.h"

namespace fovea::image {

// Whether a path names such a file: by its ending, ".csv".
bool is_labels_csv(const std::string& path);

// Rows of fields as RFC 4180 has them: separated by commas, quoted where they hold commas, quotes (doubled) or line ends. A byte order mark
// and empty lines are passed over. One picture a row: its file, relative to the CSV file's folder, then its labels, in one field separated
// by ';' or in further fields. A first row whose first field is "file", "filename", "path", "image" or "picture" is a header; in it a
// column "split" says where a picture belongs (train, validation (or valid, val), test); where all other columns, at least two, hold
// nothing but 0 and 1, each is a class and 1 says that the picture has it.
//
// Where each picture has one label this is ordinary classification, else Dataset::multi_label. Classes are sorted bytewise, samples as
// those of a folder are. Throws Error(input) that names the file and the line: for a row that cannot be read, a file that is not there or
// is given twice, no label at all, one class only, classes that differ only in case.
Splits read_labels_csv(const std::string& path);
// The same of the text of a file that would lie at `path`.
Splits parse_labels_csv(const std::string& path, std::string_view text);
// By classes that are known already (a model's); `multi_label` as the model has it. All rows, whatever their split. Throws also for a label
// of no known class and, unless multi_label, for a picture without exactly one label.
Dataset read_labels_csv(const std::string& path, std::span<const std::string> classes, bool multi_label);

}  // namespace fovea::image
