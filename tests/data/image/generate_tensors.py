#!/usr/bin/env python3
"""Writes tensors.json: what torchvision makes of tensors of bytes, as the image processors of the transformers library resize and crop.

    pip install torch torchvision pillow
    ./generate_tensors.py
"""
import hashlib, json, pathlib

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

HERE = pathlib.Path(__file__).parent
PICTURES = ["../api/rocket.jpg", "../api/coffee.webp"]
CROPS = [(224, 224), (97, 80), (500, 470), (30, 41)]  # the shorter side, and the height and width of the crop
SQUASHED = [(96, 160), (300, 75), (40, 700)]
MODES = {"nearest": F.InterpolationMode.NEAREST, "bilinear": F.InterpolationMode.BILINEAR, "bicubic": F.InterpolationMode.BICUBIC}


def digest(tensor):
    return hashlib.sha256(tensor.permute(1, 2, 0).contiguous().numpy().tobytes()).hexdigest()


def cropped(picture, shorter, crop, mode):
    """The library's own steps (image_processing_backends.py)."""
    height, width = picture.shape[1:]
    short, long = min(height, width), max(height, width)
    longer = int(shorter * long / short)
    size = [longer, shorter] if width <= height else [shorter, longer]
    resized = F.resize(picture, size, interpolation=mode, antialias=True)
    missing = max(0, crop - resized.shape[2]), max(0, crop - resized.shape[1])
    resized = F.pad(resized, [missing[0] // 2, missing[1] // 2, (missing[0] + 1) // 2, (missing[1] + 1) // 2], fill=0)
    top, left = int((resized.shape[1] - crop) / 2.0), int((resized.shape[2] - crop) / 2.0)
    return F.crop(resized, top, left, crop, crop)


answers = {}
for name in PICTURES:
    picture = torch.from_numpy(np.array(Image.open(HERE / name).convert("RGB"))).permute(2, 0, 1).contiguous()
    answers[name] = {}
    for mode_name, mode in MODES.items():
        for shorter, crop in CROPS:
            answers[name][f"{mode_name} resize {shorter} crop {crop}"] = digest(cropped(picture, shorter, crop, mode))
        for height, width in SQUASHED:
            squashed = F.resize(picture, [height, width], interpolation=mode, antialias=True)
            answers[name][f"{mode_name} squash {height} {width}"] = digest(squashed)
(HERE / "tensors.json").write_text(json.dumps(answers, indent=1) + "\n")
