"""How pictures are prepared, in the words of ``timm.data``."""

from __future__ import annotations

import math
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

from . import _core
from ._arrays import Picture
from ._registry import crop_of
from .errors import UnsupportedError, UsageError

IMAGENET_DEFAULT_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEFAULT_STD = (0.229, 0.224, 0.225)
_MODES = {"squash": "squash", "border": "pad", "center": "crop"}


def preprocessing_of(config: Mapping[str, Any], usual: Optional[_core.Preprocessing] = None) -> _core.Preprocessing:
    """timm's config as a `Preprocessing`."""
    wanted = _core.Preprocessing(usual) if usual is not None else _core.Preprocessing()
    pct, mode = crop_of(wanted)
    pct, mode = config.get("crop_pct") or pct, config.get("crop_mode") or mode
    if mode not in _MODES:
        raise UsageError(f"crop_mode {mode!r}; center, squash or border expected")
    if config.get("input_size"):
        wanted.height, wanted.width = (int(side) for side in config["input_size"][-2:])
    wanted.resize = math.floor(min(wanted.height, wanted.width) / pct)
    wanted.fit = "squash_crop" if mode == "squash" and pct < 1 else _MODES[mode]
    if config.get("interpolation"):
        wanted.interpolation = config["interpolation"]
    if config.get("mean"):
        wanted.mean = list(config["mean"])
    if config.get("std"):
        wanted.std = list(config["std"])
    return wanted


def resolve_model_data_config(model: Any, args: Optional[Mapping[str, Any]] = None, **_: Any) -> Dict[str, Any]:
    """How a model's pictures are prepared: ``input_size``, ``interpolation``, ``mean``, ``std``, ``crop_pct``, ``crop_mode``.

    Examples
    --------
    >>> import fovea
    >>> fovea.data.resolve_model_data_config(fovea.create_model("resnet18"))["input_size"]
    (3, 224, 224)
    """
    cfg = model.pretrained_cfg
    keys = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")
    found = {key: cfg[key] for key in keys}
    found.update({key: value for key, value in (args or {}).items() if key in keys and value is not None})
    return found


resolve_data_config = resolve_model_data_config


class Transform:
    """Called with a picture, gives what the network reads: float32 [3, height, width]."""

    def __init__(self, preprocessing: _core.Preprocessing) -> None:
        self.preprocessing = preprocessing

    def __call__(self, picture: Picture) -> Any:
        return _core.prepare(picture, False, self.preprocessing)

    def __repr__(self) -> str:
        return f"Transform({self.preprocessing})"


def create_transform(
    input_size: Union[int, Sequence[int]] = (3, 224, 224),
    is_training: bool = False,
    *,
    interpolation: str = "bilinear",
    mean: Sequence[float] = IMAGENET_DEFAULT_MEAN,
    std: Sequence[float] = IMAGENET_DEFAULT_STD,
    crop_pct: Optional[float] = None,
    crop_mode: Optional[str] = None,
) -> Transform:
    """What makes a network's input of a picture; of training, `fovea.train` takes care itself.

    Parameters
    ----------
    input_size : int, (height, width) or (channels, height, width)
    interpolation : {"bicubic", "bilinear", "nearest"}
    mean, std : sequences of 3 floats
        Of RGB in 0..1.
    crop_pct : float
        The share of the shorter side that the crop keeps; 0.875.
    crop_mode : {"center", "squash", "border"}

    Examples
    --------
    >>> import fovea, numpy
    >>> fovea.data.create_transform((3, 96, 96))(numpy.zeros((200, 300, 3), numpy.uint8)).shape
    (3, 96, 96)
    """
    if is_training:
        raise UnsupportedError("create_transform(is_training=True): fovea.train augments by itself (augment=...)")
    size = (input_size, input_size) if isinstance(input_size, int) else tuple(input_size)
    config = dict(
        input_size=size, interpolation=interpolation, mean=mean, std=std, crop_pct=crop_pct or 0.875, crop_mode=crop_mode or "center"
    )
    return Transform(preprocessing_of(config))
