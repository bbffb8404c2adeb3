#!/usr/bin/env bash
# get_fuzzed_libraries.sh [DIRECTORY]: Debian's sources of the libraries that decode pictures, compiled so that fuzzers see into them, into
# DIRECTORY (build-fuzz-libraries/libraries). Does nothing where they are there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$(dirname "$0")/.."

target=$(realpath -m "${1:-build-fuzz-libraries/libraries}")
if [ -d "$target" ]; then
  say "The fuzzers' libraries are in $target."
  exit 0
fi
command -v apt-get >/dev/null || die "needs apt-get, as on Debian, to get sources"
command -v dpkg-source >/dev/null || as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends dpkg-dev >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage

# The system's own lists of packages, as lists of sources, in a folder of their own: the system's stay as they are.
mkdir -p "$work"/apt/{parts,lists/partial,cache/archives/partial}
for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian*; do
  [ ! -f "$list" ] || sed -E 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$list" >"$work/apt/parts/$(basename "$list")"
done
apt=(apt-get -q=2 -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt/parts" -o Dir::State::lists="$work/apt/lists"
  -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$work" && "${apt[@]}" source libjpeg-turbo libwebp libspng giflib >log 2>&1) || { cat "$work/log"; die "no sources"; }

export CC=clang CFLAGS="-O1 -g1 -fPIC -fsanitize=fuzzer-no-link,address"

# by_cmake SOURCES OPTION...
by_cmake() {
  local sources=$1
  shift
  say "compiling $(basename "$sources")"
  {
    cmake -G Ninja -S "$sources" -B "$sources/build" -DCMAKE_INSTALL_PREFIX="$stage" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_BUILD_TYPE=None "$@"
    cmake --build "$sources/build"
    cmake --install "$sources/build"
  } >"$work/log" 2>&1 || { tail -n 40 "$work/log"; die "$(basename "$sources") cannot be compiled"; }
}
by_cmake "$work"/libjpeg-turbo-* -DENABLE_SHARED=OFF -DWITH_SIMD=OFF -DWITH_TURBOJPEG=OFF
by_cmake "$work"/libwebp-* -DBUILD_SHARED_LIBS=OFF -DWEBP_ENABLE_SIMD=OFF -DWEBP_BUILD_ANIM_UTILS=OFF -DWEBP_BUILD_CWEBP=OFF -DWEBP_BUILD_DWEBP=OFF \
  -DWEBP_BUILD_GIF2WEBP=OFF -DWEBP_BUILD_IMG2WEBP=OFF -DWEBP_BUILD_VWEBP=OFF -DWEBP_BUILD_WEBPINFO=OFF -DWEBP_BUILD_WEBPMUX=OFF -DWEBP_BUILD_EXTRAS=OFF

# These two have no CMake files, or none that give what pkg-config looks for.
say "compiling libspng and giflib"
cd "$work"/libspng-*
$CC $CFLAGS -DSPNG_DISABLE_OPT=1 -c spng/spng.c -o spng.o
ar rc "$stage/lib/libspng.a" spng.o
cp spng/spng.h "$stage/include/"
printf 'Name: spng\nDescription: PNG\nVersion: %s\nLibs: -L%s -lspng -lz -lm\nCflags: -I%s\n' \
  "$(basename "$PWD" | sed 's/^libspng-//')" "$target/lib" "$target/include" >"$stage/lib/pkgconfig/spng.pc"
cd "$work"/giflib-*
for source in dgif_lib egif_lib gifalloc gif_err gif_hash openbsd-reallocarray; do $CC $CFLAGS -c "$source.c"; done
ar rc "$stage/lib/libgif.a" ./*.o
cp gif_lib.h "$stage/include/"

# The files that name their own place are to name the last one.
grep -rlF "$stage" "$stage" --include='*.pc' | xargs -r sed -i "s|$stage|$target|g"
mkdir -p "$(dirname "$target")"
mv "$stage" "$target"
say "The fuzzers' libraries are in $target."
