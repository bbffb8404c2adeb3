#!/usr/bin/env bash
# get_onnx_tools.sh [DIRECTORY]: ONNX and ONNX Runtime, which the tests of `fovea export` run, from PyPI into DIRECTORY (build/onnx-tools).
# Does nothing where they are there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-$root/build/onnx-tools}
requirements=(onnx==1.18.0 onnxruntime==1.22.1 numpy==2.2.6 protobuf==6.31.1 flatbuffers==25.2.10 packaging==25.0 typing_extensions==4.14.1)

if [ "$(cat "$target/requirements.txt" 2>/dev/null)" = "${requirements[*]}" ]; then
  say "ONNX Runtime is in $target."
  exit 0
fi
python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip; scripts/install_dependencies.sh installs it (Debian: python3-pip)"
work=$target.part
rm -rf "$work"
mkdir -p "$(dirname "$work")"
trap 'rm -rf "$work"' EXIT
# What ONNX Runtime lists beyond these (sympy, coloredlogs) is for its tools, not for running a model.
PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --target "$work" "${requirements[@]}"
PYTHONPATH=$work python3 -c 'import onnx, onnxruntime'
echo "${requirements[*]}" >"$work/requirements.txt"
rm -rf "$target"
mv "$work" "$target"
say "ONNX Runtime is in $target."
