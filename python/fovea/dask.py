"""fovea in Dask: a column of pictures of a ``dask.dataframe`` becomes a column of vectors.

>>> import dask.dataframe, pandas, fovea.dask  # doctest: +SKIP
>>> frame = dask.dataframe.from_pandas(pandas.DataFrame({"path": files}), npartitions=100)  # doctest: +SKIP
>>> fovea.dask.embed(frame, "resnet50", column="path").to_parquet("features")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import Any, Union

from ._columns import Columns, Shipped, frame_of
from ._model import Model

__all__ = ["embed"]


def _embed_part(part: Any, shipped: Shipped, columns: Columns, column: str, threads: int) -> Any:
    import pandas

    from . import set_threads, threads as threads_now

    cores = threads or _cores()
    if cores and threads_now() != cores:
        set_threads(cores)
    made = frame_of(columns, shipped.load(), part[column], part.index)
    return pandas.concat([part.drop(columns=[column]), made], axis=1)


def _cores() -> int:
    """Threads of the worker that this runs in; 0: in none."""
    try:
        from distributed import get_worker

        return int(get_worker().state.nthreads)
    except (ImportError, ValueError):
        return 0


def embed(
    frame: Any,
    model: Union[str, "os.PathLike[str]", Model],
    weights: str = "default",
    *,
    column: str = "path",
    output: str = "pre_logits",
    mirrored: bool = False,
    normalize: bool = False,
    top: int = 0,
    threads: int = 0,
) -> Any:
    """The frame without its column of pictures and with vectors or classes of them.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        A partition is what a worker holds at a time.
    model : str, path or Model
        A name or a file is loaded by each process that needs it, once; a `Model` goes there with its weights.
    weights : str
        As of `Model.load`.
    column : str
        Paths, or the bytes of files.
    output, mirrored : as of `Model.embed`
        Maps and tokens are flattened.
    normalize : bool
        Each vector divided by its length.
    top : int
        0: a column ``embedding`` of float32 vectors; else ``classes`` and ``probabilities``, so many of each, best first. Null where the
        column ``error`` says why the picture could not be read.
    threads : int
        Cores of a call; 0: as many as the worker has threads.
    """
    import dask
    import pandas

    columns = Columns(output, mirrored=mirrored, normalize=normalize, top=top)
    names = ["classes", "probabilities", "error"] if top else ["embedding", "error"]
    meta = pandas.concat([frame._meta.drop(columns=[column]), pandas.DataFrame({name: pandas.Series(dtype=object) for name in names})], axis=1)
    shipped = dask.delayed(Shipped(model, weights), pure=True)  # one thing in the graph, not one a partition
    return frame.map_partitions(_embed_part, shipped, columns, column, threads, meta=meta)
