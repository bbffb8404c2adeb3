#!/usr/bin/env bash
# get_tensorboard.sh [DIRECTORY]: TensorBoard's reader of event files, which the tests of `fovea train --tensorboard` run, from PyPI into
# DIRECTORY (build/tensorboard). Does nothing where it is there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
get_python_packages "${1:-$root/build/tensorboard}" TensorBoard 'import tensorboard.backend.event_processing.event_accumulator' \
  tensorboard==2.20.0 absl-py==2.3.0 numpy==2.2.6 protobuf==6.31.1
