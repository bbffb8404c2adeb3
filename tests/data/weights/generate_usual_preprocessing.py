#!/usr/bin/env python3
"""Prints the table of src/weights/usual_preprocessing.cpp: how timm prepares pictures for each
network of its layout that no published weights are listed of.

    pip install timm
    tests/data/weights/generate_usual_preprocessing.py build/fovea
"""
import json, math, subprocess, sys
import timm

NORMALIZATIONS = {(0.485, 0.456, 0.406): "imagenet", (0.5, 0.5, 0.5): "half"}


def listed(*words):
    return json.loads(subprocess.run([sys.argv[1], *words, "--json"], capture_output=True, text=True, check=True).stdout)


published = {row["model"] for row in listed("weights", "list") if row["default"]}
for name in sorted(m["name"] for m in listed("models") if m["layout"] == "timm" and m["name"] not in published):
    config = timm.get_pretrained_cfg(name.removeprefix("timm/"))
    if config is None:  # of another library
        continue
    size = config.input_size[1]
    shorter = math.floor(size / config.crop_pct)
    assert config.crop_mode == "center", name
    print(f"{name} {size} {shorter} {config.interpolation} {NORMALIZATIONS[tuple(config.mean)]}")
