// Small hashes for seeds and keys; not for security (digests are Nettle's).
#pragma once

#include <cstdint>
#include <string_view>

namespace fovea {

constexpr uint64_t fnv1a64(std::string_view text, uint64_t hash = 0xCBF29CE484222325ull) {
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3ull;
  return hash;
}

// splitmix64's finalizer: a bijection that spreads every input bit over the output.
constexpr uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace fovea
