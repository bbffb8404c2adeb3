#include "weights/digest.h"

#include <nettle/sha2.h>

#include "base/error.h"
#include "base/file.h"

namespace fovea::weights {

std::string sha256(std::span<const std::byte> bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_digest(&context, sizeof digest, digest);
  std::string text;
  for (const uint8_t byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

std::string sha256_of_file(const std::filesystem::path& path) { return sha256(MappedFile::open(path)->bytes()); }

}  // namespace fovea::weights
