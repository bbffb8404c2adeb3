#!/usr/bin/env python3
"""Four photographs that scikit-image carries, as lossless WebP where they are PNG there, and what timm's tf_efficientnet_lite0 sees in them.

usage: generate.py WEIGHTS (efficientnet-lite0-57934424.pth); writes the pictures and photographs.json beside this file.
coffee: Rachel Michetti, CC0; chelsea: Stefan van der Walt, CC0; rocket: SpaceX, CC0; motorcycle_left: Daniel Scharstein, Middlebury 2014, CC0.
"""
import json
import pathlib
import shutil
import sys

import numpy
import skimage
import timm
import torch
from PIL import Image

here = pathlib.Path(__file__).parent
source = pathlib.Path(skimage.__file__).parent / "data"
model = timm.create_model("tf_efficientnet_lite0")
# The file's tensors are the model's, in order and shape; its names are of another port.
state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
model.eval()

answers = []
for name in ("coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png"):
    picture = Image.open(source / name).convert("RGB")
    target = here / name
    if target.suffix == ".png":
        target = target.with_suffix(".webp")
        picture.save(target, lossless=True, quality=100, method=6)
    else:
        shutil.copy(source / name, target)
    assert (numpy.asarray(Image.open(target).convert("RGB")) == numpy.asarray(picture)).all()
    scale = 256 / min(picture.size)
    size = [256 if side == min(picture.size) else int(side * scale) for side in picture.size]
    resized = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - 224) / 2) for side in size)
    pixels = numpy.asarray(resized.crop((left, top, left + 224, top + 224)), dtype=numpy.float32)
    image = torch.from_numpy((pixels / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
    with torch.no_grad():
        probabilities = model(image).softmax(1)[0]
    best = int(probabilities.argmax())
    answers.append({"file": target.name, "index": best, "probability": round(float(probabilities[best]), 6)})
(here / "photographs.json").write_text(json.dumps(answers, indent=1) + "\n")
