#!/usr/bin/env bash
# Installs what is missing, builds everything in build/ and runs every test. The last line counts: "N passed, N failed".
#   --sanitize   afterwards the same in build-asan/ under the address and undefined-behaviour sanitizers, without the tests labelled slow, and what starts
#                threads (tests/threads) in build-tsan/ under ThreadSanitizer
#   --fuzz       afterwards the fuzzers, each for a minute (scripts/run_fuzzers)
#   --fast       without the tests labelled slow
set -euo pipefail
cd "$(dirname "$0")"
started=$SECONDS
fast= sanitize= fuzz=
for option in "$@"; do
  case $option in
    --fast) fast=yes ;;
    --sanitize) sanitize=yes ;;
    --fuzz) fuzz=yes ;;
    *) echo "test.sh: $option: --fast, --sanitize or --fuzz expected" >&2; exit 2 ;;
  esac
done

step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

# build PRESET DIRECTORY
build() {
  step "building $2"
  cmake --preset "$1" >"$2.configure.log" 2>&1 || { cat "$2.configure.log"; exit 1; }
  rm -f "$2.configure.log"
  cmake --build --preset "$1"
}

# run_tests PRESET DIRECTORY CTEST_OPTION...: failures are counted at the end.
run_tests() {
  local preset=$1 directory=$2
  shift 2
  step "testing $directory"
  rm -rf "$directory/test_results" "$directory/ctest.xml"
  ctest --preset "$preset" --parallel 2 --output-junit ctest.xml --no-tests=error "$@" || true
}

step "installing what is missing"
scripts/install_dependencies.sh
scripts/get_onednn.sh
scripts/get_default_weights.sh
scripts/get_imagenet_pictures.sh
scripts/get_onnx_tools.sh
scripts/get_tensorboard.sh
scripts/get_chromium.sh
scripts/get_python_tools.sh
# They are there: a test that needs them fails rather than skips.
export FOVEA_REQUIRE_WEIGHTS=1 FOVEA_REQUIRE_IMAGENET=1 FOVEA_REQUIRE_ONNX=1 FOVEA_REQUIRE_TENSORBOARD=1 FOVEA_REQUIRE_BROWSER=1

builds=(build)
build release build
if [ -n "$fast" ]; then
  run_tests release build --label-exclude slow
else
  run_tests release build
fi
if [ -n "$sanitize" ]; then
  build asan build-asan
  run_tests asan build-asan
  build tsan build-tsan
  run_tests tsan build-tsan
  builds+=(build-asan build-tsan)
fi

if [ -n "$fuzz" ]; then
  step "fuzzing"
  scripts/run_fuzzers --seconds 60 || fuzz=failed
fi

step "where the time went in build/"
scripts/build_times build

step "done"
scripts/count_tests.py "${builds[@]}"
[ "$fuzz" != failed ]
