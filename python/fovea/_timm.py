"""The words of timm on a model: same names, same arguments, same results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _core
from ._arrays import as_given
from .errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from ._arrays import Floats


class Linear(NamedTuple):
    """The classifier's arrays: weight [classes, width] (of some networks [classes, width, 1, 1]) and bias [classes]."""

    weight: Any
    bias: Any

    @property
    def in_features(self) -> int:
        return int(self.weight.shape[1])

    @property
    def out_features(self) -> int:
        return int(self.weight.shape[0])


class FeatureInfo:
    """Channels, reductions and names of the maps that a network has at each size."""

    def __init__(self, rows: List[Dict[str, Any]], out_indices: Sequence[int]) -> None:
        self.info, self.out_indices = rows, tuple(out_indices)

    def _get(self, key: str, idx: Union[int, Sequence[int], None]) -> Any:
        if isinstance(idx, int):
            return self.info[idx][key]
        return [self.info[i][key] for i in (self.out_indices if idx is None else idx)]

    def channels(self, idx: Union[int, Sequence[int], None] = None) -> Any:
        """Of the maps that are given, or of those asked for."""
        return self._get("num_chs", idx)

    def reduction(self, idx: Union[int, Sequence[int], None] = None) -> Any:
        """Input pixels from one position of a map to the next."""
        return self._get("reduction", idx)

    def module_name(self, idx: Union[int, Sequence[int], None] = None) -> Any:
        """The names, which `Model.features` and `Model.freeze` know too."""
        return self._get("module", idx)

    def get_dicts(self) -> List[Dict[str, Any]]:
        """A dict a map."""
        return [self.info[i] for i in self.out_indices]

    def __getitem__(self, index: int) -> Dict[str, Any]:
        return self.info[index]

    def __len__(self) -> int:
        return len(self.info)


# Where networks have their linear head.
_HEADS = ("fc", "head.fc", "head", "classifier", "heads.head", "classifier.1", "classifier.2", "classifier.3", "classifier.6")

# Taps behind the last stage, which are no stages.
_NO_STAGES = {"bn2", "conv_head", "norm", "norm_head"}


def stages_of(core: _core.Model) -> List[Dict[str, Any]]:
    """Of a transformer every block; of other networks the last tap at each reduction."""
    taps = core.taps(0, 0)
    blocks = [tap for tap in taps if tap.tokens and tap.name.rpartition(".")[0] in ("blocks", "encoder.layers")]
    blocks = blocks or [tap for tap in taps if tap.tokens and ".encoder_layer_" in tap.name]
    if not blocks:
        last: Dict[float, _core.TapInfo] = {}
        for tap in taps:
            if tap.name not in _NO_STAGES:
                last[tap.stride] = tap
        blocks = list(last.values())
    return [{"num_chs": tap.channels, "reduction": int(tap.stride), "module": tap.name} for tap in blocks]


def chosen(indices: Union[int, Sequence[int], None], count: int) -> List[int]:
    """timm's rule: the last so many, or those named, counted from the end where negative."""
    if indices is None:
        return list(range(count))
    if isinstance(indices, int):
        if not 0 < indices <= count:
            raise UsageError(f"the last {indices} of {count} maps, 1 to {count} expected")
        return [count - indices + i for i in range(indices)]
    found = []
    for index in indices:
        if not -count <= index < count:
            raise UsageError(f"map {index} of {count}, {-count} to {count - 1} expected")
        found.append(index % count)
    return found


class TimmWords:
    """What timm's models can be asked."""

    def __init__(self, core: _core.Model) -> None:
        self._core = core
        self._headless = not core.classes  # num_classes=0 was asked for
        self._pooled = True  # global_pool="" was not
        self._classes_before: Optional[int] = None
        self._pretrained_cfg: Optional[Dict[str, Any]] = None
        self.drop_rate: Optional[float] = None
        self.drop_path_rate: Optional[float] = None

    def _words(self) -> Dict[str, Any]:
        return {key: getattr(self, key) for key in ("_headless", "_pooled", "_pretrained_cfg", "drop_rate", "drop_path_rate")}

    def _take_words(self, words: Dict[str, Any]) -> None:
        for key, value in words.items():
            setattr(self, key, value)

    # What it is.

    @property
    def num_classes(self) -> int:
        """Outputs; 0 without a head."""
        return 0 if self._headless else len(self._core.classes)

    @property
    def num_features(self) -> int:
        """Channels of the last map."""
        return int(self._last_map_shape()[0])

    @property
    def head_hidden_size(self) -> int:
        """Width of the vector that the head reads."""
        return self._core.feature_width

    @property
    def feature_info(self) -> FeatureInfo:
        """The maps at each size."""
        rows = stages_of(self._core)
        return FeatureInfo(rows, range(len(rows)))

    @property
    def pretrained_cfg(self) -> Dict[str, Any]:
        """How its pictures are prepared, and where its head is, under timm's names."""
        from ._registry import config_of

        return self._pretrained_cfg or config_of(self._core)

    default_cfg = pretrained_cfg

    def _last_map_shape(self) -> Tuple[int, ...]:
        taps = self._core.taps(0, 0)
        return (taps[-1].channels, *taps[-1].shape[1:])

    def eval(self) -> Any:
        """This model: it infers unless it is trained."""
        return self

    # What it sees.

    def __call__(self, x: Any) -> Any:
        """Outputs [N, classes] of prepared pictures, floats [N, channels, height, width]; features without a head.

        torch's tensors give torch's tensors, on the same memory.
        """
        if not self._headless:
            return as_given(self._core.logits(x), x)
        if not self._pooled:
            return self.forward_features(x)
        return as_given(self._core.features(x, ["pre_logits"])["pre_logits"], x)

    forward = __call__

    def forward_features(self, x: Any) -> Any:
        """The last map [N, channels, height, width] of prepared pictures, of transformers all tokens [N, T, channels]."""
        return as_given(self._core.features(x, ["last_map"])["last_map"], x)

    def forward_head(self, x: Any, pre_logits: bool = False) -> Any:
        """What comes behind `forward_features`: outputs [N, classes], or the vector [N, width] that they are made of."""
        if self._headless and not self._pooled:
            return x
        return as_given(self._core.behind_last_map(x, "pre_logits" if pre_logits or self._headless else "logits"), x)

    def forward_intermediates(
        self,
        x: Any,
        indices: Union[int, Sequence[int], None] = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
        return_prefix_tokens: bool = False,
    ) -> Any:
        """Maps by their place in `feature_info`, and the last one.

        Parameters
        ----------
        x : float array [N, channels, height, width]
        indices : int or sequence of int
            The last so many, or which; none: all.
        norm : bool
            Of transformers: with the last normalization.
        output_fmt : {"NCHW", "NLC"}
            NLC: tokens [N, T, channels] of transformers.
        intermediates_only : bool
            Without the last map.
        return_prefix_tokens : bool
            Of transformers: pairs with the class token.

        Returns
        -------
        list of ndarray, or (last map, list)
        """
        rows = stages_of(self._core)
        wanted = chosen(indices, len(rows))
        if output_fmt not in ("NCHW", "NLC"):
            raise UsageError(f"output_fmt {output_fmt!r}, 'NCHW' or 'NLC' expected")
        taps = {tap.name: tap for tap in self._core.taps(0, 0)}
        tokens = bool(taps[rows[0]["module"]].tokens)
        if output_fmt == "NLC" and not tokens:
            raise UsageError("output_fmt 'NLC': the network has maps, 'NCHW' expected")
        names = [rows[i]["module"] + (":tokens" if tokens else "") for i in wanted]
        ask = list(dict.fromkeys(names + ([] if intermediates_only else ["last_map"])))
        found = self._core.features(x, ask)
        maps = [self._intermediate(found[name], x, taps, norm, output_fmt, return_prefix_tokens, tokens) for name in names]
        return maps if intermediates_only else (as_given(found["last_map"], x), maps)

    def _intermediate(
        self, map: Any, x: Any, taps: Dict[str, Any], norm: bool, output_fmt: str, prefix_tokens: bool, tokens: bool
    ) -> Any:
        if not tokens:
            return as_given(map, x)
        import numpy

        if norm:
            state = self._core.state_dict()
            mean = map.mean(-1, keepdims=True, dtype=numpy.float64)
            spread = map.var(-1, keepdims=True, dtype=numpy.float64)
            map = ((map - mean) / numpy.sqrt(spread + 1e-6) * state["norm.weight"] + state["norm.bias"]).astype(numpy.float32)
        height, width = self._grid(x)
        prefix = map.shape[1] - height * width
        before, map = map[:, :prefix], map[:, prefix:]
        if output_fmt == "NCHW":
            map = map.transpose(0, 2, 1).reshape(map.shape[0], map.shape[2], height, width)
        result = as_given(numpy.ascontiguousarray(map), x)
        return (result, as_given(numpy.ascontiguousarray(before), x)) if prefix_tokens else result

    def _grid(self, x: Any) -> Tuple[int, int]:
        tap = self._core.taps(int(x.shape[2]), int(x.shape[3]))[-1]
        return tap.shape[1], tap.shape[2]

    # Its head.

    def _head_path(self, state: Dict[str, Any]) -> str:
        for path in _HEADS:
            weight = state.get(path + ".weight")
            if weight is not None and tuple(weight.shape[:2]) == (len(self._core.classes), self._core.feature_width):
                return path
        raise UnsupportedError(f"the head of {self._core.name} is not linear")

    def get_classifier(self) -> Optional[Linear]:
        """The head's weight and bias; None without a head."""
        if self._headless:
            return None
        state = self._core.state_dict()
        path = self._head_path(state)
        return Linear(state[path + ".weight"], state.get(path + ".bias"))

    def reset_classifier(self, num_classes: int, global_pool: Optional[str] = None) -> None:
        """A new head of so many classes, started as the library starts one; 0: none, and calls give features."""
        self._set_pool(global_pool, num_classes)
        if num_classes > 0:
            self._core.replace_head([], num_classes, 0, "linear", 512, -1, False)
        self._headless = num_classes == 0

    def _set_pool(self, global_pool: Optional[str], num_classes: int) -> None:
        if global_pool is None:
            return
        tokens = self._core.taps(0, 0)[-1].tokens
        usual = "token" if tokens else "avg"
        if global_pool == "" and num_classes != 0:
            raise UnsupportedError("global_pool '' with a head: it reads a vector; num_classes=0 gives the map")
        if global_pool not in ("", usual):
            raise UnsupportedError(f"global_pool {global_pool!r} of {self._core.name}; {usual!r} or '' expected")
        self._pooled = global_pool != ""


class FeatureList:
    """What ``create_model(..., features_only=True)`` gives: called with prepared pictures, it gives a list of maps."""

    def __init__(self, model: Any, out_indices: Union[int, Sequence[int], None]) -> None:
        self.model = model
        rows = stages_of(model._core)
        tokens = any(tap.tokens for tap in model._core.taps(0, 0))
        self.out_indices = chosen(3 if out_indices is None and tokens else out_indices, len(rows))
        self.feature_info = FeatureInfo(rows, self.out_indices)

    def __call__(self, x: Any) -> List[Any]:
        """Maps [N, channels, height, width] of floats [N, channels, height, width]."""
        found: List[Any] = self.model.forward_intermediates(x, self.out_indices, intermediates_only=True)
        return found

    forward = __call__

    def eval(self) -> "FeatureList":
        return self

    def state_dict(self) -> Dict[str, Any]:
        """The whole network's."""
        state: Dict[str, Any] = self.model.state_dict()
        return state

    def load_state_dict(self, state_dict: Any, strict: bool = True) -> Any:
        """The whole network's; a head that is not there may be left out."""
        return self.model.load_state_dict(state_dict, strict)

    @property
    def pretrained_cfg(self) -> Dict[str, Any]:
        cfg: Dict[str, Any] = self.model.pretrained_cfg
        return cfg
