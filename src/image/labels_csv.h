// A CSV file that says which picture has which labels.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "image/folder.h"

namespace fovea::image {

// Whether a path names such a file: by its ending, ".csv" or ".tsv".
bool is_labels_csv(const std::string& path);

// Rows of fields as RFC 4180 has them: separated by commas (or, where the first line has none, by tabs or semicolons), quoted where they
// hold separators, quotes (doubled) or line ends. A byte order mark and empty lines are passed over. One picture a row: its file, relative
// to the CSV file's folder, then its labels, in one field separated by ';' (in a file of semicolons by ','), or in further fields.
//
// A first row with one of the names "file", "filename", "path", "image", "picture" and their like is a header, which says in which column
// the files are; one without a name or "Unnamed: 0" before it is an index (pandas writes it), of which no use is made. A column "split"
// says where a picture belongs (train, validation (or valid, val, dev), test). Columns named "label", "class", "category" and their like
// ("label_2" too) hold the labels, and all others are not used; without such names all others hold labels, but where they, at least two,
// hold nothing but 0 and 1, each is a class and 1 says that the picture has it. What is not used is in Splits::unused.
//
// Where each picture that has a label has one, and no class is a column of 0 and 1, this is ordinary classification, and pictures without a
// label are not used; else Dataset::multi_label. Classes are sorted bytewise, samples as those of a folder are. Files need not be there:
// what cannot be read is found out later, as of any picture. Throws Error(input) that names the file and the line: for a row that cannot be
// read, a file that is given twice, no file that is there, no label at all, one class only, classes that differ only in case.
Splits read_labels_csv(const std::string& path);
// The same of the text of a file that would lie at `path`.
Splits parse_labels_csv(const std::string& path, std::string_view text);
// Reads all rows, whatever their split, by classes that are known already (a model's, as is `multi_label`). It throws also for a label of
// no known class and, unless multi_label, for a picture without exactly one label.
Dataset read_labels_csv(const std::string& path, std::span<const std::string> classes, bool multi_label);

}  // namespace fovea::image
