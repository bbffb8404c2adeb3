#!/usr/bin/env bash
# get_imagenet_pictures.sh [DIRECTORY]: 20 pictures of ImageNet with their class's number in the name, into DIRECTORY (build/imagenet). They are part
# of the Python package foolbox 3.3.4 (MIT), which is unpacked but not installed.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-$root/build/imagenet}

if [ "$(find "$target" -name 'imagenet_*.jpg' 2>/dev/null | wc -l)" = 20 ]; then
  say "The pictures are in $target."
  exit 0
fi

work=$target.part
rm -rf "$work"
mkdir -p "$work/pictures"
trap 'rm -rf "$work"' EXIT
pip_download "$work" foolbox==3.3.4
check_digest "$work"/foolbox-*.whl 11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb
python3 - "$work" <<'PYTHON'
import glob, os, sys, zipfile

work = sys.argv[1]
wheel, = glob.glob(os.path.join(work, "*.whl"))
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith("foolbox/data/imagenet_"):
            with open(os.path.join(work, "pictures", os.path.basename(name)), "wb") as copy:
                copy.write(archive.read(name))
PYTHON
rm -rf "$target"
mv "$work/pictures" "$target"
say "20 pictures of ImageNet are in $target."
