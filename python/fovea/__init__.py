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
    from . import maps
    from ._dataset import Dataset, DatasetSource
    from ._shards import Shards, embed_shards
    from ._trainer import TrainBatch, Trainer
    from ._training import RateSearch, TrainResult, find_classes, find_rate, report, train

# Imported when they are asked for.
_LATER = {name: "_training" for name in ("RateSearch", "TrainResult", "find_classes", "find_rate", "report", "train")}
_LATER |= {"Shards": "_shards", "embed_shards": "_shards"}
_LATER |= {"Dataset": "_dataset", "DatasetSource": "_dataset", "TrainBatch": "_trainer", "Trainer": "_trainer"}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "maps":
        return importlib.import_module(".maps", __name__)
    if name not in _LATER:
        raise AttributeError(f"module 'fovea' has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module("." + _LATER[name], __name__), name)
    return globals()[name]


__all__ = [
    "Audit",
    "Dataset",
    "DatasetSource",
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
    "Shards",
    "TrainBatch",
    "TrainResult",
    "Trainer",
    "__version__",
    "audit",
    "create_model",
    "data",
    "embed_shards",
    "errors",
    "find_classes",
    "find_rate",
    "get_pretrained_cfg",
    "is_model",
    "list_models",
    "list_pictures",
    "list_pretrained",
    "load_features",
    "maps",
    "picture_formats",
    "prepare",
    "published_weights",
    "read_image",
    "report",
    "set_threads",
    "threads",
    "train",
]
