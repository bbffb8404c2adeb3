#!/usr/bin/env python3
"""Writes positions.json: what timm's deit_tiny answers, in float64, for pictures whose size is not that of its position embeddings. Parameters
and pictures are those of ../reference/README.md. Run where timm is installed."""
import json, pathlib, sys
from unittest import mock

import numpy as np
import timm
import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "reference"))
from generate import fill, load, rounded, summary

MODEL, STAGE = "deit_tiny_patch16_224", "blocks.5"
SIZES = [(1, 384, 256), (2, 96, 160)]  # batch, height, width: a larger and a smaller grid than 14 x 14, neither square
OBLONG = (96, 160)  # what the positions of a second network belong to; a grid of as many places, and another
OBLONG_SIZES = [(1, 96, 160), (1, 160, 96), (1, 192, 224)]


def images(batch, height, width):
    name = f"input:{batch}x3x{height}x{width}"
    fine = fill(name, batch * 3 * height * width).reshape(batch, 3, height, width)
    coarse = fill(name + ":coarse", batch * 3 * 64).reshape(batch, 3, 8, 8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return torch.from_numpy(0.5 * fine + 0.5 * coarse[:, :, rows][:, :, :, columns])


def answer(model, size, native):
    stages = {}
    hook = model.get_submodule(STAGE).register_forward_hook(lambda m, i, o: stages.__setitem__(STAGE, summary(STAGE, o)))
    x = images(*size)
    with torch.no_grad():
        plain = model(x)
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):  # timm resizes in float32 else
            logits = model(x)
    hook.remove()
    assert (plain - logits).norm() < 1e-6 * logits.norm()
    return {"input": list(x.shape), "native": native, "logits": summary("logits", logits), "stages": stages}


model = load(timm.create_model(MODEL, dynamic_img_size=True), 0).eval()
oblong = load(timm.create_model(MODEL, img_size=OBLONG, dynamic_img_size=True), 0).eval()
cases = [answer(model, size, (224, 224)) for size in SIZES] + [answer(oblong, size, OBLONG) for size in OBLONG_SIZES]
result = {"model": "timm/" + MODEL, "seed": 0, "cases": cases}
(HERE / "positions.json").write_text(json.dumps(rounded(result), separators=(",", ":")) + "\n")
