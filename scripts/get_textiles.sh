#!/usr/bin/env bash
# get_textiles.sh [DIRECTORY]: 2000 simulated pictures of woven cloth, 1000 nominal ones and 500 each of a local and a global fault, one folder a class,
# into DIRECTORY (build/textiles). They are part of the Python package conformal-clip-data 0.1.4 (MIT), which is unpacked but not installed.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-$root/build/textiles}

if [ "$(find "$target" -name 'textile_*.jpg' 2>/dev/null | wc -l)" = 2000 ]; then
  say "The pictures are in $target."
  exit 0
fi

work=$target.part
rm -rf "$work"
mkdir -p "$work/pictures"
trap 'rm -rf "$work"' EXIT
pip_download "$work" conformal-clip-data==0.1.4
check_digest "$work"/conformal_clip_data-*.whl 00144ccc179a887dbea15923be8cf236d0c0f49bf7fb6f7bb288e40b53fb1bcb
python3 - "$work" <<'PYTHON'
import glob, pathlib, sys, zipfile

work = pathlib.Path(sys.argv[1])
wheel, = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        path = pathlib.PurePosixPath(name)
        if path.suffix == ".jpg" and "simulated" in path.parts:
            copy = work / "pictures" / path.parent.name / path.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(archive.read(name))
PYTHON
rm -rf "$target"
mv "$work/pictures" "$target"
say "2000 pictures of cloth are in $target."
