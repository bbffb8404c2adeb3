// Which formats of pictures there are, how each is known by its first bytes, and who decodes it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/codecs.h"

namespace fovea::image {

struct Wanted {
  Reduction reduction = nullptr;
  int64_t page = 0;   // of several pictures in a file; 0: the one that stands for it
  bool wide = false;  // grey of 16 bits keeps its values wherever there is a choice
};

struct Format {
  std::string_view name;        // "JPEG"
  std::string_view extensions;  // what names end in, lower case: "jpg jpeg"
  bool (*begins)(Bytes);
  Decoded (*decode)(Bytes, const Wanted&);
  std::string_view library = "";  // that the build may leave out; empty: always there
  bool (*is_there)() = nullptr;   // with `library`
  bool pages = false;             // there may be several pictures in a file, each of which can be had

  bool is_read() const { return !is_there || is_there(); }
};

std::span<const Format> formats();

// The format of a file that is not empty. Throws Error(input) that says what the file is where fovea does not read it.
const Format& format_of(Bytes bytes);

// Throws Error(input) as the format's decoder does, and for a page that there is not.
Decoded decode_any(Bytes bytes, const Wanted& wanted);

}  // namespace fovea::image
