"""fovea in Spark: ``DataFrame.mapInPandas`` and a ``pandas_udf``.

>>> import fovea.spark  # doctest: +SKIP
>>> pictures = spark.read.format("binaryFile").load("s3a://bucket/pictures")  # doctest: +SKIP
>>> fovea.spark.embed(pictures, "resnet50", column="content").write.parquet("s3a://bucket/features")  # doctest: +SKIP
>>> embedded = fovea.spark.embed_udf("resnet50")  # doctest: +SKIP
>>> pictures.select("path", embedded("content").alias("made")).select("path", "made.embedding", "made.error")  # doctest: +SKIP

The model's weights are broadcast: each executor gets them once, and each of its Python processes makes one network of them. A task computes
on ``spark.task.cpus`` cores. Rows come in batches of ``spark.sql.execution.arrow.maxRecordsPerBatch`` (10,000 where nothing is said): with
whole files in the rows, 64 keeps the memory of a process small.
"""

from __future__ import annotations

import os
from typing import Any, Iterator, Union

from ._columns import Columns, Shipped, frame_of
from ._model import Model

__all__ = ["embed", "embed_udf"]


def _schema(columns: Columns) -> str:
    what = "classes array<string>, probabilities array<float>" if columns.top else "embedding array<float>"
    return what + ", error string"


def _broadcast(session: Any, model: Union[str, "os.PathLike[str]", Model], weights: str) -> Any:
    return session.sparkContext.broadcast(Shipped(model, weights))


def _cores(session: Any) -> int:
    return int(session.conf.get("spark.task.cpus", "1"))


def _loaded(shipped: Any, cores: int) -> Model:
    from . import set_threads, threads

    if threads() != cores:
        set_threads(cores)
    model: Model = shipped.value.load()
    return model


def embed_udf(
    model: Union[str, "os.PathLike[str]", Model],
    weights: str = "default",
    *,
    output: str = "pre_logits",
    mirrored: bool = False,
    normalize: bool = False,
    top: int = 0,
    session: Any = None,
) -> Any:
    """A ``pandas_udf`` from a column of paths or of the bytes of files to a struct of ``embedding`` (array of float), or ``classes`` and
    ``probabilities``, and ``error``, of which one is null.

    Parameters
    ----------
    model : str, path or Model
        A name or a file is loaded by each process that needs it; a `Model` goes there with its weights.
    output, mirrored, normalize, top : as of `fovea.dask.embed`
    session : SparkSession
        None: the active one.
    """
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import pandas_udf

    session = session or SparkSession.getActiveSession()
    columns = Columns(output, mirrored=mirrored, normalize=normalize, top=top)
    shipped, cores = _broadcast(session, model, weights), _cores(session)

    def made(batches: Iterator[Any]) -> Iterator[Any]:
        loaded = _loaded(shipped, cores)
        for batch in batches:
            yield frame_of(columns, loaded, batch, batch.index)

    import pandas

    made.__annotations__ = {"batches": Iterator[pandas.Series], "return": Iterator[pandas.DataFrame]}
    return pandas_udf(made, returnType=_schema(columns))


def embed(
    frame: Any,
    model: Union[str, "os.PathLike[str]", Model],
    weights: str = "default",
    *,
    column: str = "content",
    output: str = "pre_logits",
    mirrored: bool = False,
    normalize: bool = False,
    top: int = 0,
) -> Any:
    """The frame without its column of pictures and with the columns of `embed_udf`, by ``mapInPandas``."""
    columns = Columns(output, mirrored=mirrored, normalize=normalize, top=top)
    shipped, cores = _broadcast(frame.sparkSession, model, weights), _cores(frame.sparkSession)

    def made(batches: Iterator[Any]) -> Iterator[Any]:
        import pandas

        loaded = _loaded(shipped, cores)
        for batch in batches:
            yield pandas.concat([batch.drop(columns=[column]), frame_of(columns, loaded, batch[column], batch.index)], axis=1)

    from pyspark.sql.types import StructType

    kept = [field for field in frame.schema.fields if field.name != column]
    return frame.mapInPandas(made, StructType([*kept, *StructType.fromDDL(_schema(columns)).fields]))
