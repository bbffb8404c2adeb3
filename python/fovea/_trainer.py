"""Training by hand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Sequence, Union

from . import _core
from ._model import Model
from ._training import Callbacks, Data, callbacks_of, data_of, settings_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._settings import TrainSettings

TrainBatch = _core.TrainBatch
TrainedStep = _core.TrainedStep


class Trainer:
    """What `fovea.train` is made of, a call each.

    The steps of the phase that the recipe is about: of "finetune" after the head was trained, which making the trainer does, of "full" from
    the first. Loss, optimizer, rates, augmentation and all that is random are those of `fovea.train` with the same settings, and so are the
    bits where the same calls are made. The model trains in place: between the steps it answers, and cannot be changed.

    Parameters
    ----------
    model : Model
    data : path, sequence of paths, or Dataset
    loss_callback, loss_of_maps, augment_picture, rate_of_step : callable
        As of `fovea.train`.
    **settings
        As of `fovea.train`; what concerns a run as a whole (folds, out, report) has no meaning here.

    Raises
    ------
    UsageError
        For the recipe "probe", which has no steps on pictures.

    Examples
    --------
    >>> import fovea, numpy
    >>> random = numpy.random.default_rng(0)
    >>> pictures = random.integers(0, 256, (12, 32, 32, 3), numpy.uint8)
    >>> data = fovea.Dataset.from_memory(pictures, [i % 2 for i in range(12)])
    >>> model = fovea.create_model("resnet18", num_classes=2)
    >>> trainer = fovea.Trainer(model, data, recipe="full", batch=4, lr=1e-3, size=32, picture_cache=0)
    >>> losses = [trainer.step(batch).loss for batch in trainer]
    >>> len(losses) == trainer.steps, trainer.validate().score.pictures
    (True, 2)
    """

    def __init__(
        self,
        model: Model,
        data: Data,
        *,
        loss_callback: Any = None,
        loss_of_maps: Any = None,
        augment_picture: Any = None,
        rate_of_step: Any = None,
        **settings: Unpack[TrainSettings],
    ) -> None:
        callbacks: Callbacks = {
            "loss_callback": loss_callback,
            "loss_of_maps": loss_of_maps,
            "augment_picture": augment_picture,
            "rate_of_step": rate_of_step,
        }
        texts, shaping = settings_of(model, settings)
        self.model = model
        self._core = _core.Trainer(model._core, data_of(data), texts, shaping, callbacks_of(callbacks))
        model._headless = False

    @property
    def epochs(self) -> int:
        """That the recipe plans."""
        return self._core.epochs

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self._core.steps

    @property
    def taken(self) -> int:
        """Steps taken so far."""
        return self._core.taken

    @property
    def rate(self) -> float:
        """Of the next step."""
        return self._core.rate

    def next(self) -> Optional[TrainBatch]:
        """The next batch of the epoch, which may be changed (``images`` float32 [N, channels, height, width], ``labels``, ``targets``); None
        at its end, once."""
        return self._core.next()

    def __iter__(self) -> Iterator[TrainBatch]:
        """The batches that the epoch still has."""
        while (batch := self.next()) is not None:
            yield batch

    def step(self, batch: Union[TrainBatch, Any], labels: Optional[Sequence[int]] = None) -> TrainedStep:
        """A step on a batch: one of `next`, or prepared pictures float32 [N, channels, height, width] and their classes.

        Returns
        -------
        TrainedStep
            With ``loss``, ``correct`` and ``rate``.
        """
        if labels is not None:
            batch = TrainBatch(batch, [int(label) for label in labels])
        return self._core.step(batch)

    def validate(self) -> _core.Evaluation:
        """Of the validation pictures."""
        return self._core.validate()

    def test(self) -> _core.Evaluation:
        """Of the test pictures."""
        return self._core.test()

    def evaluate(self, data: Data) -> _core.Evaluation:
        """Of other pictures."""
        return self._core.evaluate(data_of(data))

    def state_dict(self) -> Dict[str, Any]:
        """The weights as `validate` sees them: with ``ema`` the averaged ones."""
        return dict(self._core.state_dict())

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Everything that the steps to come depend on."""
        self._core.save(os.fspath(path))

    def load(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Goes on where `save` was called, by a trainer of the same model, pictures and settings."""
        self._core.load(os.fspath(path))
