"""Features in shards: npy as the command writes them, Parquet where pyarrow is there."""

import os
import subprocess

import numpy
import pytest

import fovea
from fovea.errors import MismatchError, UsageError


@pytest.fixture
def files(pictures, tmp_path):
    """16 pictures and two that cannot be read."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    found = fovea.list_pictures(pictures)
    return [*found[:5], str(bad), *found[5:], str(tmp_path / "gone.png")]


def rows_of(folder, count):
    sets = [fovea.load_features(folder / f"shard-{i:06}.npy") for i in range(count)]
    return [file for one in sets for file in one.files], numpy.concatenate([one.vectors for one in sets])


def test_shards_hold_what_embed_gives(model, files, tmp_path):
    done = fovea.embed_shards(model, iter(files), tmp_path / "out", size=5, progress=None)
    assert done == (4, 0, 16, 2)
    expected = model.embed(files, errors="skip")
    names, features = rows_of(tmp_path / "out", 4)
    assert names == [files[i] for i in expected.indices] and (features == expected.features).all()
    os.unlink(tmp_path / "out" / "shard-000002.json")
    assert fovea.embed_shards(model, files, tmp_path / "out", size=5, progress=None) == (1, 3, 16, 2)
    with pytest.raises(MismatchError, match="pooled"):
        fovea.embed_shards(model, files, tmp_path / "out", size=5, output="pooled", progress=None)


def test_the_command_makes_the_same_files(model, files, tmp_path):
    model.save(tmp_path / "model.safetensors")
    command = os.path.join(os.path.dirname(fovea.__file__), "bin", "fovea")
    words = [command, "embed", str(tmp_path / "model.safetensors"), "-", "--shards", str(tmp_path / "theirs"), "--shard-size", "5"]
    subprocess.run(words, input="\n".join(files), text=True, check=True, capture_output=True)
    fovea.embed_shards(fovea.Model.load(tmp_path / "model.safetensors"), files, tmp_path / "ours", size=5, progress=None)
    for name in sorted(os.listdir(tmp_path / "theirs")):
        if not name.endswith(".json"):  # which tell the folder that they were made in
            assert (tmp_path / "theirs" / name).read_bytes() == (tmp_path / "ours" / name).read_bytes(), name
    # Either goes on with the other's.
    assert fovea.embed_shards(fovea.Model.load(tmp_path / "model.safetensors"), files, tmp_path / "theirs", size=5, progress=None).there == 4


def test_parts_make_the_whole(model, files, tmp_path):
    for part in ((2, 3), (1, 3), (3, 3)):
        fovea.embed_shards(model, files, tmp_path, size=5, part=part, normalize=True, progress=None)
    assert fovea.embed_shards(model, files, tmp_path, size=5, normalize=True, progress=None) == (0, 4, 16, 2)
    assert numpy.allclose(numpy.linalg.norm(rows_of(tmp_path, 4)[1], axis=1), 1, atol=1e-6)


def test_parquet_has_a_column_of_errors(model, files, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert fovea.embed_shards(model, files, tmp_path / "out", size=5, format="parquet", progress=None) == (4, 0, 16, 2)
    table = parquet.read_table(tmp_path / "out")
    assert table["file"].to_pylist() == files
    expected = model.embed(files, errors="skip")
    made, errors = table["embedding"].to_pylist(), table["error"].to_pylist()
    assert [i for i, error in enumerate(errors) if error is None] == expected.indices and "gone.png" in errors[-1]
    assert (numpy.array([made[i] for i in expected.indices], numpy.float32) == expected.features).all() and made[5] is None
    os.unlink(tmp_path / "out" / "shard-000001.parquet")
    assert fovea.embed_shards(model, files, tmp_path / "out", size=5, format="parquet", progress=None) == (1, 3, 16, 2)
    with pytest.raises(MismatchError, match="mirrored"):
        fovea.embed_shards(model, files, tmp_path / "out", size=5, format="parquet", mirrored=True, progress=None)
    with pytest.raises(MismatchError, match="list"):
        fovea.embed_shards(model, files[1:], tmp_path / "out", size=5, format="parquet", progress=None)


def test_what_makes_no_sense_is_told(model, files, tmp_path):
    for settings, words in ((dict(size=0), "0 pictures"), (dict(part=(3, 2)), "3 of 2"), (dict(format="csv"), "csv")):
        with pytest.raises(UsageError, match=words):
            fovea.embed_shards(model, files, tmp_path, progress=None, **settings)


def test_an_exception_among_the_files_comes_out(model, files, tmp_path):
    def broken():
        yield files[0]
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        fovea.embed_shards(model, broken(), tmp_path, size=5, progress=None)
