// Writes a zip archive of stored entries: what PyTorch's container is.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/atomic_file.h"

namespace fovea::weights {

class ZipWriter {
 public:
  // `file` must outlive it and is written to by nobody else meanwhile.
  explicit ZipWriter(AtomicFile& file);  // which is one that comes back
  ~ZipWriter();
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  // An entry whose bytes begin at a multiple of 64 in the file, as PyTorch has them. Throws Error(io).
  void add(const std::string& name, const void* data, size_t bytes);
  void add(const std::string& name, std::string_view text) { add(name, text.data(), text.size()); }
  // The directory; nothing may be added after it. Throws Error(io).
  void finish();

 private:
  struct Stream;
  void check(int status);

  std::unique_ptr<Stream> stream_;
};

}  // namespace fovea::weights
