#!/usr/bin/env python3
"""Writes policies.json: what the operations of torchvision's augmentation policies make of Pillow's images, their tables,
crops and flips, and batches mixed.

    pip install torch torchvision pillow numpy
    ./generate_policies.py

Each answer to an operation is the SHA-256 of the 8-bit RGB pixels.
"""
import hashlib, json, os
from unittest import mock
import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import AutoAugmentPolicy, InterpolationMode

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness", "Posterize",
         "Solarize", "AutoContrast", "Equalize", "Invert"]
MAGNITUDES = {"ShearX": [0.0, 0.09, -0.3, 0.99, -0.528], "ShearY": [0.0, -0.09, 0.3, -0.99, 0.528], "TranslateX": [0.0, 7.99, -12.3, 1000.0],
              "TranslateY": [-3.5, 19.0, -1000.0], "Rotate": [0.0, 9.0, -30.0, 90.0, 180.0, -90.0, 135.0, -67.5, 4.5],
              "Brightness": [-0.99, -0.27, 0.0, 0.27, 0.9], "Color": [-0.9, -0.27, 0.0, 0.27, 0.99], "Contrast": [-0.99, -0.27, 0.27, 0.9],
              "Sharpness": [-1.0, -0.99, -0.27, 0.0, 0.27, 0.99], "Posterize": [8, 7, 5, 4, 2], "Solarize": [1.0, 0.7, 0.5, 0.033, 0.0],
              "Invert": [0.0], "AutoContrast": [0.0], "Equalize": [0.0]}
GEOMETRY = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"}


def pattern(width, height, seed=1):
    """tests/image/support.h"""
    pixels, state = [], seed
    for i in range(3 * width * height):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        pixels.append(((state >> 26) + (i // 3 % width) * 3 + i % 3 * 40) & 0xFF)
    return Image.fromarray(np.array(pixels, np.uint8).reshape(height, width, 3))


PICTURES = {"cat": Image.open(os.path.join(HERE, "images", "cat_palette.png")).convert("RGB"), "odd": pattern(37, 53), "square": pattern(24, 24),
            "line": pattern(40, 1), "small": pattern(2, 3), "flat": Image.new("RGB", (9, 7), (10, 200, 77))}


def operations():
    answers, policy = [], v2.RandAugment()
    for picture, image in PICTURES.items():
        for name, magnitudes in MAGNITUDES.items():
            for magnitude in magnitudes:
                for sampling in ("nearest", "bilinear") if name in GEOMETRY else ("nearest",):
                    fill = [0, 0, 0] if sampling == "nearest" else [124, 116, 104]
                    out = policy._apply_image_or_video_transform(image, name, magnitude, InterpolationMode(sampling), {Image.Image: fill})
                    digest = hashlib.sha256(np.asarray(out).tobytes()).hexdigest()
                    answers.append([picture, NAMES.index(name), magnitude, sampling, fill, digest])
    return answers


def magnitudes():
    answers = []
    for name, space, bins in (("randaugment", v2.RandAugment._AUGMENTATION_SPACE, 31), ("randaugment", v2.RandAugment._AUGMENTATION_SPACE, 11),
                              ("trivialaugment", v2.TrivialAugmentWide._AUGMENTATION_SPACE, 31),
                              ("autoaugment", v2.AutoAugment._AUGMENTATION_SPACE, 10)):
        for height, width in ((224, 224), (97, 331)):
            for operation, (table, signed) in space.items():
                values = table(bins, height, width)
                values = None if values is None else [float(v) for v in values]
                answers.append({"policy": name, "operation": NAMES.index(operation), "bins": bins, "height": height, "width": width,
                                "signed": signed, "magnitudes": values})
    return answers


def pairs():
    result = {}
    for name, policy in (("autoaugment", AutoAugmentPolicy.IMAGENET), ("autoaugment_cifar10", AutoAugmentPolicy.CIFAR10),
                         ("autoaugment_svhn", AutoAugmentPolicy.SVHN)):
        result[name] = [[[NAMES.index(o), p, b or 0] for o, p, b in pair] for pair in v2.AutoAugment(policy)._policies]
    return result


def mixed():
    """The batch is ((7 i) mod 64) / 8 - 3 for element i of [N, H, W, C]; labels 2, 0, 1, 2, ... of 3 classes."""
    answers = []
    for n, h, w in ((4, 6, 10), (3, 9, 5)):
        batch = ((torch.arange(n * h * w * 3) * 7) % 64 / 8 - 3).reshape(n, h, w, 3)
        labels = torch.tensor([(i + 2) % 3 for i in range(n)])
        for lam in (0.0, 0.3, 0.8125, 1.0):
            mixup = v2.MixUp(num_classes=3)
            with mock.patch.object(mixup, "make_params", return_value={"lam": lam}):
                images, targets = mixup(batch.permute(0, 3, 1, 2), labels)
            answers.append({"kind": "mixup", "shape": [n, h, w], "share": lam, "images": images.permute(0, 2, 3, 1).flatten().tolist(),
                            "targets": targets.flatten().tolist()})
        for lam, x, y in ((0.5, 2, 3), (0.1, 0, 0), (0.9, w - 1, h - 1), (1.0, 1, 1), (0.0, 4, 5)):
            cutmix = v2.CutMix(num_classes=3)
            draws = iter([torch.tensor([x]), torch.tensor([y])])
            with mock.patch.object(cutmix._dist, "sample", return_value=lam), mock.patch("torch.randint", lambda *a, **k: next(draws)):
                params = cutmix.make_params([batch.permute(0, 3, 1, 2)])
            with mock.patch.object(cutmix, "make_params", return_value=params):
                images, targets = cutmix(batch.permute(0, 3, 1, 2), labels)
            answers.append({"kind": "cutmix", "shape": [n, h, w], "share": lam, "x": x, "y": y, "box": params["box"],
                            "left": params["lam_adjusted"], "images": images.permute(0, 2, 3, 1).flatten().tolist(),
                            "targets": targets.flatten().tolist()})
    return answers


def erased():
    """Means of 20000 draws for a picture of 60 x 100: area, height, width, top, left of what is erased."""
    torch.manual_seed(0)
    erasing = v2.RandomErasing(p=1)
    draws = [erasing.make_params([torch.zeros(3, 60, 100)]) for _ in range(20000)]
    table = np.array([[d["h"] * d["w"], d["h"], d["w"], d["i"], d["j"]] for d in draws if d["v"] is not None], np.float64)
    return {"mean": table.mean(0).tolist(), "deviation": table.std(0).tolist(), "draws": len(table)}


def crops():
    answers = []
    for picture, interpolation, window, size in (("cat", "bilinear", (10, 20, 100, 70), (32, 48)), ("cat", "bicubic", (0, 0, 51, 47), (64, 64)),
                                                 ("cat", "nearest", (33, 5, 80, 90), (40, 40)), ("odd", "bilinear", (5, 7, 1, 1), (8, 8)),
                                                 ("odd", "bilinear", (0, 0, 37, 53), (53, 37)), ("odd", "bicubic", (36, 0, 1, 53), (16, 16))):
        left, top, width, height = window
        out = v2.functional.resized_crop(PICTURES[picture], top, left, height, width, list(size), InterpolationMode(interpolation))
        answers.append({"picture": picture, "interpolation": interpolation, "window": window, "size": size,
                        "sha256": hashlib.sha256(np.asarray(out).tobytes()).hexdigest()})
    return answers


def flips():
    return {name: hashlib.sha256(np.asarray(f(PICTURES["odd"])).tobytes()).hexdigest()
            for name, f in (("horizontal", v2.functional.horizontal_flip), ("vertical", v2.functional.vertical_flip))}


def drawn_crops():
    """Means of 20000 draws for a picture of 60 x 100: area, height, width, top, left of what is kept."""
    torch.manual_seed(0)
    crop, image = v2.RandomResizedCrop(224, scale=(0.08, 1.0)), torch.zeros(3, 60, 100)
    table = np.array([[d["height"] * d["width"], d["height"], d["width"], d["top"], d["left"]] for d in
                      (crop.make_params([image]) for _ in range(20000))], np.float64)
    return {"mean": table.mean(0).tolist(), "deviation": table.std(0).tolist()}


if __name__ == "__main__":
    with open(os.path.join(HERE, "policies.json"), "w") as f:
        answers = {"operations": operations(), "magnitudes": magnitudes(), "pairs": pairs(), "mixed": mixed(), "erased": erased(), "crops": crops(),
                   "flips": flips(), "drawn_crops": drawn_crops()}
        f.write("{\n" + ",\n".join(f'"{key}": ' + (("[\n" + ",\n".join(json.dumps(v) for v in value) + "\n]") if isinstance(value, list) else
                                                    json.dumps(value)) for key, value in answers.items()) + "\n}\n")
