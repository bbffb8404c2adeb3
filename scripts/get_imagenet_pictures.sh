#!/usr/bin/env bash
# get_imagenet_pictures.sh [DIRECTORY]: 20 pictures of ImageNet with their class's number in the name, into DIRECTORY (build/imagenet). They are part
# of the Python package foolbox 3.3.4 (MIT).
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
get_packaged_pictures "${1:-$root/build/imagenet}" 20 'foolbox/data/imagenet_*.jpg' 1 foolbox==3.3.4 \
  11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb
