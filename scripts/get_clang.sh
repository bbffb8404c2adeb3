#!/usr/bin/env bash
# get_clang.sh: clang with its sanitizers and libFuzzer, which building fovea does not need. Does nothing where it is there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# It is there where it makes a fuzzer.
makes_fuzzers() {
  command -v llvm-symbolizer >/dev/null && clang++ -std=c++20 -fsanitize=fuzzer,address,undefined -x c++ -o "$work/fuzzer" - 2>/dev/null <<'EOF'
#include <cstddef>
#include <cstdint>
#include <string>
extern "C" int LLVMFuzzerTestOneInput(const uint8_t*, size_t) { return std::string().empty() ? 0 : 1; }
EOF
}

if makes_fuzzers; then
  say "clang is installed."
  exit 0
fi
command -v apt-get >/dev/null || die "needs apt-get, as on Debian, to get clang; elsewhere put clang++ with libFuzzer, and llvm-symbolizer, into PATH"
packages=(clang libclang-rt-dev llvm)
say "Installing: ${packages[*]}"
as_root apt-get update -q=2
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends "${packages[@]}" >/dev/null
makes_fuzzers || die "clang is installed and makes no fuzzers: try clang++ -fsanitize=fuzzer,address,undefined"
