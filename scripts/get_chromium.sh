#!/usr/bin/env bash
# get_chromium.sh: Debian's Chromium, in which the tests look at report.html. Does nothing where it is there already.
set -euo pipefail
. "$(dirname "$0")/common.sh"

if command -v chromium >/dev/null; then
  say "Chromium is installed."
  exit 0
fi
command -v apt-get >/dev/null || die "needs apt-get, as on Debian, to get Chromium; elsewhere put a chromium into PATH"
say "Installing: chromium"
as_root apt-get update -q=2
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q=2 -y --no-install-recommends chromium >/dev/null
