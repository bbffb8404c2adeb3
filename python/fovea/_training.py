"""Training, its settings and what comes of it."""

from __future__ import annotations

import html
import inspect
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypedDict, Union

from . import _core
from ._dataset import Dataset
from ._model import Model
from ._progress import Bar, Progress, shown
from .errors import UsageError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._settings import TrainSettings

Path = Union[str, "os.PathLike[str]"]
Data = Union[Path, Sequence[Path], Dataset]


def data_of(data: Data) -> Union[str, List[str], _core.Dataset]:
    """A folder or CSV file, files, or a dataset."""
    if isinstance(data, Dataset):
        return data._core
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    files = [os.fspath(path) for path in data]
    if not files:
        raise UsageError("no picture: an empty list")
    return files


class Callbacks(TypedDict, total=False):
    """Functions that a training calls."""

    on_epoch: Optional[Callable[[Dict[str, Any]], Any]]
    on_step: Optional[Callable[[Dict[str, Any]], Any]]
    rate_of_step: Optional[Callable[[int, int], float]]
    augment_picture: Optional[Callable[[Any, int], Any]]
    loss_callback: Optional[Callable[[Any, Any], Tuple[float, Any]]]
    loss_of_maps: Optional[Callable[[_core.Map, _core.Map], _core.Map]]
    metrics: Optional[Mapping[str, Callable[[_core.Evaluation], float]]]


def callbacks_of(functions: Callbacks) -> _core.Callbacks:
    told = _core.Callbacks()
    for name, function in functions.items():
        if name == "metrics":
            told.metrics = dict(functions["metrics"] or {})
        elif function is not None and not callable(function):
            raise TypeError(f"{name}={function!r}: a function expected")
        else:
            setattr(told, name, function)
    return told


# Keywords by name: the command's options with _ for -, and what is told by "no-..." there turned around.
def _keyword(setting: str) -> str:
    return setting.removeprefix("no-").replace("-", "_")


_PREPROCESSING: Dict[str, str] = {
    "fit": "crop, pad, squash, squash+pad, or auto: what cross validation prefers",
    "alpha": "white or drop: what lies under transparency",
    "decode": "exact or fast: how large JPEGs are decoded",
    "range": "(min, max) or auto: what becomes black and white of wide greys",
    "page": "which picture of files that hold several, from 1",
    "size": "height and width of what the network gets: a number or (height, width)",
}


def _bytes(name: str, value: Union[int, str]) -> str:
    if isinstance(value, int):
        return str(value)
    match = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?)(i?)b?\s*", value.lower())
    if not match:
        raise UsageError(f"{name}={value!r}: bytes, or a number with K, M or G behind it expected, as '500M' or '1.5G'")
    number, unit, binary = match.groups()
    return str(int(float(number) * (1024 if binary else 1000) ** " kmgt".index(unit or " ")))


def _text(setting: _core.TrainSetting, value: Any) -> str:
    if setting.size:
        return _bytes(_keyword(setting.name), value)
    if isinstance(value, bool):
        raise TypeError(f"{_keyword(setting.name)}={value!r}: {setting.type} expected")
    if isinstance(value, float):
        return repr(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _settings_of(keywords: Mapping[str, Any]) -> Tuple[Dict[str, str], _core.Shaping]:
    """What the library is told: settings as texts, and how pictures are prepared."""
    settings = {setting.name: setting for setting in _core.train_settings()}
    texts: Dict[str, str] = {}
    shaping = _core.Shaping()
    for keyword, value in keywords.items():
        name = keyword.replace("_", "-")
        if value is None:
            continue
        if keyword in _PREPROCESSING:
            _shape(shaping, keyword, value)
        elif value is False and "no-" + name in settings:
            texts["no-" + name] = "yes"
        elif value is True and "no-" + name in settings:
            continue
        elif name in settings and not settings[name].type:
            if not isinstance(value, bool):
                raise TypeError(f"{keyword}={value!r}: True or False expected")
            if value:
                texts[name] = "yes"
        elif name in settings:
            texts[name] = _text(settings[name], value)
        else:
            texts[name] = str(value)  # the library names the nearest
    return texts, shaping


def settings_of(model: Model, settings: Mapping[str, Any]) -> Tuple[Dict[str, str], _core.Shaping]:
    """The same with what `fovea.create_model` was told for trainings."""
    keywords = dict(settings)
    if model.drop_rate is not None:
        keywords.setdefault("dropout", model.drop_rate)
    if model.drop_path_rate is not None:
        keywords.setdefault("stochastic_depth", model.drop_path_rate)
    return _settings_of(keywords)


def _shape(shaping: _core.Shaping, keyword: str, value: Any) -> None:
    if keyword == "size":
        shaping.height, shaping.width = (value, value) if isinstance(value, int) else (int(side) for side in value)
    elif keyword == "range" and not isinstance(value, str):
        shaping.range = f"{value[0]},{value[1]}"
    else:
        setattr(shaping, keyword, value)


class TrainResult:
    """What came of a training. The model itself is trained in place, and is here too.

    Attributes
    ----------
    model : Model
    validation, test : Score
        With ``accuracy`` and ``pictures``.
    history : dict of ndarray
        A column each: epoch, phase, train_loss, train_accuracy, validation_loss, validation_accuracy, rate, seconds, ..., and the
        caller's own metrics. Not a number where there is none.
    recipe, reason : str
        What ran, and why.
    epochs, best_epoch : int
    seconds : float
    left_out : list of BadPicture
    interrupted : bool
        A callback ended it.
    folds, seeds : Spread or None
    out_of_fold : Evaluation or None
    out : str
        The run's folder; empty: nothing was written.
    """

    def __init__(self, core: _core.TrainResult, model: Model, out: str) -> None:
        self._core, self.model, self.out = core, model, out

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_core":
            raise AttributeError(name)
        return getattr(self._core, name)

    def __dir__(self) -> List[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._core) if not name.startswith("_"))})

    @property
    def history(self) -> Dict[str, Any]:
        import numpy

        rows = self._core.history
        columns: Dict[str, Any] = {"epoch": numpy.array([row.epoch for row in rows], numpy.int64)}
        columns["phase"] = numpy.array([row.phase for row in rows])
        for name in (
            "train_loss",
            "train_accuracy",
            "validation_loss",
            "validation_accuracy",
            "validation_precision",
            "rate",
            "seconds",
            "waited_seconds",
        ):
            values = [getattr(row, name) for row in rows]
            columns[name] = numpy.array([numpy.nan if value is None else value for value in values], numpy.float64)
        for name in dict.fromkeys(name for row in rows for name in row.metrics):
            columns[name] = numpy.array([row.metrics.get(name, numpy.nan) for row in rows], numpy.float64)
        return columns

    def to_pandas(self) -> Any:
        """The history as a DataFrame, indexed by epoch; needs pandas."""
        import pandas

        return pandas.DataFrame(self.history).set_index("epoch")

    @property
    def report(self) -> "Report":
        """The run's page."""
        if not self.out:
            raise UsageError("nothing was written: train(..., out=FOLDER) writes a report")
        return Report(os.path.join(self.out, "report.html"))

    def __repr__(self) -> str:
        return (
            f"<fovea.TrainResult {self.recipe}, {self.epochs} epochs, validation accuracy {self.validation.accuracy:.4f} of "
            f"{self.validation.pictures} pictures, {self.seconds:.1f} s>"
        )

    def _repr_html_(self) -> str:
        if self.out and os.path.exists(os.path.join(self.out, "report.html")):
            return self.report._repr_html_()
        return f"<pre>{html.escape(repr(self))}</pre>"


class Report:
    """A page of a run, shown inside a notebook."""

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def html(self) -> str:
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{html.escape(self.html, quote=True)}" style="width:100%;height:600px;border:0"></iframe>'

    def __repr__(self) -> str:
        return f"<fovea report {self.path}>"


def report(run: Path) -> Report:
    """Writes RUN/report.html again from what a finished run left in its folder."""
    return Report(_core.write_report(os.fspath(run)))


class _Told:
    """Progress of a training: a bar, or the caller's function."""

    def __init__(self, progress: Any) -> None:
        self.bar = Bar("", "step") if progress == "auto" and shown() else None
        self.callback = None if progress == "auto" else progress
        self.phase = ""

    def __call__(self, step: Dict[str, Any]) -> Any:
        if self.callback:
            return self.callback(step)
        assert self.bar
        if step["phase"] != self.phase:
            self.phase = step["phase"]
            self.bar.clear()
            self.bar = Bar(self.phase, "step")
        done = max(step["epoch"] - 1, 0) * step["steps"] + step["step"]
        words = f", loss={step['loss']:.3f}" + (f", best={step['best']:.1%}" if step["best"] is not None else "")
        self.bar(done, max(step["epochs"], 1) * step["steps"], words)
        return None

    def note(self, line: str) -> None:
        if self.bar:
            self.bar.clear()
            sys.stderr.write(line + "\n")

    def end(self) -> None:
        if self.bar:
            self.bar.clear()


def train(
    model: Union[Model, str],
    data: Data,
    *,
    progress: Union[Callable[[Dict[str, Any]], Any], str, None] = "auto",
    note: Optional[Callable[[str], Any]] = None,
    on_epoch: Optional[Callable[[Dict[str, Any]], Any]] = None,
    on_step: Optional[Callable[[Dict[str, Any]], Any]] = None,
    rate_of_step: Optional[Callable[[int, int], float]] = None,
    augment_picture: Optional[Callable[[Any, int], Any]] = None,
    loss_callback: Optional[Callable[[Any, Any], Tuple[float, Any]]] = None,
    loss_of_maps: Optional[Callable[[_core.Map, _core.Map], _core.Map]] = None,
    metrics: Optional[Mapping[str, Callable[[_core.Evaluation], float]]] = None,
    **settings: Unpack[TrainSettings],
) -> TrainResult:
    """Trains on pictures whose classes are known.

    Parameters
    ----------
    model : Model or str
        Changed in place; a name or a model file is loaded.
    data : path or sequence of paths
        A folder with one folder a class, or with train/, validation/ and test/ of such folders; a CSV file; or files, whose folders' names
        are their classes; or a `Dataset`.
    progress : "auto", callable or None
        Called on this thread after every step with a dict (phase, epoch, epochs, step, steps, loss, best, rate, ...); one that gives False
        ends the training as the interrupt key does: the step is finished, the run saved. "auto": a line where somebody looks.
    note : callable
        Called with lines of news.
    on_epoch, on_step : callable
        Called on this thread after each epoch with a dict of its row of the history, after each step with what `progress` gets. One that
        gives False ends the run there as if no epochs were left: the best weights are kept and tested.
    rate_of_step : callable
        Gives the rate of a step, from 0, of so many, in place of ``lr``, ``schedule`` and ``warmup``.
    augment_picture : callable
        Gives what a decoded picture becomes: ``augment_picture(pixels, random)`` with pixels uint8 [height, width, 3] and a number that
        depends on the seed, the epoch and the picture alone, in place of all that is drawn. Called from several threads.
    loss_callback : callable
        ``loss_callback(logits, targets)`` on float32 [N, classes] gives the loss and its gradient by the logits, in place of ``loss``.
    loss_of_maps : callable
        The loss composed of `fovea.maps`, which the library differentiates.
    metrics : mapping of str to callable
        Numbers of the validation pictures' `Evaluation` after each epoch, by name, in the history.
    **settings
        As the options of ``fovea train``, with _ for -; those that begin with no- turned around (``report=False``).

    Returns
    -------
    TrainResult

    Raises
    ------
    InputError
        For data that cannot be used.
    UsageError
        For settings that make no sense, naming them.
    KeyboardInterrupt
        After the interrupt key: the step is finished and the run saved first; ``resume=True`` goes on with it.
    """
    if not isinstance(model, Model):
        model = Model.load(model, seed=int(settings.get("seed") or 0), progress="auto" if progress else None)
    callbacks: Callbacks = {
        "on_epoch": on_epoch,
        "on_step": on_step,
        "rate_of_step": rate_of_step,
        "augment_picture": augment_picture,
        "loss_callback": loss_callback,
        "loss_of_maps": loss_of_maps,
        "metrics": metrics,
    }
    texts, shaping = settings_of(model, settings)
    told = _Told(progress)
    listens = told if told.bar or told.callback else None
    try:
        said = note or (told.note if told.bar else None)
        core = _core.train(model._core, data_of(data), texts, shaping, listens, said, callbacks_of(callbacks))
    finally:
        told.end()
    model._headless = False
    return TrainResult(core, model, texts.get("out", ""))


class RateSearch:
    """Losses by rate, of a short training in which the rate grows."""

    def __init__(self, core: _core.RateCurve) -> None:
        self._core = core

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest; 0 where it never falls."""
        return self._core.suggestion

    @property
    def rates(self) -> Any:
        """float64 [steps]."""
        import numpy

        return numpy.array([one.rate for one in self._core.trials])

    @property
    def losses(self) -> Any:
        """float64 [steps]."""
        import numpy

        return numpy.array([one.loss for one in self._core.trials])


def find_rate(
    model: Model, data: Data, *, progress: Any = "auto", **settings: Unpack[TrainSettings]
) -> RateSearch:
    """The range test of rates; the model stays as it is. Settings as of `train`."""
    texts, shaping = _settings_of(settings)
    told = _Told(progress)
    listens = told if told.bar or told.callback else None
    try:
        return RateSearch(_core.find_rate(model._core, data_of(data), texts, shaping, listens, callbacks_of({})))
    finally:
        told.end()


def find_classes(data: Data) -> List[str]:
    """The classes that `train` would find, sorted."""
    return _core.find_classes(data_of(data))


def _describe(function: Any) -> None:
    """Gives `train` the keywords that the library has, with their help."""
    names = inspect.Parameter
    kept = [p for p in inspect.signature(function).parameters.values() if p.kind is not names.VAR_KEYWORD]
    lines, seen = [], {p.name for p in kept}
    for setting in _core.train_settings():
        keyword = _keyword(setting.name)
        if keyword in seen:
            continue
        seen.add(keyword)
        kept.append(names(keyword, names.KEYWORD_ONLY, default=None))
        lines.append(f"    {keyword} : {setting.type or 'bool'}\n        {setting.help}")
    for keyword, words in _PREPROCESSING.items():
        kept.append(names(keyword, names.KEYWORD_ONLY, default=None))
        lines.append(f"    {keyword}\n        {words}")
    function.__signature__ = inspect.Signature(kept)
    function.__doc__ = (function.__doc__ or "").replace("    **settings\n", "\n".join(lines) + "\n    **settings\n")


_describe(train)
