#!/usr/bin/env python3
"""Prints the table of src/weights/usual_preprocessing.cpp: how timm prepares pictures for each network of its layout that fovea has.

    pip install timm
    tests/data/weights/generate_usual_preprocessing.py build/fovea
"""
import json, math, subprocess, sys
import timm

NORMALIZATIONS = {(0.485, 0.456, 0.406): "imagenet", (0.5, 0.5, 0.5): "half", (0.48145466, 0.4578275, 0.40821073): "clip", (0, 0, 0): "none"}

listed = json.loads(subprocess.run([sys.argv[1], "models", "--json"], capture_output=True, text=True, check=True).stdout)
for name in sorted(m["name"] for m in listed if m["layout"] == "timm"):
    config = timm.get_pretrained_cfg(name.removeprefix("timm/"))
    if config is None:  # published without weights
        continue
    size = config.input_size[1]
    shorter = math.floor(size / config.crop_pct)
    fit = {"center": "", "squash": " squash" if shorter == size else " squash_crop"}[config.crop_mode]
    print(f"{name} {size} {shorter} {config.interpolation} {NORMALIZATIONS[tuple(config.mean)]}{fit}")
