#!/usr/bin/env bash
# get_onednn.sh [DIRECTORY]: oneDNN 3.2 on TBB, and TBB, from PyPI's packages, into DIRECTORY (build/onednn), where CMake looks for them. Does nothing where they
# are there already. From TBB 2021.13 on threads without work stay awake for a millisecond; before, for some tens of microseconds.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-$root/build/onednn}

if [ -e "$target/lib/cmake/dnnl/dnnl-config.cmake" ] && [ -e "$target/lib/libtbb.so.12" ]; then
  say "oneDNN is in $target."
  exit 0
fi
[ "$(uname -m)" = x86_64 ] || die "PyPI has oneDNN for x86_64 only, this machine is $(uname -m): install oneDNN 3 (Debian 13: libdnnl-dev), or build it and pass its folder to CMake as -Ddnnl_DIR"

work=$target.part
rm -rf "$work"
mkdir -p "$work/wheels"
trap 'rm -rf "$work"' EXIT
pip_download "$work/wheels" onednn-cpu-tbb==2023.2.0 onednn-devel-cpu-tbb==2023.2.0 tbb==2021.12.0 tbb-devel==2021.12.0
check_digest "$(echo "$work"/wheels/onednn_cpu_tbb-*.whl)" 3265b317e9d74ee42f3b7fe4ba0e6d8347a400f0e9c1531fa80b0bfa18d76b13
check_digest "$(echo "$work"/wheels/onednn_devel_cpu_tbb-*.whl)" d76b9ddf0ac717b5c5caa89e9922ec752d175e6f0492503f3baa8499607bec82
check_digest "$(echo "$work"/wheels/tbb-*.whl)" a925e9a7c77d3a46ae31c34b0bb7f801c4118e857d137b68f68a8e458fcf2bd7
check_digest "$(echo "$work"/wheels/tbb_devel-*.whl)" 343502548f834534a669c47a89aad2875a86440cd1619a35086bb4d60c41ea16

python3 - "$work/tree" "$work"/wheels/*.whl <<'PYTHON'
import os, re, shutil, struct, sys, zipfile

tree = sys.argv[1]
# The wheels hold each library under three names; it is written once, the other names are links. Of TBB the scheduler alone is needed.
wanted = re.compile(r"include/|share/doc/|lib/cmake/|lib/libdnnl\.so\.3\.2$|lib/libtbb\.so\.12\.12$")
for wheel in sys.argv[2:]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            inside = name.partition(".data/data/")[2]
            if not wanted.match(inside):
                continue
            path = os.path.join(tree, inside)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as copy:
                shutil.copyfileobj(source, copy)
for library, *links in (("libdnnl.so.3.2", "libdnnl.so.3", "libdnnl.so"), ("libtbb.so.12.12", "libtbb.so.12", "libtbb.so")):
    os.chmod(os.path.join(tree, "lib", library), 0o755)
    for link in links:
        os.symlink(library, os.path.join(tree, "lib", link))

# This oneDNN was linked with the mathematical and the memory functions of its compiler's maker. It uses none that the C library does not have under the same
# name, but for a memcpy and a memset of another: it is told to take the C library's, and to look for TBB beside itself.
path = os.path.join(tree, "lib/libdnnl.so.3.2")
with open(path, "rb") as file:
    data = bytearray(file.read())
program_headers, = struct.unpack_from("<Q", data, 32)
entry_size, entries = struct.unpack_from("<HH", data, 54)
for at in range(program_headers, program_headers + entry_size * entries, entry_size):
    kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, at)
    if kind == 1 and offset == address == 0:
        flat = size  # up to here an address is a place in the file
    if kind == 2:
        dynamic = range(offset, offset + size, 16)
tags = dict(reversed([struct.unpack_from("<qQ", data, at) for at in dynamic]))
names, symbols = tags[5], tags[6]
assert symbols < names < names + tags[10] < flat
for at in range(symbols, names, 24):
    name, = struct.unpack_from("<I", data, at)
    for function in (b"_intel_fast_memcpy", b"_intel_fast_memset"):
        if data.startswith(function + b"\0", names + name):
            struct.pack_into("<I", data, at, name + len(b"_intel_fast_"))
NEEDED, RUNPATH = 1, 29
for at in dynamic:
    tag, name = struct.unpack_from("<qQ", data, at)
    if tag != NEEDED:
        continue
    for theirs, ours, becomes in ((b"libimf.so\0", b"libm.so.6", NEEDED), (b"libintlc.so.5\0", b"$ORIGIN", RUNPATH)):
        if data.startswith(theirs, names + name):
            data[names + name:names + name + len(theirs)] = ours.ljust(len(theirs), b"\0")
            struct.pack_into("<q", data, at, becomes)
with open(path, "wb") as file:
    file.write(data)
PYTHON
rm -rf "$target"
mv "$work/tree" "$target"
say "oneDNN is in $target."
