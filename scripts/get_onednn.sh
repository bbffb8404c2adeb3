#!/usr/bin/env bash
# get_onednn.sh [DIRECTORY]: oneDNN 3.2 with GNU OpenMP, from PyPI's packages, into DIRECTORY (build/onednn), where CMake looks for it.
# Does nothing where the system has oneDNN 3 or it is there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-$root/build/onednn}

for config in /usr/lib/cmake/dnnl /usr/lib/*/cmake/dnnl /usr/local/lib/cmake/dnnl; do
  if grep -qsE 'PACKAGE_VERSION "3\.' "$config/dnnl-config-version.cmake"; then
    say "oneDNN 3 is the system's ($config)."
    exit 0
  fi
done
if [ -e "$target/lib/cmake/dnnl/dnnl-config.cmake" ]; then
  say "oneDNN is in $target."
  exit 0
fi
[ "$(uname -m)" = x86_64 ] || die "PyPI has oneDNN for x86_64 only, this machine is $(uname -m): build oneDNN 3 and pass its folder to CMake as -Ddnnl_DIR"

work=$target.part
rm -rf "$work"
mkdir -p "$work/wheels"
trap 'rm -rf "$work"' EXIT
pip_download "$work/wheels" onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0
library_wheel=$(echo "$work"/wheels/onednn_cpu_gomp-*.whl)
headers_wheel=$(echo "$work"/wheels/onednn_devel_cpu_gomp-*.whl)
check_digest "$library_wheel" 2f22a54d6a890ed14bfa185d42a4be65d8b5b1df85dc1f0f3a9abe31620416fb
check_digest "$headers_wheel" 9763c69e8c907e119056bd52ad918ca84ac9ba939d130a99dfa95ccca3e5e284

# The wheel holds the library under three names; it is written once, the other names are links.
python3 - "$work/tree" "$library_wheel" "$headers_wheel" <<'PYTHON'
import os, shutil, sys, zipfile

tree = sys.argv[1]
for wheel in sys.argv[2:]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            inside = name.partition(".data/data/")[2]
            if not inside or inside in ("lib/libdnnl.so", "lib/libdnnl.so.3"):
                continue
            path = os.path.join(tree, inside)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as copy:
                shutil.copyfileobj(source, copy)
os.chmod(os.path.join(tree, "lib/libdnnl.so.3.2"), 0o755)
os.symlink("libdnnl.so.3.2", os.path.join(tree, "lib/libdnnl.so.3"))
os.symlink("libdnnl.so.3", os.path.join(tree, "lib/libdnnl.so"))
PYTHON
rm -rf "$target"
mv "$work/tree" "$target"
say "oneDNN is in $target."
