"""A column of pictures, and what becomes of it: columns of vectors or of classes, and one of errors. What Ray, Spark, Dask and Parquet share."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _core
from ._model import Model
from .errors import UsageError

if TYPE_CHECKING:
    from ._arrays import Floats

Path = Union[str, "os.PathLike[str]"]
Told = Optional[Callable[..., Any]]


class Columns:
    """What is made of a column of pictures, as `fovea.ray.Embedder` and the others are told.

    Parameters
    ----------
    output, mirrored : as of `Model.embed`; maps and tokens are flattened
    normalize : bool
        Each vector divided by its length.
    top : int
        0: vectors; else so many classes with their probabilities.
    """

    def __init__(self, output: str = "pre_logits", *, mirrored: bool = False, normalize: bool = False, top: int = 0) -> None:
        if top < 0:
            raise UsageError(f"top={top}: 0 (vectors) or a number of classes expected")
        self.output, self.mirrored, self.normalize, self.top = output, mirrored, normalize, top

    @staticmethod
    def _readable(pictures: Sequence[Any]) -> Tuple[List[int], List[Any], List[Optional[str]]]:
        """Rows with something in them."""
        rows = [i for i, one in enumerate(pictures) if isinstance(one, (str, bytes, bytearray, memoryview, os.PathLike)) and one]
        errors: List[Optional[str]] = ["no picture: a path or the bytes of a file expected"] * len(pictures)
        for row in rows:
            errors[row] = None
        return rows, [pictures[row] for row in rows], errors

    def vectors(self, model: Model, pictures: Sequence[Any], told: Told = None) -> Tuple["Floats", List[Optional[str]]]:
        """float32 [pictures that could be read, width], and a text for each picture: None, or why it could not be read."""
        import numpy

        rows, readable, errors = self._readable(pictures)
        if not readable:
            return numpy.empty((0, model.feature_width), numpy.float32), errors
        features, left_out = model._core.embed(readable, self.output, self.mirrored, False, told)
        for index, reason in left_out:
            errors[rows[index]] = reason
        features = features.reshape(len(features), -1) if len(features) else numpy.empty((0, model.feature_width), numpy.float32)
        if self.normalize:
            lengths = numpy.sqrt((features.astype(numpy.float64) ** 2).sum(axis=1, keepdims=True))
            features = (features / numpy.where(lengths > 0, lengths, 1)).astype(numpy.float32)
        return features, errors

    def classes(self, model: Model, pictures: Sequence[Any]) -> Tuple[List[Any], List[Any], List[Optional[str]]]:
        """Names and probabilities, best first, a list for each picture that could be read, and errors as of `vectors`."""
        rows, readable, errors = self._readable(pictures)
        if not readable:
            return [], [], errors
        found, left_out = model._core.predict(readable, self.top, False, None)
        for index, reason in left_out:
            errors[rows[index]] = reason
        return [[name for name, _, _ in one] for one in found], [[share for _, _, share in one] for one in found], errors

    def made_of(self, model: Model, pictures: Sequence[Any]) -> Dict[str, List[Any]]:
        """Columns by name, a cell for each picture: ``embedding`` (or ``classes`` and ``probabilities``), None where ``error`` says why."""
        if self.top:
            names, shares, errors = self.classes(model, pictures)
            return {"classes": spread(names, errors), "probabilities": spread(shares, errors), "error": list(errors)}
        vectors, errors = self.vectors(model, pictures)
        return {"embedding": spread(list(vectors), errors), "error": list(errors)}


def spread(cells: Sequence[Any], errors: Sequence[Optional[str]]) -> List[Any]:
    """A cell for each row: those of readable pictures in turn, None for others."""
    each = iter(cells)
    return [next(each) if error is None else None for error in errors]


def embedding_column(vectors: "Floats", errors: Sequence[Optional[str]]) -> Any:
    """pyarrow's list<float>, null where there is an error; the numbers are not copied one by one."""
    import numpy
    import pyarrow

    readable = numpy.array([error is None for error in errors], bool)
    width = vectors.shape[1]
    offsets = numpy.concatenate([[0], numpy.cumsum(readable) * width]).astype(numpy.int32)
    mask = pyarrow.array(~readable)
    values = pyarrow.array(vectors.ravel(), pyarrow.float32())
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), values, mask=mask)


def text_column(texts: Sequence[Optional[str]]) -> Any:
    import pyarrow

    return pyarrow.array(texts, pyarrow.string())


def arrow_columns(columns: Columns, model: Model, pictures: Sequence[Any]) -> Dict[str, Any]:
    """The columns of `Columns.made_of` as pyarrow's arrays."""
    import pyarrow

    if not columns.top:
        vectors, errors = columns.vectors(model, pictures)
        return {"embedding": embedding_column(vectors, errors), "error": text_column(errors)}
    made = columns.made_of(model, pictures)
    return {
        "classes": pyarrow.array(made["classes"], pyarrow.list_(pyarrow.string())),
        "probabilities": pyarrow.array(made["probabilities"], pyarrow.list_(pyarrow.float32())),
        "error": text_column(made["error"]),
    }


def frame_of(columns: Columns, model: Model, pictures: Sequence[Any], index: Any) -> Any:
    """The columns of `Columns.made_of` as a DataFrame of objects."""
    import pandas

    made = columns.made_of(model, list(pictures))
    return pandas.DataFrame({name: pandas.Series(cells, index=index, dtype=object) for name, cells in made.items()})


class Shipped:
    """A model on its way to other processes: by its name or file, or with its weights. Each process loads it once."""

    _there: Dict[str, Model] = {}
    _lock = threading.Lock()

    def __init__(self, model: Union[Model, Path], weights: str = "default") -> None:
        if isinstance(model, Model):
            self.bytes = pickle.dumps(model)
        else:
            self.bytes = pickle.dumps((os.fspath(model), weights))
        self.key = hashlib.sha256(self.bytes).hexdigest()

    def __dask_tokenize__(self) -> str:
        return self.key

    def load(self) -> Model:
        """The model, of this process."""
        with Shipped._lock:
            if self.key not in Shipped._there:
                told = pickle.loads(self.bytes)
                Shipped._there.clear()  # no more than one is held
                Shipped._there[self.key] = told if isinstance(told, Model) else Model.load(told[0], told[1], progress=None)
            return Shipped._there[self.key]
