"""The wheel: what is in it, how large it is, and its types."""

import glob
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

import fovea

ROOT = pathlib.Path(__file__).resolve().parents[2]


def wheel():
    path = os.environ.get("FOVEA_WHEEL")
    if not path:
        pytest.skip("FOVEA_WHEEL names no wheel")
    return path


def test_the_wheel_is_small_and_holds_all_that_it_needs():
    assert os.path.getsize(wheel()) < 30e6
    names = zipfile.ZipFile(wheel()).namelist()
    for name in ("fovea/py.typed", "fovea/_core.pyi", "fovea/_settings.pyi", "fovea/bin/fovea"):
        assert name in names
    libraries = [name for name in names if name.startswith("fovea/lib/")]
    assert any("libfovea.so." in name for name in libraries)
    assert len(libraries) == len({os.path.basename(name).split(".so")[0] for name in libraries}), libraries
    metadata = zipfile.ZipFile(wheel()).read(next(name for name in names if name.endswith("METADATA"))).decode()
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert needed == ["Requires-Dist: numpy>=1.24"]
    assert f"\nVersion: {fovea.__version__}\n" in metadata


def test_nothing_is_loaded_from_where_it_was_built():
    maps = subprocess.run(
        [sys.executable, "-c", "import fovea; print(open('/proc/self/maps').read())"], capture_output=True, text=True, check=True
    ).stdout
    loaded = {line.split()[-1] for line in maps.splitlines() if "libfovea" in line or "libdnnl" in line or "libtbb" in line}
    package = os.path.dirname(os.path.realpath(fovea.__file__))
    assert any("libfovea" in path for path in loaded)
    assert all(path.startswith((package, "/usr/lib", "/lib")) for path in loaded), loaded


EXAMPLES = sorted(glob.glob(str(ROOT / "examples/python/*.py")))


def test_the_examples_have_types():
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "--scripts-are-modules", *EXAMPLES], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


def test_the_examples_run(pictures, tmp_path):
    for example in EXAMPLES:
        done = subprocess.run([sys.executable, example, str(pictures)], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0 and done.stdout, done.stderr
