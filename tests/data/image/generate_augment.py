#!/usr/bin/env python3
"""Writes augment.json: what torchvision's functional colour changes, on Pillow's images, make of images/cat_palette.png (as RGB).

    pip install torch torchvision pillow numpy
    ./generate_augment.py

Each answer is the SHA-256 of the 8-bit RGB pixels.
"""
import hashlib, json, os
import numpy as np
from PIL import Image
from torchvision.transforms.v2 import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = {"brightness": (F.adjust_brightness, (0.0, 0.35, 0.9, 1.0, 1.3, 2.75)), "contrast": (F.adjust_contrast, (0.0, 0.4, 1.0, 1.25, 3.1)),
         "saturation": (F.adjust_saturation, (0.0, 0.6, 1.0, 1.45, 4.0)), "hue": (F.adjust_hue, (-0.5, -0.21, -0.003, 0.0, 0.1, 0.37, 0.5))}

if __name__ == "__main__":
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), -1).reshape(18, 324, 3)   # colours of all kinds
    pictures = {"cat": Image.open(os.path.join(HERE, "images", "cat_palette.png")).convert("RGB"), "every": Image.fromarray(every)}
    answers = []
    for picture, im in pictures.items():
        for change, (function, factors) in CASES.items():
            for factor in factors:
                digest = hashlib.sha256(np.asarray(function(im, factor)).tobytes()).hexdigest()
                answers.append({"picture": picture, "change": change, "factor": factor, "sha256": digest})
    with open(os.path.join(HERE, "augment.json"), "w") as f:
        json.dump(answers, f, indent=1)
        f.write("\n")
