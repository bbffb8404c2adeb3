// Any bytes give the rows that lie in them or nothing. The first three say how many rows are asked for, how wide, and what is put right
// beforehand; those that follow are the file, its header without the rest of its page.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "engine/feature_cache.h"

namespace {

enum Mend : uint8_t { mend_size = 1, mend_shape = 2, mend_checksum = 4 };

// Where the header has what; it takes a page.
constexpr size_t kKey = 16, kKeySize = 64, kRows = 80, kWidth = 88, kChecksum = 96, kHeader = 104, kPage = 4096;

template <class T>
void put(std::vector<std::byte>& file, size_t at, T value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

std::span<const float> numbers(const std::vector<std::byte>& file) {
  return {reinterpret_cast<const float*>(file.data() + kPage), (file.size() - kPage) / sizeof(float)};
}

std::vector<std::byte> file_of(std::span<const std::byte> given, int64_t rows, int64_t width, uint8_t mend) {
  const auto head = given.first(std::min(given.size(), kHeader)), body = given.subspan(head.size());
  std::vector<std::byte> file(kPage);
  std::ranges::copy(head, file.begin());
  file.insert(file.end(), body.begin(), body.end());
  if (mend & mend_size) file.resize(kPage + static_cast<size_t>(rows * width) * sizeof(float));
  if (mend & mend_shape) put(file, kRows, rows), put(file, kWidth, width);
  if (mend & mend_checksum) put(file, kChecksum, fovea::engine::add_to_checksum(0, numbers(file)));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const int64_t rows = data[0], width = data[1];
  const std::vector<std::byte> file = file_of(std::as_bytes(std::span(data + 3, size - 3)), rows, width, data[2]);
  const std::string key(reinterpret_cast<const char*>(file.data()) + kKey, kKeySize);
  const auto found = fovea::engine::FeatureRows::read(file, nullptr, key, rows, width);
  if (!found) return 0;
  if (found->rows() != rows || found->width() != width || numbers(file).size() != static_cast<size_t>(rows * width)) std::abort();
  for (int64_t row = 0; row < rows; ++row) {
    if (width > 0 && std::memcmp(found->row(row).data(), numbers(file).data() + row * width, found->row(row).size_bytes()) != 0)
      std::abort();
  }
  return 0;
}
