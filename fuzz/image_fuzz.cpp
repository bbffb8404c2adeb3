// Any bytes give a picture or an Error, whole and at the size that a use of it takes.
#include <fovea/error.h>
#include <fovea/image.h>
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

namespace {

uint32_t big_endian(const std::byte* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<uint32_t>(at[i]);
  return value;
}

// A changed chunk of a PNG would be refused for its checksum before it is looked at, so every chunk gets the one that it should have.
void mend_checksums(std::span<std::byte> bytes) {
  constexpr size_t kSignature = 8, kLengthAndType = 8, kChecksum = 4;
  if (bytes.size() < kSignature || std::memcmp(bytes.data(), "\x89PNG\r\n\x1A\n", kSignature) != 0) return;
  bytes = bytes.subspan(kSignature);
  while (bytes.size() >= kLengthAndType + kChecksum) {
    const size_t length = big_endian(bytes.data());
    if (length > bytes.size() - kLengthAndType - kChecksum) return;
    const auto sum = crc32(0, reinterpret_cast<const unsigned char*>(bytes.data()) + 4, static_cast<unsigned>(4 + length));
    std::byte* const at = bytes.data() + kLengthAndType + length;
    for (size_t i = 0; i < kChecksum; ++i) at[i] = static_cast<std::byte>(sum >> (24 - 8 * i));
    bytes = bytes.subspan(kLengthAndType + length + kChecksum);
  }
}

template <class... Options>
void decode(std::span<const std::byte> bytes, const Options&... options) {
  try {
    const fovea::Image image = fovea::decode_image(bytes, options...);
    if (image.width <= 0 || image.height <= 0 || image.pixels.size() != static_cast<size_t>(3 * image.width * image.height)) std::abort();
  } catch (const fovea::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto given = std::as_bytes(std::span(data, size));
  std::vector<std::byte> bytes(given.begin(), given.end());
  mend_checksums(bytes);
  decode(bytes);
  fovea::Preprocessing small;
  small.fit = fovea::Fit::squash;
  small.height = small.width = 8;
  small.decode = fovea::Decode::fast;
  if (size > 0 && data[0] == 0xFF) decode(bytes, small);  // a JPEG: what else there is is always decoded whole
  fovea::Preprocessing second;
  second.page = 2;
  second.range = fovea::ValueRange{.automatic = true};
  if (size > 0 && (data[0] == 'I' || data[0] == 'M' || data[0] == 'P' || data[0] == 0)) decode(bytes, second);  // there may be pages, and wide greys
  return 0;
}
