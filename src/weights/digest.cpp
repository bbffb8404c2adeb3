#include "weights/digest.h"

#include <openssl/evp.h>

#include "base/error.h"
#include "base/file.h"

namespace fovea::weights {

std::string sha256(std::span<const std::byte> bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1)
    fail(ErrorKind::internal, "SHA-256 is not available");
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256_of_file(const std::filesystem::path& path) { return sha256(MappedFile::open(path)->bytes()); }

}  // namespace fovea::weights
