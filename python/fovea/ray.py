"""fovea in Ray: a class for ``ray.data.Dataset.map_batches``.

>>> import ray, fovea.ray  # doctest: +SKIP
>>> pictures = ray.data.read_binary_files("s3://bucket/pictures", include_paths=True)  # doctest: +SKIP
>>> made = pictures.map_batches(  # doctest: +SKIP
...     fovea.ray.Embedder,
...     fn_constructor_kwargs={"model": "resnet50"},
...     batch_format="pyarrow",
...     batch_size=64,
...     num_cpus=2,
...     compute=ray.data.ActorPoolStrategy(size=8),
... )
>>> made.write_parquet("s3://bucket/features")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import Any, Union

from . import set_threads
from ._columns import Columns, Shipped, arrow_columns
from ._model import Model

__all__ = ["Embedder"]


class Embedder:
    """Loads a network once in its actor, and computes on as many cores as the actor has.

    Takes batches as pyarrow's tables (``batch_format="pyarrow"``), with a column of the bytes of files or of paths, and gives them without it
    and with the columns ``embedding`` (list of float32) or ``classes`` and ``probabilities``, null where ``error`` says why a picture could
    not be read. What it holds beside the network is one batch.

    Parameters
    ----------
    model : str, path or Model
        A name or a file is loaded in the actor; to give many actors a model that is here, ``ray.put`` it and give its reference.
    weights : str
        As of `Model.load`.
    column : str
        The pictures'; "bytes" as ``ray.data.read_binary_files`` has it, or one of paths.
    output, mirrored, normalize, top : as of `fovea.dask.embed`
    threads : int
        Cores to compute on; 0: the CPUs that Ray gave the actor.
    """

    def __init__(
        self,
        model: Union[str, "os.PathLike[str]", Model, Any],
        weights: str = "default",
        *,
        column: str = "bytes",
        output: str = "pre_logits",
        mirrored: bool = False,
        normalize: bool = False,
        top: int = 0,
        threads: int = 0,
    ) -> None:
        import ray

        if isinstance(model, ray.ObjectRef):
            model = ray.get(model)
        cores = ray.get_runtime_context().get_assigned_resources().get("CPU", 1) if ray.is_initialized() and not threads else threads
        set_threads(max(1, int(cores)))
        self.column = column
        self.columns = Columns(output, mirrored=mirrored, normalize=normalize, top=top)
        self.model = model if isinstance(model, Model) else Shipped(model, weights).load()

    def __call__(self, batch: Any) -> Any:
        pictures = batch.column(self.column).to_pylist()
        rest = batch.drop_columns([self.column])
        for name, column in arrow_columns(self.columns, self.model, pictures).items():
            rest = rest.append_column(name, column)
        return rest
