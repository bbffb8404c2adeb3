#!/usr/bin/env bash
# get_sysroot.sh [DIRECTORY]: glibc 2.31 and libstdc++ of Debian 11 into DIRECTORY (build/sysroot), for a portable build to link with
# (cmake/portable.cmake). Does nothing where they are there already. What g++'s own libstdc++ has beyond the old one comes from its archive, as in
# Red Hat's toolsets.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
target=$(realpath -m "${1:-$root/build/sysroot}")

if [ -e "$target/link/libstdc++.so" ]; then
  say "The sysroot is in $target."
  exit 0
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || die "needs apt-get and dpkg-deb, as Debian and Ubuntu have them"
if ! command -v debootstrap >/dev/null; then
  say "Installing: debootstrap"
  as_root apt-get update -q=2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends debootstrap >/dev/null
fi

work=$target.part
rm -rf "$work"
mkdir -p "$work/packages" "$work/root/link"
trap 'rm -rf "$work"' EXIT
as_root debootstrap --download-only --variant=minbase --include=libc6-dev,libstdc++6 bullseye "$work/packages" >"$work/log" || die "$(tail -n 1 "$work/log")"
for package in libc6 libc6-dev libcrypt1 libgcc-s1 libstdc++6; do
  dpkg-deb -x "$work"/packages/var/cache/apt/archives/${package}_*.deb "$work/root"
done
# Links lead from the sysroot's root to what lies in it.
find "$work/root" -type l -lname '/*' | while read -r link; do ln -sfnr "$work/root$(readlink "$link")" "$link"; done
# Paths in a linker script start from the sysroot.
libraries=usr/lib/x86_64-linux-gnu
ln -s ../lib/x86_64-linux-gnu/libgcc_s.so.1 "$work/root/link/libgcc_s.so"
ln -s "$(g++ -print-file-name=libstdc++.a)" "$work/root/link/libstdc++_newer.a"
echo "INPUT(/$libraries/libstdc++.so.6 -l:libstdc++_newer.a)" >"$work/root/link/libstdc++.so"
mv "$work/root" "$target"
say "The sysroot is in $target."
