"""Pre-trained vision encoders on the processor: predict, take features, train, look inside.

>>> import fovea
>>> model = fovea.create_model("resnet18", num_classes=10)
>>> model.num_features
512
"""

from typing import TYPE_CHECKING, Any

from ._core import Preprocessing, __version__, set_threads, threads
from ._model import Embeddings, Model, Prediction, Predictor
from ._pictures import (
    Audit,
    Features,
    Heat,
    Neighbor,
    audit,
    list_pictures,
    load_features,
    picture_formats,
    prepare,
    read_image,
)
from ._registry import (
    create_model,
    get_pretrained_cfg,
    is_model,
    list_models,
    list_pretrained,
    published_weights,
)
from .errors import Error
from . import data, errors

if TYPE_CHECKING:
    from ._training import RateSearch, TrainResult, find_classes, find_rate, report, train

# Imported when they are asked for.
_LATER = {"RateSearch", "TrainResult", "find_classes", "find_rate", "report", "train"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from . import _training

        globals().update({later: getattr(_training, later) for later in _LATER})
        return globals()[name]
    raise AttributeError(f"module 'fovea' has no attribute {name!r}")


__all__ = [
    "Audit",
    "Embeddings",
    "Error",
    "Features",
    "Heat",
    "Model",
    "Neighbor",
    "Prediction",
    "Predictor",
    "Preprocessing",
    "RateSearch",
    "TrainResult",
    "__version__",
    "audit",
    "create_model",
    "data",
    "errors",
    "find_classes",
    "find_rate",
    "get_pretrained_cfg",
    "is_model",
    "list_models",
    "list_pictures",
    "list_pretrained",
    "load_features",
    "picture_formats",
    "prepare",
    "published_weights",
    "read_image",
    "report",
    "set_threads",
    "threads",
    "train",
]
