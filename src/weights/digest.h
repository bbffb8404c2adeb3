// SHA-256 of files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fovea::weights {

// 64 lower-case hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);
std::string sha256_of_file(const std::filesystem::path& path);  // throws Error(io)

// Whether `digest` is the expected one, of which only the first digits may be known.
inline bool digest_matches(std::string_view digest, std::string_view expected) { return !expected.empty() && digest.starts_with(expected); }

}  // namespace fovea::weights
