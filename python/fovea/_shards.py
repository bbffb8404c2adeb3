"""Features of any number of pictures, in files of so many each."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Tuple, Union

from . import _core
from ._model import Model
from ._progress import Progress, Watched
from .errors import MismatchError, UsageError

Path = Union[str, "os.PathLike[str]"]


class Shards(NamedTuple):
    """What there is of the shards of one process.

    Attributes
    ----------
    made, there : int
        Shards; there: from before.
    pictures, left_out : int
        Of both: rows with features, and pictures that could not be read.
    """

    made: int
    there: int
    pictures: int
    left_out: int


def embed_shards(
    model: Model,
    files: Iterable[Path],
    folder: Path,
    *,
    size: int = 10000,
    part: Tuple[int, int] = (1, 1),
    format: str = "npy",
    output: str = "pre_logits",
    mirrored: bool = False,
    normalize: bool = False,
    progress: Progress = "auto",
) -> Shards:
    """Features of pictures in shards; what is there is not made again, so that the same call goes on after a crash.

    Parameters
    ----------
    files : iterable of paths
        Taken as they are needed.
    folder : path
        Made where it is not there. npy: shard-000000.npy with .csv, .json and .errors.csv, as ``fovea embed --shards`` writes them.
        parquet: shard-000000.parquet with the columns ``file``, ``embedding`` (a list of float32, null where there is an error) and
        ``error``; needs pyarrow.
    size : int
        Pictures of a shard.
    part : (int, int)
        (2, 8): every eighth shard, from the second on; eight processes with the same files make all.
    format : {"npy", "parquet"}
    output, mirrored : as of `Model.embed`
    normalize : bool
        Each vector divided by its length.

    Returns
    -------
    Shards

    Raises
    ------
    MismatchError
        Where a shard that is there was made otherwise, or is of other files.
    """
    if format not in ("npy", "parquet"):
        raise UsageError(f"format={format!r}: npy or parquet expected")
    record = _core.record_of(model._core, model._source, model._weights, output)
    record.mirrored, record.normalized = mirrored, normalize
    with Watched(progress, "embedding", "picture") as told:
        if format == "parquet":
            return _parquet(model, record, files, os.fspath(folder), size, part, told)
        core = _core.embed_shards(model._core, files, os.fspath(folder), record, size, part[0] - 1, part[1], told, None)
    return Shards(core.made, core.there, core.pictures, core.left_out)


def _check_there(path: str, how: bytes, files: List[str]) -> Tuple[int, int]:
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path)
    before = (file.schema_arrow.metadata or {}).get(b"fovea", b"nothing")
    if before != how:
        raise MismatchError(f"{path}: the shard that is there was made with {before.decode()}, now it is {how.decode()}; name another folder")
    table = file.read(columns=["file", "error"])
    if table["file"].to_pylist() != files:
        raise MismatchError(f"{path}: the shard that is there is not of this list, in which it begins with {files[0]}; name another folder")
    return table["error"].null_count, len(files) - table["error"].null_count


def _write(path: str, how: bytes, columns: List[Any]) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    table = pyarrow.table(columns, names=["file", "embedding", "error"], metadata={b"fovea": how})
    beside = f"{path}.{os.getpid()}.part"
    try:
        parquet.write_table(table, beside)
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def _parquet(
    model: Model,
    record: _core.FeatureRecord,
    files: Iterable[Path],
    folder: str,
    size: int,
    part: Tuple[int, int],
    told: Optional[Callable[..., Any]],
) -> Shards:
    from ._columns import Columns, embedding_column, text_column

    if size < 1:
        raise UsageError(f"shards of {size} pictures, at least 1 expected")
    if not 1 <= part[0] <= part[1]:
        raise UsageError(f"part {part[0]} of {part[1]}, 1 to {max(part[1], 1)} expected")
    how = {name: getattr(record, name) for name in ("architecture", "digest", "output", "mirrored", "normalized")}
    how["preprocessing"] = str(model.preprocessing)
    words = json.dumps(how).encode()
    os.makedirs(folder, exist_ok=True)
    columns = Columns(record.output, mirrored=record.mirrored, normalize=record.normalized)
    made = there = pictures = left_out = 0
    paths = (os.fsdecode(path) for path in files)
    for number in itertools.count():
        shard = list(itertools.islice(paths, size))
        if not shard:
            break
        if number % part[1] != part[0] - 1:
            continue
        path = os.path.join(folder, f"shard-{number:06}.parquet")
        if os.path.exists(path):
            rows, gone = _check_there(path, words, shard)
            there += 1
        else:
            embeddings, errors = columns.vectors(model, shard, told)
            _write(path, words, [shard, embedding_column(embeddings, errors), text_column(errors)])
            gone = sum(error is not None for error in errors)
            rows = len(shard) - gone
            made += 1
        pictures, left_out = pictures + rows, left_out + gone
    return Shards(made, there, pictures, left_out)
