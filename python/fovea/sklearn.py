"""fovea in scikit-learn's pipelines: `Embedder` makes features of pictures, `Classifier` learns classes.

X is a sequence of pictures: paths, bytes of files, PIL pictures, or arrays; or an array of object or of text. Both work in pipelines, in
cross validation, with ``clone``, with pickle, and in joblib's processes.
"""

from __future__ import annotations

import os
from typing import Any, List

import numpy
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._model import Model

__all__ = ["Classifier", "Embedder"]


def _refuse_sparse(X: Any) -> None:
    if hasattr(X, "tocsr"):
        raise TypeError("a sparse matrix, which is not supported: a sequence of pictures expected")


def _pictures(X: Any) -> List[Any]:
    """As a list; a column of paths is its paths."""
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if isinstance(X, numpy.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OU":
        X = X[:, 0]
    _refuse_sparse(X)
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError("one picture; a sequence of pictures expected")
    pictures = list(X if hasattr(X, "__iter__") else numpy.asarray(X))
    if not pictures:
        raise ValueError("0 pictures, at least 1 expected")
    return [str(one) if isinstance(one, numpy.str_) else one for one in pictures]


class _OfPictures(BaseEstimator):  # type: ignore[misc]
    """An estimator whose X are pictures."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


class Embedder(TransformerMixin, _OfPictures):  # type: ignore[misc]
    """Features of pictures by a pre-trained network. Learns nothing.

    Parameters
    ----------
    model : str, path or Model
        As `Model.load` takes it.
    weights : str
        Likewise.
    output : str
        "pre_logits", "pooled", a tap, a layer; maps are flattened.
    mirrored : bool
        The mean of the picture's and its mirror image's vectors.
    normalize : bool
        Each vector divided by its length.

    Attributes
    ----------
    n_features_out_ : int
        Width of the vectors.
    """

    def __init__(
        self,
        model: Any = "tf_efficientnet_lite0",
        weights: str = "default",
        output: str = "pre_logits",
        mirrored: bool = False,
        normalize: bool = False,
    ) -> None:
        self.model = model
        self.weights = weights
        self.output = output
        self.mirrored = mirrored
        self.normalize = normalize

    def fit(self, X: Any = None, y: Any = None) -> "Embedder":
        """Loads the network; looks at no picture."""
        _refuse_sparse(X)
        self.model_ = self.model if isinstance(self.model, Model) else Model.load(self.model, self.weights, progress=None)
        self.n_features_out_ = self.model_.feature_width
        return self

    def transform(self, X: Any) -> Any:
        """Vectors float32 [pictures, width]."""
        check_is_fitted(self)
        features = self.model_.embed(_pictures(X), self.output, mirrored=self.mirrored, progress=None)
        features = features.reshape(len(features), -1)
        if self.normalize:
            lengths = numpy.linalg.norm(features, axis=1, keepdims=True)
            features = features / numpy.where(lengths > 0, lengths, 1)
        return features

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """"embedder0", "embedder1", ..."""
        check_is_fitted(self)
        return numpy.array([f"embedder{i}" for i in range(self.n_features_out_)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags


class Classifier(ClassifierMixin, _OfPictures):  # type: ignore[misc]
    """A linear classifier on features of a pre-trained network: logistic regression, fitted to convergence.

    For training of the network itself, see `fovea.train`.

    Parameters
    ----------
    model, weights, output, mirrored : as of `Embedder`
    C : float
        Inverse of the strength of regularization.
    max_iter : int

    Attributes
    ----------
    classes_ : ndarray
        The labels.
    """

    def __init__(
        self,
        model: Any = "tf_efficientnet_lite0",
        weights: str = "default",
        output: str = "pre_logits",
        mirrored: bool = False,
        C: float = 1.0,
        max_iter: int = 1000,
    ) -> None:
        self.model = model
        self.weights = weights
        self.output = output
        self.mirrored = mirrored
        self.C = C
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> "Classifier":
        """Learns from pictures and their labels."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        pictures = _pictures(X)
        labels = numpy.asarray(y)
        if len(pictures) != len(labels):
            raise ValueError(f"{len(pictures)} pictures and {len(labels)} labels")
        self.embedder_ = Embedder(self.model, self.weights, self.output, self.mirrored).fit()
        self.head_ = make_pipeline(StandardScaler(), LogisticRegression(C=self.C, max_iter=self.max_iter))
        self.head_.fit(self.embedder_.transform(pictures), labels)
        self.classes_ = self.head_.classes_
        return self

    def predict(self, X: Any) -> Any:
        """Labels [pictures]."""
        check_is_fitted(self)
        return self.head_.predict(self.embedder_.transform(X))

    def predict_proba(self, X: Any) -> Any:
        """Probabilities [pictures, classes]."""
        check_is_fitted(self)
        return self.head_.predict_proba(self.embedder_.transform(X))

    def decision_function(self, X: Any) -> Any:
        """Confidence [pictures, classes]; [pictures] for two classes."""
        check_is_fitted(self)
        return self.head_.decision_function(self.embedder_.transform(X))
