#!/usr/bin/env python3
"""Writes logistic_regression.json: what scikit-learn's LogisticRegression converges to. Needs numpy and scikit-learn (1.9.1 wrote the file)."""
import json
import os

import numpy
from sklearn.linear_model import LogisticRegression


def case(name, rows, width, classes, c, binary=False, weighted=False, seed=0):
    random = numpy.random.default_rng(seed)
    labels = numpy.arange(rows) % classes
    centres = random.normal(size=(classes, width))
    scales = 4.0 ** random.uniform(-2, 1, size=width)
    # Numbers that float32 and few digits hold exactly.
    x = numpy.round((random.normal(size=(rows, width)) * 2 + centres[labels] + 3) * scales * 64) / 64
    weights = numpy.round(random.uniform(0.5, 2, size=rows) * 4) / 4 if weighted else numpy.ones(rows)
    # scikit-learn sums where fovea takes the weighted mean.
    lam = 1 / (c * weights.sum())
    if binary:
        targets = (random.normal(size=(rows, classes)) + (labels[:, None] == numpy.arange(classes)) * 2 > 1).astype(int)
    else:
        targets = numpy.eye(classes, dtype=int)[labels]
    coefficients, intercepts = [], []
    for y in targets.T if binary else [labels]:
        fit = LogisticRegression(C=c, tol=1e-12, max_iter=100000, solver="newton-cg").fit(x, y, sample_weight=weights)
        coefficients += fit.coef_.tolist()
        intercepts += fit.intercept_.tolist()
    logits = x @ numpy.array(coefficients).T + numpy.array(intercepts)
    return {
        "name": name, "rows": rows, "width": width, "classes": classes, "lambda": lam, "binary": binary,
        "features": x.ravel().tolist(), "targets": targets.ravel().tolist(), "weights": weights.tolist(),
        "coefficients": [float("%.9g" % v) for v in numpy.ravel(coefficients)],
        "logits": [float("%.9g" % v) for v in logits.ravel()],
    }


cases = [
    case("fewer rows than features", 36, 50, 4, 0.1),
    case("nearly separable, weak penalty", 36, 50, 4, 100.0, seed=1),
    case("more rows than features", 90, 8, 3, 1.0, seed=2),
    case("weighted rows", 60, 8, 3, 0.5, weighted=True, seed=3),
    case("several labels", 40, 50, 3, 0.3, binary=True, seed=4),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "logistic_regression.json"), "w") as file:
    json.dump(cases, file, separators=(",", ":"))
    file.write("\n")
