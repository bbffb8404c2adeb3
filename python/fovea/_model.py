"""A network with weights."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from . import _core
from ._arrays import Picture, as_given, as_list, is_batch
from ._progress import Progress, Watched
from ._timm import TimmWords
from .errors import InputError, MismatchError

if TYPE_CHECKING:
    from ._arrays import Floats
    from ._inspection import Bench, Summary
    from ._pictures import Features, Heat, Neighbor
    from ._training import TrainResult


class Prediction(NamedTuple):
    """One class of a picture."""

    name: str
    index: int
    probability: float


class IncompatibleKeys(NamedTuple):
    """What `Model.load_state_dict` did not find, and what it has no use for."""

    missing_keys: List[str]
    unexpected_keys: List[str]


class Embeddings(NamedTuple):
    """Features of the pictures that could be read.

    Attributes
    ----------
    features : ndarray of float32, shape [pictures, width] or as the output has it
    indices : list of int
        Which picture each row is of.
    left_out : list of (int, str)
        The pictures that could not be read, and why.
    """

    features: Any
    indices: List[int]
    left_out: List[Tuple[int, str]]


def predictions_of(classes: Sequence[Tuple[str, int, float]]) -> List[Prediction]:
    return [Prediction(*one) for one in classes]


def refuse_left_out(left_out: Sequence[Tuple[int, str]]) -> None:
    if left_out:
        index, reason = left_out[0]
        more = f", and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        raise InputError(f"picture {index}: {reason}{more} (errors=\"skip\" leaves them out)")


class Model(TimmWords):
    """A network with weights: predict, take features, train, replace the head, save.

    Several threads may read a model at once: their calls take turns, and each uses all cores. A call that changes it (training, a
    new head, weights) must be alone; others are refused until it returns. `predictor` is for many callers at once.

    Made by `Model.load`, `fovea.create_model` and `fovea.train`.
    """

    def __init__(self, core: _core.Model, source: str = "", weights: str = "none") -> None:
        super().__init__(core)
        self._source, self._weights = source, weights

    @classmethod
    def load(
        cls,
        name_or_file: Union[str, "os.PathLike[str]"],
        weights: Union[str, "os.PathLike[str]"] = "default",
        *,
        seed: int = 0,
        dtype: str = "f32",
        channels: int = 0,
        progress: Progress = "auto",
    ) -> "Model":
        """Loads a network.

        Parameters
        ----------
        name_or_file : str or path
            A name of `fovea.list_models` ("resnet50", torchvision's; "timm/resnet50", timm's), a model file that training wrote, or
            the folder of a run.
        weights : str or path
            "default": the published ones, fetched into the cache; a tag of theirs; "none": random ones; or a file (.pth,
            .safetensors).
        seed : int
            For what starts new.
        dtype : {"f32", "bf16"}
            What maps lie in memory as.
        channels : int
            Of the pictures; 0: the model's own.
        progress : "auto", callable or None
            Called with bytes done and in all while weights are fetched.

        Raises
        ------
        UsageError
            For an unknown name, with the nearest.
        FileError, FormatError, MismatchError
            For a file that cannot be read, or is another network's.

        Examples
        --------
        >>> model = Model.load("resnet18", "none", seed=1)
        >>> model.name, model.feature_width, len(model.classes)
        ('resnet18', 512, 1000)
        """
        name, tag = os.fspath(name_or_file), os.fspath(weights)
        with Watched(progress, "fetching weights", "B") as told:
            return cls(_core.load(name, tag, seed, dtype, channels, told), name, tag)

    # What it is.

    @property
    def name(self) -> str:
        """The architecture's name."""
        return self._core.name

    @property
    def classes(self) -> List[str]:
        """One name an output; none where there is no head."""
        return self._core.classes

    @property
    def preprocessing(self) -> _core.Preprocessing:
        """What happens to a picture before the network sees it: a copy; assign one to change it."""
        return self._core.preprocessing

    @preprocessing.setter
    def preprocessing(self, wanted: _core.Preprocessing) -> None:
        self._core.preprocessing = wanted

    @property
    def feature_width(self) -> int:
        """Width of the vector that `embed` gives."""
        return self._core.feature_width

    @property
    def channels(self) -> int:
        """Of the pictures."""
        return self._core.channels

    @property
    def dtype(self) -> str:
        """What maps lie in memory as: "f32" or "bf16"."""
        return self._core.dtype

    @property
    def parameter_count(self) -> int:
        """Parameters that can train."""
        return self._core.parameter_count

    @property
    def loaded(self) -> _core.LoadSummary:
        """What loading did: ``missing``, ``unexpected``, ``reshaped``, ``notes``, ``source``."""
        return self._core.loaded

    def __repr__(self) -> str:
        size = self.preprocessing
        return f"<fovea.Model {self.name}, {len(self.classes)} classes, {size.height}x{size.width}, {self.parameter_count / 1e6:.1f} M parameters>"

    # What it sees.

    def predict(
        self, pictures: Union[Picture, Sequence[Picture]], top: int = 5, *, bgr: bool = False, progress: Progress = "auto"
    ) -> Any:
        """The most probable classes, best first.

        Parameters
        ----------
        pictures : picture or sequence of pictures
            Each a path, the bytes of a file, a PIL picture, or pixels uint8 [height, width, 3] (RGB), [height, width, 1] or
            [height, width], of NumPy, torch or whatever knows DLPack.
        top : int
            How many classes.
        bgr : bool
            Arrays' colours are blue, green, red, as OpenCV has them.
        progress : "auto", callable or None
            Of several pictures: called with how many are done and how many there are.

        Returns
        -------
        list of Prediction, or a list of them for several pictures

        Raises
        ------
        InputError
            For a picture that cannot be read.
        TypeError
            For what is no picture, naming type and shape and what is wanted.

        Examples
        --------
        >>> import numpy
        >>> grey = numpy.full((64, 64, 3), 128, numpy.uint8)
        >>> len(Model.load("resnet18", "none").predict(grey, top=3))
        3
        """
        several = as_list(pictures)
        with Watched(progress if several else None, "predicting", "picture") as told:
            classes, left_out = self._core.predict(several if several is not None else [pictures], top, bgr, told)
        self._refuse(left_out, several)
        found = [predictions_of(one) for one in classes]
        return found if several is not None else found[0]

    def embed(
        self,
        pictures: Union[Picture, Sequence[Picture]],
        output: str = "pre_logits",
        *,
        mirrored: bool = False,
        bgr: bool = False,
        errors: str = "raise",
        progress: Progress = "auto",
    ) -> Any:
        """Features of pictures; each row is what the picture alone would give, to the bit.

        Parameters
        ----------
        pictures : picture, sequence of pictures, or float array [N, channels, height, width]
            As for `predict`; floats are prepared pictures (see `fovea.prepare`).
        output : str
            "pre_logits", the vector that the head reads; "pooled", "logits", a tap or any layer (see `features`).
        mirrored : bool
            The mean of the picture's and its mirror image's vectors.
        errors : {"raise", "skip"}
            What to do about pictures that cannot be read; "skip" leaves them out and gives `Embeddings`.

        Returns
        -------
        ndarray of float32
            [width] for one picture, [N, width] for several (maps [N, channels, height, width], tokens [N, T, channels]); or
            `Embeddings`.
        """
        if is_batch(pictures):
            return as_given(self._core.features(pictures, [output])[output], pictures)
        several = as_list(pictures)
        if several == []:
            raise InputError("no picture: an empty list")
        with Watched(progress if several else None, "embedding", "picture") as told:
            features, left_out = self._core.embed(several if several is not None else [pictures], output, mirrored, bgr, told)
        if errors == "skip":
            gone = {index for index, _ in left_out}
            count = len(several) if several is not None else 1
            return Embeddings(features, [i for i in range(count) if i not in gone], left_out)
        self._refuse(left_out, several)
        return features if several is not None else features[0]

    @staticmethod
    def _refuse(left_out: Sequence[Tuple[int, str]], several: Optional[List[Any]]) -> None:
        if left_out and several is None:
            raise InputError(left_out[0][1])
        refuse_left_out(left_out)

    def features(self, pictures: Any, names: Sequence[str], *, bgr: bool = False) -> Dict[str, Any]:
        """Outputs by name; only the part of the network that they need runs.

        Parameters
        ----------
        pictures : picture, or float array [N, channels, height, width]
        names : sequence of str
            A tap (see `taps`; of a transformer the grid of its patches, "TAP:tokens" and "TAP:class_token" the tokens themselves),
            "last_map", "pooled", "pre_logits", "logits", any layer by its parameters' path ("layer1.0.conv2") or any block.

        Returns
        -------
        dict of ndarray of float32
            Maps [N, channels, height, width], vectors [N, width], tokens [N, T, channels]. torch's tensors for torch's.
        """
        wanted = list(names)
        if is_batch(pictures):
            found = self._core.features(pictures, wanted)
        else:
            found = self._core.features_of_picture(pictures, wanted, bgr)
        return {name: as_given(found[name], pictures) for name in wanted}

    def taps(self, height: int = 0, width: int = 0) -> List[_core.TapInfo]:
        """The places with names, with ``channels``, ``stride`` and ``shape``, at a size (0: the model's own)."""
        return self._core.taps(height, width)

    def logits(self, images: Any) -> Any:
        """Plain outputs [N, classes] of prepared pictures, floats [N, channels, height, width]."""
        return as_given(self._core.logits(images), images)

    def probabilities(self, images: Any) -> Any:
        """Probabilities [N, classes] of prepared pictures, floats [N, channels, height, width]."""
        return as_given(self._core.probabilities(images), images)

    def predictor(self, threads_per_call: int = 0) -> "Predictor":
        """The model as it is now, for any number of threads at once.

        Parameters
        ----------
        threads_per_call : int
            Cores that a call computes on; 0: all. For many callers, 1 gives the most pictures a second.
        """
        return Predictor(self._core.predictor(threads_per_call))

    def explain(
        self, picture: Picture, class_name: str = "", *, method: str = "auto", tap: str = "", bgr: bool = False
    ) -> "Heat":
        """Where the network looked: what in a picture speaks for a class.

        Parameters
        ----------
        class_name : str
            Empty: the most probable one.
        method : {"auto", "gradcam", "rollout"}
        tap : str
            Of gradcam: the map that is looked at; empty: the last one.

        Returns
        -------
        Heat
            With ``heat`` [height, width] of the picture, from 0 to 1, and ``overlay`` uint8 [height, width, 3].
        """
        from ._pictures import Heat

        return Heat(**_core.heat_map(self._core, picture, method, tap, class_name, bgr))

    def neighbors(self, features: "Features", picture: Picture, count: int = 10, *, bgr: bool = False) -> List["Neighbor"]:
        """The pictures of `features` that are most like one, the most alike first."""
        from ._pictures import Neighbor

        query = _core.query_features(self._core, features._core, picture, bgr)
        return [Neighbor(*one) for one in _core.nearest(features._core, query, count)]

    # What changes it.

    def replace_head(
        self,
        classes: Union[int, Sequence[str]],
        *,
        seed: int = 0,
        kind: str = "linear",
        hidden: int = 512,
        dropout: float = -1,
        independent: bool = False,
    ) -> None:
        """A new head for these classes, or for so many unnamed ones; rows of classes known by name are kept.

        Parameters
        ----------
        kind : {"linear", "mlp", "concat_pool"}
        hidden : int
            Width inside mlp and concat_pool.
        dropout : float
            Before the last layer; below 0: the network's own.
        independent : bool
            Each class on its own (a picture may have several), rather than one of all.
        """
        names = [] if isinstance(classes, int) else [str(name) for name in classes]
        count = classes if isinstance(classes, int) else 0
        if isinstance(classes, int) and classes < 1:
            raise MismatchError(f"a head of {classes} classes, at least 1 expected")
        self._core.replace_head(names, count, seed, kind, hidden, dropout, independent)
        self._headless = False

    def freeze(self, what: str) -> None:
        """For training: what stays as it is: "none", "all" (but the head), a tap, a pattern of parameter names, "auto"."""
        self._core.freeze(what)

    @property
    def frozen(self) -> str:
        """What `freeze` was told."""
        return self._core.frozen

    def state_dict(self) -> Dict[str, Any]:
        """Parameters and buffers as arrays, under the library's names and in its shapes."""
        return dict(self._core.state_dict())

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Takes weights by name: arrays, or torch's tensors.

        Raises
        ------
        MismatchError
            For another shape, and with `strict` for a name that is missing or not the network's.
        """
        own = self.state_dict().keys()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        if strict and (missing or unexpected):
            raise MismatchError(
                f"loading {self.name}: missing {', '.join(missing[:5]) or 'nothing'}"
                f"{f' and {len(missing) - 5} more' if len(missing) > 5 else ''}, unexpected {', '.join(unexpected[:5]) or 'nothing'}"
                f"{f' and {len(unexpected) - 5} more' if len(unexpected) > 5 else ''}"
            )
        known = {name: array for name, array in state_dict.items() if name in own}
        if known:
            if missing:
                known = {**{name: array for name, array in self.state_dict().items() if name in missing}, **known}
            self._core.load_state_dict(known)
        return IncompatibleKeys(missing, unexpected)

    def train(self, data: Any, **settings: Any) -> "TrainResult":
        """Trains this model; see `fovea.train`."""
        from ._training import train

        return train(self, data, **settings)

    def evaluate(self, data: Any) -> _core.Evaluation:
        """How it does on labelled pictures: a folder with one folder a class, a CSV file, a list of files in such folders, or a `Dataset`."""
        from ._training import data_of

        return _core.evaluate(self._core, data_of(data))

    # What becomes of it.

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes one .safetensors with weights, architecture, classes and preprocessing, which `load` reads back."""
        self._core.save(os.fspath(path))

    def __getstate__(self) -> Dict[str, Any]:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            self.save(path)
            with open(path, "rb") as file:
                return {"file": file.read(), "dtype": self.dtype, "frozen": self.frozen, "words": self._words()}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            with open(path, "wb") as file:
                file.write(state["file"])
            Model.__init__(self, _core.load(path, "default", 0, state["dtype"], 0, None))
        self._take_words(state["words"])
        if state["frozen"] != "none":
            self.freeze(state["frozen"])

    def export_onnx(
        self,
        path: Union[str, "os.PathLike[str]"],
        outputs: Sequence[str] = (),
        *,
        fold_batch_norm: bool = True,
        preprocess: bool = False,
    ) -> _core.ExportResult:
        """Writes the network for other runtimes.

        Parameters
        ----------
        outputs : sequence of str
            "logits", "pooled", "pre_logits", taps or layers; none: what comes out at the end.
        fold_batch_norm : bool
            Into the convolutions before them.
        preprocess : bool
            Resizing and normalization as nodes too; the input is then uint8 [batch, height, width, 3] of any size.
        """
        return _core.export_onnx(self._core, os.fspath(path), list(outputs), fold_batch_norm, preprocess)

    def summary(self, height: int = 0, width: int = 0, batch: int = 1) -> "Summary":
        """What it is made of and what it costs, stage by stage; prints as a table, in notebooks too."""
        from ._inspection import Summary

        return Summary(_core.summary(self._core, height, width, batch))

    def bench(
        self, mode: str = "infer", *, batch: int = 1, height: int = 0, width: int = 0, seconds: float = 3, freeze: str = "none"
    ) -> "Bench":
        """Measured time and memory of this architecture; "train": forward, backward and update."""
        return _core.bench(self.name, mode, batch, height, width, seconds, self.dtype, freeze)


class Predictor:
    """A model as it was when `Model.predictor` was called, for any number of threads at once: no call waits for another."""

    def __init__(self, core: _core.Predictor) -> None:
        self._core = core

    @property
    def classes(self) -> List[str]:
        """One name an output."""
        return self._core.classes

    @property
    def preprocessing(self) -> _core.Preprocessing:
        """What happens to pictures first."""
        return self._core.preprocessing

    @property
    def feature_width(self) -> int:
        """Width of the vectors that `embed` gives."""
        return self._core.feature_width

    @property
    def threads_per_call(self) -> int:
        """Cores that a call computes on."""
        return self._core.threads_per_call

    def predict(self, pictures: Union[Picture, Sequence[Picture]], top: int = 5, *, bgr: bool = False) -> Any:
        """As `Model.predict`."""
        several = as_list(pictures)
        found = [predictions_of(one) for one in self._core.predict(several if several is not None else [pictures], top, bgr)]
        return found if several is not None else found[0]

    def embed(self, pictures: Union[Picture, Sequence[Picture]], *, bgr: bool = False) -> Any:
        """Vectors [width] of one picture, [N, width] of several, or of prepared pictures, floats [N, channels, height, width]."""
        if is_batch(pictures):
            return as_given(self._core.features(pictures, ["pre_logits"])["pre_logits"], pictures)
        several = as_list(pictures)
        features = self._core.embed(several if several is not None else [pictures], bgr)
        return features if several is not None else features[0]

    def logits(self, images: Any) -> Any:
        """As `Model.logits`."""
        return as_given(self._core.logits(images), images)

    def probabilities(self, images: Any) -> Any:
        """As `Model.probabilities`."""
        return as_given(self._core.probabilities(images), images)

    def features(self, images: Any, names: Sequence[str]) -> Dict[str, Any]:
        """As `Model.features`, of prepared pictures."""
        found = self._core.features(images, list(names))
        return {name: as_given(found[name], images) for name in names}
