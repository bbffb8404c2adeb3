#!/usr/bin/env python3
"""Writes pca.json: principal components by scikit-learn, of more rows than numbers and the other way round.

    pip install scikit-learn numpy
    ./generate.py > pca.json
"""
import json
import numpy as np
from sklearn.decomposition import PCA

def case(rows, width, count, seed):
    random = np.random.default_rng(seed)
    x = (random.normal(size=(rows, width)) @ random.normal(size=(width, width)) + random.normal(size=width)).astype(np.float32)
    pca = PCA(n_components=count, svd_solver="full").fit(x.astype(np.float64))
    numbers = lambda a: np.asarray(a, np.float64).round(9).tolist()
    return {"features": x.tolist(), "mean": numbers(pca.mean_), "components": numbers(pca.components_),
            "shares": numbers(pca.explained_variance_ratio_), "projected": numbers(pca.transform(x.astype(np.float64)))}

print("[\n" + ",\n".join(json.dumps(case(*c)) for c in [(12, 5, 3, 1), (6, 20, 5, 2), (40, 8, 8, 3)]) + "\n]")
