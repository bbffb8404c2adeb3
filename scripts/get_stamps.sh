#!/usr/bin/env bash
# get_stamps.sh [DIRECTORY]: 200 pictures of twelve kinds, one folder a class, into DIRECTORY (build/demo/pictures). They are cut-out photographs from
# Debian's package tuxpaint-stamps-default (GPL-2, 161 MB), which is unpacked but not installed.
set -euo pipefail
. "$(dirname "$0")/common.sh"
root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-$root/build/demo/pictures}

# class, folder of the package, pictures
classes='birds animals/birds 35
bovines animals/mammals/bovines 16
fish animals/fish 11
flowers plants/flowers 24
fruit food/fruit 26
insects animals/insects 9
planets space/planets 10
roadsigns town/roadsigns 21
rodents animals/mammals/rodents 8
sports sports 9
tools household/tools 13
vegetables food/vegetables 18'

count() { find "$1" -type f -name '*.png' 2>/dev/null | wc -l; }

if [ "$(count "$target")" = 200 ]; then
  say "The pictures are in $target."
  exit 0
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
  die "needs apt-get and dpkg-deb, as on Debian and Ubuntu, to get the package tuxpaint-stamps-default"

work=$target.part
rm -rf "$work"
mkdir -p "$work/package" "$work/all" "$work/pictures"
trap 'rm -rf "$work"' EXIT
[ -n "$(apt_candidate tuxpaint-stamps-default)" ] || as_root apt-get update -q=2
# As the user who asks: apt's own user cannot write here.
(cd "$work/package" && apt-get download -q=2 -o APT::Sandbox::User="$(id -un)" tuxpaint-stamps-default)

stamps=./usr/share/tuxpaint/stamps
members=(./usr/share/doc/tuxpaint-stamps-default/copyright)
while read -r _ folder _; do members+=("$stamps/$folder/*.png"); done <<<"$classes"
dpkg-deb --fsys-tarfile "$work"/package/*.deb | tar -x -C "$work/all" --wildcards --no-wildcards-match-slash "${members[@]}"
while read -r class folder pictures; do
  mkdir "$work/pictures/$class"
  mv "$work/all/$stamps/$folder"/*.png "$work/pictures/$class"
  found=$(count "$work/pictures/$class")
  [ "$found" = "$pictures" ] || die "tuxpaint-stamps-default: $folder holds $found pictures, expected $pictures"
done <<<"$classes"

rm -rf "$target"
mv "$work/pictures" "$target"
mv "$work/all/usr/share/doc/tuxpaint-stamps-default/copyright" "$target.copyright"
say "200 pictures of twelve kinds are in $target."
