#!/usr/bin/env python3
"""Writes src/weights/timm_weights.inc: every set of weights that timm publishes of the families that fovea has.

    pip install torch timm==1.0.31
    scripts/write_timm_weights.py RESULTS      # results/results-imagenet.csv of timm's repository, for the accuracies

A row begins with the architecture, the tag, the size of the pictures and the share of their shorter side that the crop keeps. Then come what
is not usual (1000 classes, bicubic, ImageNet's normalization, a crop, Apache-2.0, the repository timm/ARCHITECTURE.TAG) as KEY=VALUE, and
top1=/top5= where timm measured this very preparation. The first row of an architecture is timm's default.
"""
import csv, pathlib, sys

import timm

MODULES = ["resnet", "resnetv2", "vgg", "densenet", "mobilenetv3", "efficientnet", "convnext", "vision_transformer", "deit"]
NORMALIZATIONS = {  # by mean and deviation
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)): "imagenet",
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)): "half",
    ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)): "clip",
    ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)): "none",
}
USUAL = {"classes": 1000, "interpolation": "bicubic", "normalization": "imagenet", "fit": "center", "licence": "apache-2.0"}


def row(name, accuracies):
    config = timm.get_pretrained_cfg(name)
    architecture, tag = name.split(".", 1)
    channels, height, width = config.input_size
    assert channels == 3 and height == width, name
    unusual = {
        "classes": config.num_classes,
        "interpolation": config.interpolation,
        "normalization": NORMALIZATIONS[(tuple(config.mean), tuple(config.std))],
        "fit": config.crop_mode,
        "licence": config.license or "unknown",
    }
    unusual = {key: value for key, value in unusual.items() if value != USUAL[key]}
    if not config.hf_hub_id:
        unusual["url"] = config.url
    elif config.hf_hub_id not in ("timm/", "timm/" + name):
        unusual["repository"] = config.hf_hub_id
    measured = accuracies.get((name, height, config.crop_pct, config.interpolation))
    if measured:
        unusual["top1"], unusual["top5"] = measured
    return [architecture, tag, str(height), f"{config.crop_pct:g}", *(f"{key}={value}" for key, value in unusual.items())]


def main():
    accuracies = {}
    with open(sys.argv[1], newline="") as table:
        for line in csv.DictReader(table):
            key = (line["model"], int(line["img_size"]), float(line["crop_pct"]), line["interpolation"])
            accuracies[key] = (float(line["top1"]), float(line["top5"]))
    lines = []
    for module in MODULES:
        for architecture in timm.list_models(module=module):
            default = timm.get_pretrained_cfg(architecture)
            names = [name for name in timm.list_models(architecture + ".*", module=module, pretrained=True, include_tags=True)]
            names.sort(key=lambda name: (name != f"{architecture}.{default.tag}", name))
            lines += [" ".join(row(name, accuracies)) for name in names]
    out = pathlib.Path(__file__).resolve().parent.parent / "src/weights/timm_weights.inc"
    out.write_text(f'// Written by scripts/write_timm_weights.py from timm {timm.__version__}.\nR"(\n' + "\n".join(lines) + '\n)"\n')
    print(len(lines), "sets of", len({line.split()[0] for line in lines}), "architectures,", sum("top1=" in line for line in lines), "measured")


main()
