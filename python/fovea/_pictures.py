"""Pictures, features kept in files, audits, and where a network looked."""

from __future__ import annotations

import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _core
from ._arrays import Picture
from ._progress import Progress, Watched

Path = Union[str, "os.PathLike[str]"]


def read_image(picture: Picture, preprocessing: Optional[_core.Preprocessing] = None, *, bgr: bool = False) -> Any:
    """The pixels of a picture, uint8 [height, width, 3], RGB.

    Parameters
    ----------
    picture : path, bytes of a file, PIL picture or array
    preprocessing : Preprocessing
        Of which what lies under transparency, the page, the range of wide greys and the decoding count.

    Raises
    ------
    InputError
        For what is truncated, no picture, or of a format that is not read.
    """
    return _core.pixels(picture, bgr, preprocessing or _core.Preprocessing())


def prepare(
    pictures: Union[Picture, Sequence[Picture]], preprocessing: Optional[_core.Preprocessing] = None, *, bgr: bool = False
) -> Any:
    """What a network reads: float32 [3, height, width] of one picture, [N, 3, height, width] of several.

    Examples
    --------
    >>> import fovea, numpy
    >>> fovea.prepare(numpy.zeros((10, 20, 3), numpy.uint8)).shape
    (3, 224, 224)
    """
    from ._arrays import as_list

    form = preprocessing or _core.Preprocessing()
    several = as_list(pictures)
    if several is None:
        return _core.prepare(pictures, bgr, form)
    import numpy

    return numpy.stack([_core.prepare(one, bgr, form) for one in several])


def picture_formats() -> List[str]:
    """What is read: "JPEG", "PNG", ..."""
    return _core.picture_formats()


def list_pictures(paths: Union[Path, Sequence[Path]]) -> List[str]:
    """The pictures at paths: files themselves, and every file at any depth in folders, sorted."""
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return _core.list_pictures([os.fspath(path) for path in several])


class Neighbor(NamedTuple):
    """A picture that is like another one."""

    row: int
    file: str
    similarity: float


class Features:
    """Features of many pictures with how they were made, as files hold them: see `load_features` and `Features.of`."""

    def __init__(self, core: _core.FeatureSet) -> None:
        self._core = core

    @classmethod
    def of(cls, model: Any, files: Sequence[Path], output: str = "pre_logits", *, mirrored: bool = False, progress: Progress = "auto") -> "Features":
        """Takes features of files; those that cannot be read are left out."""
        paths = [os.path.abspath(os.fspath(file)) for file in files]
        found = model.embed(paths, output, mirrored=mirrored, errors="skip", progress=progress)
        kept = [paths[i] for i in found.indices]
        return cls(_core.feature_set(model._core, found.features, kept, model._source or model.name, model._weights, output, mirrored))

    @property
    def files(self) -> List[str]:
        """One a row."""
        return self._core.files

    @property
    def vectors(self) -> Any:
        """float32 [files, ...]."""
        return self._core.features

    def save(self, path: Path) -> List[str]:
        """Writes PATH.npy with PATH.csv and PATH.json, or PATH.csv; gives the names of what was written."""
        return _core.save_features(self._core, os.fspath(path))

    def __len__(self) -> int:
        return len(self.files)


def load_features(path: Path) -> Features:
    """What `Features.save` and ``fovea embed`` wrote: of PATH.npy."""
    return Features(_core.load_features(os.fspath(path)))


class Audit:
    """What is wrong with pictures; ``details`` is all of it, as ``fovea audit --json`` prints it."""

    def __init__(self, text: str, problems: int) -> None:
        import json

        self.details: Dict[str, Any] = json.loads(text)
        self.problems = problems

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.__dict__.get("details", {}):
            return self.details[name]
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"<fovea.Audit of {self.details.get('pictures')} pictures, {self.problems} problems>"


def audit(data: Union[Path, Sequence[Path]], *, progress: Progress = "auto") -> Audit:
    """Looks at every picture once: unreadable ones, copies, leaks between splits, label conflicts, wrong extensions, imbalance.

    Parameters
    ----------
    data : path or sequence of paths
        A folder with one folder a class, a CSV file, or files in such folders.
    """
    single = isinstance(data, (str, os.PathLike))
    paths = [os.fspath(data)] if isinstance(data, (str, os.PathLike)) else [os.fspath(path) for path in data]
    with Watched(progress, "reading pictures", "picture") as told:
        return Audit(*_core.audit(paths, not single, told))


class Heat(NamedTuple):
    """Where a network looked.

    Attributes
    ----------
    heat : ndarray of float32 [height, width]
        Of the picture; 1 where the map has its maximum.
    map : ndarray of float32 [rows, columns]
        One number a position of the network's map.
    picture, overlay : ndarray of uint8 [height, width, 3]
        The picture, and with the heat over it.
    class_name, class_index, probability
        What was explained.
    method, tap : str
        How, and by which map.
    """

    method: str
    tap: str
    class_name: str
    class_index: int
    probability: float
    heat: Any
    map: Any
    picture: Any
    overlay: Any

    def _repr_png_(self) -> bytes:
        return _core.encode_png(self.overlay, False)
