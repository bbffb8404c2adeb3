// Comma-separated values, RFC 4180.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

struct CsvRow {
  int64_t line = 0;  // from 1
  std::vector<std::string> fields;
};

// Rows with something in them, their fields between separators; a byte order mark is passed over, blanks around what is not quoted are
// dropped, lines end as on any system. Throws Error(input) that names `name` and the line.
std::vector<CsvRow> read_csv(const std::string& name, std::string_view text, char separator = ',');

// Goes by the first line: a tab or a semicolon where one stands outside quotes and no comma does, else a comma.
char csv_separator(std::string_view text);

// Puts the text into quotes where it has to be.
std::string csv_field(std::string_view text);

}  // namespace fovea
