#!/usr/bin/env bash
# get_textiles.sh [DIRECTORY]: 2000 simulated pictures of woven cloth, 1000 nominal ones and 500 each of a local and a global fault, one folder a class,
# into DIRECTORY (build/textiles). They are part of the Python package conformal-clip-data 0.1.4 (MIT).
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
get_packaged_pictures "${1:-$root/build/textiles}" 2000 '*/simulated/*.jpg' 2 conformal-clip-data==0.1.4 \
  00144ccc179a887dbea15923be8cf236d0c0f49bf7fb6f7bb288e40b53fb1bcb
