#!/usr/bin/env bash
# get_onnx_tools.sh [DIRECTORY]: ONNX and ONNX Runtime, which the tests of `fovea export` run, from PyPI into DIRECTORY (build/onnx-tools).
# Does nothing where they are there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
get_python_packages "${1:-$root/build/onnx-tools}" "ONNX Runtime" 'import onnx, onnxruntime' \
  onnx==1.18.0 onnxruntime==1.22.1 numpy==2.2.6 protobuf==6.31.1 flatbuffers==25.2.10 packaging==25.0 typing_extensions==4.14.1
