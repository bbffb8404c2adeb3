#!/usr/bin/env python3
"""label_metrics.json: average precision, F1 and binary cross entropy of made-up answers by scikit-learn and PyTorch."""
import json
import os
import warnings

import numpy as np
import torch
from sklearn.metrics import accuracy_score, average_precision_score, f1_score

warnings.filterwarnings("ignore")  # a class that no picture has


def case(pictures, classes, seed, step, never=()):
    rng = np.random.default_rng(seed)
    truth = (rng.random((pictures, classes)) < 0.3).astype(int)
    for c in never:
        truth[:, c] = 0
    # Rounded, so that some answers are equal: ties are where implementations differ.
    logits = (np.round((rng.normal(0, 1.5, truth.shape) + 1.5 * truth - 0.7) / step) * step).astype(np.float32)
    said = (logits >= 0).astype(int)
    present = [c for c in range(classes) if truth[:, c].any()]
    precision = [float(average_precision_score(truth[:, c], logits[:, c])) if c in present else None for c in range(classes)]
    return {
        "logits": [[float(x) for x in row] for row in logits],
        "labels": [[int(c) for c in np.flatnonzero(row)] for row in truth],
        "average_precision": precision,
        "mean_average_precision": float(np.mean([precision[c] for c in present])),
        "f1": [float(x) for x in f1_score(truth, said, average=None, zero_division=0)],
        "f1_macro": float(f1_score(truth, said, average="macro", zero_division=0)),
        "f1_micro": float(f1_score(truth, said, average="micro", zero_division=0)),
        "accuracy": float(accuracy_score(truth, said)),
        "loss": float(torch.nn.functional.binary_cross_entropy_with_logits(
            torch.tensor(logits, dtype=torch.float64), torch.tensor(truth, dtype=torch.float64))),
    }


if __name__ == "__main__":
    cases = [case(40, 5, 1, 0.5), case(25, 3, 2, 0.25, never=(1,)), case(60, 4, 3, 1.0)]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "label_metrics.json"), "w") as out:
        json.dump(cases, out)
        out.write("\n")
