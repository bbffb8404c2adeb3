#!/usr/bin/env python3
"""Writes scaled.json: what Pillow's draft mode, which is libjpeg's scaled decoding, gives at a half, a quarter and an eighth.

    tests/data/image/generate_scaled.py    needs Pillow 13
"""
import hashlib, json
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).resolve().parent
FILES = ["images/cup_large.jpg", "images/cat_444.jpg", "images/cat_gray.jpg", "images/cup_progressive_422.jpg", "variants/cmyk.jpg"]


def scaled(path, by):
    with Image.open(path) as image:
        width, height = image.size
        # The reduction is the largest that leaves no less than what is asked for, by division without rest.
        image.draft(image.mode, (width // by, height // by))
        image = image.convert("RGB")
    assert image.size == (-(-width // by), -(-height // by)), (path, by, image.size)
    return {"size": image.size, "sha256": hashlib.sha256(image.tobytes()).hexdigest()}


answers = {name: {str(by): scaled(FOLDER / name, by) for by in (2, 4, 8)} for name in FILES}
(FOLDER / "scaled.json").write_text(json.dumps(answers, indent=1) + "\n")
