"""Labelled pictures, wherever they come from."""

from __future__ import annotations

import os
from typing import Any, Callable, Iterable, List, Sequence, Union

from . import _core
from ._arrays import Picture, as_list
from .errors import MismatchError, UsageError

Path = Union[str, "os.PathLike[str]"]
# One class by index or name, several of either, or a share of each class.
Labels = Union[int, str, Sequence[int], Sequence[str], Sequence[float]]


def _labels_of(value: Any) -> Any:
    """As the library takes them."""
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "__index__") and getattr(value, "ndim", 0) == 0:
        return int(value)
    items = value.tolist() if hasattr(value, "tolist") else list(value)
    if not isinstance(items, list):
        raise TypeError(f"{value!r} is no label: an index, a name, several of them, or a share of each class expected")
    return [str(item) if isinstance(item, str) else float(item) if isinstance(item, float) else int(item) for item in items]


class DatasetSource:
    """Pictures that are made when they are asked for; to be derived from, for `Dataset.from_source`.

    ``picture`` is called from several threads, and again in each epoch; the same index gives the same pixels. An `InputError` that it
    raises is that of a picture that cannot be read; anything else ends the work and comes out of the call. The others are called once for
    each picture, when the dataset is made.
    """

    def __len__(self) -> int:
        raise NotImplementedError

    def picture(self, index: int) -> Picture:
        """A path, the bytes of a file, a PIL picture or pixels uint8 [height, width, 3]."""
        raise NotImplementedError

    def labels(self, index: int) -> Labels:
        """What it shows."""
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What it is called in errors and reports; no other has the same."""
        return f"picture {index}"

    def group(self, index: int) -> str:
        """Pictures of one group stay on one side of every split; empty: by itself."""
        return ""


class _Source:
    """A source with labels as the library takes them."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.picture: Callable[[int], Any] = source.picture
        self.name: Callable[[int], str] = getattr(source, "name", lambda index: f"picture {index}")
        self.group: Callable[[int], str] = getattr(source, "group", lambda index: "")

    def __len__(self) -> int:
        return len(self.source)

    def labels(self, index: int) -> Any:
        return _labels_of(self.source.labels(index))


class Dataset:
    """Labelled pictures with the part of a training that each belongs to, and its group. Every method leaves it as it is.

    `fovea.train`, `Model.evaluate`, `fovea.find_rate` and `fovea.Trainer` take one in place of a folder. The same pictures under the same
    names give the same bits, wherever they come from.
    """

    def __init__(self, core: _core.Dataset) -> None:
        self._core = core

    @classmethod
    def load(cls, path: Path) -> "Dataset":
        """A folder with one folder a class, or with train/, val/ and test/ of these; or a CSV file of files and labels."""
        return cls(_core.Dataset.load(os.fspath(path)))

    @classmethod
    def from_files(cls, files: Iterable[Path]) -> "Dataset":
        """Files, whose folders' names are their classes."""
        return cls(_core.Dataset.from_files([os.fspath(file) for file in files]))

    @classmethod
    def from_memory(
        cls,
        pictures: Sequence[Picture],
        labels: Sequence[Labels],
        *,
        names: Sequence[str] = (),
        groups: Sequence[str] = (),
        classes: Sequence[str] = (),
        independent: bool = False,
        bgr: bool = False,
    ) -> "Dataset":
        """Pictures in memory; arrays are used where they lie, files are decoded when they are needed.

        Parameters
        ----------
        pictures : sequence of pictures, or uint8 array [N, height, width, 3]
        labels : sequence, one element a picture
            An index, a name; several of either (each class is then a question of its own); or numbers from 0 to 1, one a class.
        names : sequence of str
            In errors and reports; none: "picture 0", ...
        groups : sequence of str
            Pictures of one group (a patient, a part, a video) stay on one side of every split.
        classes : sequence of str
            In the order of the indices; none: the names among the labels, sorted, or "0", "1", ...
        independent : bool
            Numbers by class answer each class on its own, and need not add up to 1.

        Raises
        ------
        MismatchError
            For another number of labels, names or groups than pictures.
        InputError
            For a label that is no class, a name that is there twice, fewer than two classes.

        Examples
        --------
        >>> import fovea, numpy
        >>> pictures = numpy.zeros((4, 8, 8, 3), numpy.uint8)
        >>> data = fovea.Dataset.from_memory(pictures, ["cat", "dog", "cat", "dog"])
        >>> len(data), data.classes, data.labels(1)
        (4, ['cat', 'dog'], 1)
        """
        several = as_list(pictures)
        if several is None:
            raise UsageError("one picture; a sequence of pictures expected")
        for what, values in (("labels", labels), ("names", names), ("groups", groups)):
            if len(values) != len(several) and (what == "labels" or len(values)):
                raise MismatchError(f"{len(several)} pictures and {len(values)} {what}")
        told = [_labels_of(one) for one in labels]
        return cls(_core.Dataset.from_memory(several, told, list(names), list(groups), list(classes), independent, bgr))

    @classmethod
    def from_source(cls, source: DatasetSource, *, classes: Sequence[str] = (), independent: bool = False) -> "Dataset":
        """Pictures that `source` makes when they are asked for."""
        return cls(_core.Dataset.from_source(_Source(source), list(classes), independent))

    def __len__(self) -> int:
        return len(self._core)

    def __repr__(self) -> str:
        return f"<fovea.Dataset {len(self)} pictures, {len(self.classes)} classes>"

    @property
    def classes(self) -> List[str]:
        """The names of the classes, in the order of the indices."""
        return self._core.classes

    @property
    def independent(self) -> bool:
        """Pictures may show several classes or none, and each is a question of its own."""
        return self._core.independent

    def name(self, index: int) -> str:
        """Of a picture; of a file its path."""
        return self._core.name(index)

    def labels(self, index: int) -> Any:
        """Of a picture: an index, a list of indices, or a list of numbers, one a class."""
        return self._core.labels(index)

    def part(self, index: int) -> str:
        """Of a picture: "train", "validation" or "test"."""
        return self._core.part(index)

    def group(self, index: int) -> str:
        """Of a picture; empty: by itself."""
        return self._core.group(index)

    def picture(self, index: int) -> Any:
        """The pixels of a picture, uint8 [height, width, 3]; decoded in each call."""
        return self._core.picture(index)

    def subset(self, indices: Sequence[int]) -> "Dataset":
        """These pictures, in this order."""
        return Dataset(self._core.subset([int(index) for index in indices]))

    def filter(self, keep: Callable[[int], bool]) -> "Dataset":
        """Those pictures of whose index `keep` gives True."""
        return self.subset([index for index in range(len(self)) if keep(index)])

    def join(self, other: "Dataset") -> "Dataset":
        """The pictures of both."""
        return Dataset(self._core.join(other._core))

    def as_part(self, part: str) -> "Dataset":
        """All pictures as "train", "validation" or "test"."""
        return Dataset(self._core.as_part(part))

    def only(self, part: str) -> "Dataset":
        """The pictures of this part."""
        return Dataset(self._core.only(part))

    def grouped(self, group_of: Callable[[int], str]) -> "Dataset":
        """The same pictures with the group that `group_of` gives for each index."""
        return Dataset(self._core.grouped(group_of))

    def split(self, validation: float = 0, test: float = 0, seed: int = 0) -> "Dataset":
        """Shares of each class as validation and test pictures; groups stay on one side."""
        return Dataset(self._core.split(validation, test, seed))
