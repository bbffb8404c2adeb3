// Numbers in the bytes of a file.
#pragma once

#include "base/error.h"
#include "image/codecs.h"

namespace fovea::image {

// The caller has made sure that the bytes are there.
inline uint32_t u8(Bytes bytes, size_t at) { return std::to_integer<uint32_t>(bytes[at]); }
inline uint32_t u16_little(Bytes bytes, size_t at) { return u8(bytes, at) | u8(bytes, at + 1) << 8; }
inline uint32_t u32_little(Bytes bytes, size_t at) { return u16_little(bytes, at) | u16_little(bytes, at + 2) << 16; }
inline uint32_t u16_big(Bytes bytes, size_t at) { return u8(bytes, at) << 8 | u8(bytes, at + 1); }
inline uint32_t u32_big(Bytes bytes, size_t at) { return u16_big(bytes, at) << 16 | u16_big(bytes, at + 2); }

// Reads on from a place; what is not there any more is an Error that says of which format the file is.
class ByteReader {
 public:
  ByteReader(Bytes bytes, const char* format, size_t at = 0) : bytes_(bytes), format_(format), at_(at) {}

  size_t at() const { return at_; }
  size_t left() const { return at_ < bytes_.size() ? bytes_.size() - at_ : 0; }
  Bytes take(size_t count) {
    if (count > left()) fail(ErrorKind::input, "truncated {}: the data ends before the picture does", format_);
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  uint8_t byte() { return static_cast<uint8_t>(u8(take(1), 0)); }
  void seek(size_t at) { at_ = at; }

 private:
  Bytes bytes_;
  const char* format_;
  size_t at_;
};

}  // namespace fovea::image
