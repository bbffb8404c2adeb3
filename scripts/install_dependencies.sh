#!/usr/bin/env bash
# Installs what building, testing and the demo need, as far as it is missing. Needs apt-get, and root or sudo only where something is missing.
set -euo pipefail
. "$(dirname "$0")/common.sh"

packages=(
  g++ ccache cmake ninja-build pkg-config ca-certificates python3 python3-dev python3-pip
  libhwy-dev libjpeg-dev libspng-dev libwebp-dev libgif-dev libprotozero-dev
  libtiff-dev libheif-dev libopenjp2-7-dev libjxl-dev
  libfmt-dev libcli11-dev nlohmann-json3-dev libminizip-dev libcurl4-openssl-dev nettle-dev
  libeigen3-dev liblbfgs-dev
  libboost-dev libssl-dev
  libgtest-dev libgmock-dev libbenchmark-dev libopencv-core-dev
)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  say "This is no Debian or Ubuntu. fovea needs, under whatever names they have here:"
  say "  a C++20 compiler, CMake 3.22, Ninja, pkg-config, Python 3 with pip,"
  say "  Highway, libjpeg-turbo, libspng, libwebp, giflib, protozero, {fmt}, CLI11, nlohmann-json, minizip, libcurl, Nettle, Eigen, libLBFGS, Boost's headers, OpenSSL,"
  say "  for TIFF, AVIF and HEIC, JPEG 2000 and JPEG XL, each as you please, libtiff, libheif, OpenJPEG and libjxl,"
  say "  GoogleTest, Google Benchmark and, for the test of its adapter, OpenCV's core for the tests, and oneDNN 3 (or scripts/get_onednn.sh)."
  exit 0
fi

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  say "Installing: ${missing[*]}"
  as_root apt-get update -q=2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# Where scripts/get_onednn.sh has none for this processor: from Debian 13 on the system's oneDNN is new enough.
if [ "$(uname -m)" != x86_64 ] && ! installed libdnnl-dev && [[ $(apt_candidate libdnnl-dev) =~ ^([0-9]+)\. ]] && [ "${BASH_REMATCH[1]}" -ge 3 ]; then
  say "Installing: libdnnl-dev"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends libdnnl-dev >/dev/null
fi
say "All packages are installed."
