"""Networks by name, in timm's words."""

from __future__ import annotations

import fnmatch
import functools
import math
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from . import _core
from .errors import UnsupportedError, UsageError


def _natural(name: str) -> List[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name.lower())]


@functools.cache
def _networks() -> Tuple[_core.ModelInfo, ...]:
    """All networks; asked for once, since their parameters are counted each time."""
    return tuple(_core.list_models())


def _plain_names() -> Dict[str, str]:
    """timm's names, each with fovea's."""
    names: Dict[str, str] = {}
    for info in _networks():
        if info.layout == "timm":
            names[info.name.removeprefix("timm/")] = info.name
    return names


def _names() -> Dict[str, str]:
    """timm's names, and torchvision's where timm has none of the same."""
    names = {info.name: info.name for info in _networks()}
    names.update(_plain_names())
    return names


def _matching(names: Sequence[str], filter: Union[str, Sequence[str]], exclude: Union[str, Sequence[str]]) -> List[str]:
    include = [filter] if isinstance(filter, str) else list(filter)
    without = [exclude] if isinstance(exclude, str) else list(exclude)
    found = set(names) if not any(include) else {name for one in include for name in fnmatch.filter(names, one)}
    for one in without:
        found -= set(fnmatch.filter(names, one))
    return sorted(found, key=_natural)


def list_models(
    filter: Union[str, Sequence[str]] = "",
    module: Union[str, Sequence[str]] = "",
    pretrained: bool = False,
    exclude_filters: Union[str, Sequence[str]] = "",
    name_matches_cfg: bool = False,
    include_tags: Optional[bool] = None,
) -> List[str]:
    """Names of networks, as timm has them.

    Parameters
    ----------
    filter : str or sequence of str
        Patterns as of files ("resnet*").
    module : str or sequence of str
        Families.
    pretrained : bool
        Only those with published weights, with their tags.
    exclude_filters : str or sequence of str
        Patterns of names to leave out.

    Examples
    --------
    >>> import fovea
    >>> fovea.list_models("resnet1*")[:2]
    ['resnet10t', 'resnet14t']
    """
    names = _plain_names()
    families = {info.name: info.family for info in _networks()}
    modules = [module] if isinstance(module, str) else list(module)
    known = [name for name, ours in names.items() if not any(modules) or families[ours] in modules]
    if not pretrained:
        return _matching(known, filter, exclude_filters)
    tagged = list_pretrained()
    tagged = [name for name in tagged if name.partition(".")[0] in known]
    patterns = [filter] if isinstance(filter, str) else list(filter)
    return _matching(tagged, [p if "." in p or not p else p + ("" if p.endswith("*") else ".*") for p in patterns], exclude_filters)


def list_pretrained(filter: Union[str, Sequence[str]] = "", exclude_filters: Union[str, Sequence[str]] = "") -> List[str]:
    """Published weights as "NAME.TAG", which `create_model` takes with ``pretrained=True``.

    Examples
    --------
    >>> import fovea
    >>> fovea.list_pretrained("resnet18*")[:2]
    ['resnet18.a1_in1k', 'resnet18.a2_in1k']
    """
    names = {ours: name for name, ours in _plain_names().items()}
    tagged = [f"{names[one.model]}.{one.tag}" for one in _core.published_weights() if one.model in names]
    return _matching(tagged, filter, exclude_filters)


def published_weights() -> List[_core.WeightsInfo]:
    """Published weights with ``tag``, ``source``, ``licence``, ``accuracy1``, ``path`` and ``cached``."""
    return _core.published_weights()


def is_model(model_name: str) -> bool:
    """Whether there is a network of this name."""
    return model_name.partition(".")[0] in _names()


def crop_of(preprocessing: _core.Preprocessing) -> Tuple[float, str]:
    """timm's crop_pct and crop_mode."""
    if preprocessing.fit == "squash":
        return 1.0, "squash"
    if preprocessing.fit == "pad":
        return 1.0, "border"
    mode = "squash" if preprocessing.fit == "squash_crop" else "center"
    pct = min(preprocessing.height, preprocessing.width) / preprocessing.resize
    for digits in range(1, 6):  # the shortest number that gives the same size
        short = round(pct, digits)
        if short > 0 and math.floor(min(preprocessing.height, preprocessing.width) / short) == preprocessing.resize:
            return short, mode
    return pct, mode


class PretrainedCfg(Dict[str, Any]):
    """A dict whose keys are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def to_dict(self) -> Dict[str, Any]:
        return dict(self)


def _config(name: str, preprocessing: _core.Preprocessing, channels: int, classes: int, tag: str) -> PretrainedCfg:
    pct, mode = crop_of(preprocessing)
    return PretrainedCfg(
        architecture=name.removeprefix("timm/"),
        tag=tag,
        num_classes=classes,
        input_size=(channels, preprocessing.height, preprocessing.width),
        interpolation=preprocessing.interpolation,
        crop_pct=pct,
        crop_mode=mode,
        mean=tuple(round(value, 6) for value in preprocessing.mean),
        std=tuple(round(value, 6) for value in preprocessing.std),
    )


def config_of(core: _core.Model) -> PretrainedCfg:
    return _config(core.name, core.preprocessing, core.channels, len(core.classes), "")


def get_pretrained_cfg(model_name: str, allow_unregistered: bool = True) -> Optional[PretrainedCfg]:
    """How a network's pictures are prepared, by "NAME" or "NAME.TAG"; None for a name that there is not."""
    name, _, tag = model_name.partition(".")
    ours = _names().get(name)
    if ours is None:
        if allow_unregistered:
            return None
        raise UsageError(f"there is no network {name!r}")
    for one in _core.published_weights():
        if one.model == ours and (one.tag == tag if tag else one.is_default):
            return _config(ours, one.preprocessing, 3, 1000, one.tag)
    if tag:
        raise UsageError(f"there are no published weights {model_name!r}")
    return config_of(_core.load(ours, "none", 0, "f32", 0, None))


def _size_of(img_size: Union[int, Sequence[int]]) -> Tuple[int, int]:
    if isinstance(img_size, int):
        return img_size, img_size
    height, width = img_size
    return int(height), int(width)


def create_model(
    model_name: str,
    pretrained: bool = False,
    pretrained_cfg: Any = None,
    pretrained_cfg_overlay: Optional[Dict[str, Any]] = None,
    checkpoint_path: Any = None,
    *,
    num_classes: Optional[int] = None,
    in_chans: Optional[int] = None,
    global_pool: Optional[str] = None,
    drop_rate: Optional[float] = None,
    drop_path_rate: Optional[float] = None,
    img_size: Union[int, Sequence[int], None] = None,
    features_only: bool = False,
    out_indices: Union[int, Sequence[int], None] = None,
    seed: int = 0,
    dtype: str = "f32",
) -> Any:
    """A network by timm's name.

    Parameters
    ----------
    model_name : str
        A name of `list_models`, with a tag of published weights behind a dot or without ("resnet50.a1_in1k"); "hf-hub:OWNER/NAME" or
        "local-dir:FOLDER".
    pretrained : bool
        With published weights, fetched into the cache; else random ones.
    checkpoint_path : str or path
        Weights from a file.
    num_classes : int
        Of a new head; 0: none, and calls give features.
    in_chans : int
        Channels of the pictures.
    global_pool : str
        The network's own, or "" with num_classes=0: calls give the last map.
    drop_rate, drop_path_rate : float
        Dropout before the classifier, and stochastic depth of the last block, when it is trained.
    img_size : int or (int, int)
        Height and width of the pictures.
    features_only : bool
        Calls give a list of maps, at `out_indices` (all; of transformers the last 3).
    seed : int
        For what starts new.
    dtype : {"f32", "bf16"}

    Returns
    -------
    Model, or FeatureList with `features_only`

    Raises
    ------
    UsageError
        For an unknown name, with the nearest.

    Examples
    --------
    >>> import fovea, numpy
    >>> model = fovea.create_model("resnet18", num_classes=10)
    >>> model(numpy.zeros((2, 3, 64, 64), numpy.float32)).shape
    (2, 10)
    """
    from ._model import Model
    from ._timm import FeatureList

    if model_name.startswith(("hf-hub:", "hf_hub:", "local-dir:")):
        weights = str(checkpoint_path) if checkpoint_path else "default" if pretrained else "none"
        model = Model(_core.load(model_name, weights, seed, dtype, in_chans or 0, None), model_name, weights)
    else:
        name, _, tag = model_name.partition(".")
        ours = _names().get(name, name)
        weights = str(checkpoint_path) if checkpoint_path else (tag or "default") if pretrained else "none"
        model = Model.load(ours, weights, seed=seed, dtype=dtype, channels=in_chans or 0)
    overlay = dict(pretrained_cfg or {}, **(pretrained_cfg_overlay or {}))
    if overlay:
        from .data import preprocessing_of

        model.preprocessing = preprocessing_of(overlay, model.preprocessing)
    if img_size is not None:
        size = model.preprocessing
        height, width = _size_of(img_size)
        size.resize = math.floor(min(height, width) / crop_of(size)[0])
        size.height, size.width = height, width
        model.preprocessing = size
    model._set_pool(global_pool, len(model.classes) if num_classes is None else num_classes)
    if num_classes is not None and num_classes != len(model.classes):
        model.reset_classifier(num_classes)
    model.drop_rate, model.drop_path_rate = drop_rate, drop_path_rate
    if features_only:
        return FeatureList(model, out_indices)
    if out_indices is not None:
        raise UnsupportedError("out_indices without features_only=True")
    return model
