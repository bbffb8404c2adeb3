#!/usr/bin/env python3
"""Writes imagenet.json: what timm's EfficientNet-Lite networks answer to the 20 pictures that scripts/get_imagenet_pictures.sh gets.

    generate_imagenet.py PICTURES NETWORK=FILE...     # FILE: the weights under timm's names (fovea weights convert FROM FILE --model NETWORK)
"""
import json, pathlib, sys

import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from timm.data import create_transform, resolve_data_config

torch.set_num_threads(1)
result = {}
for network, file in (word.split("=") for word in sys.argv[2:]):
    model = timm.create_model(network).eval()
    model.load_state_dict(load_file(file))
    transform = create_transform(**resolve_data_config({}, model=model))
    pictures = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("imagenet_*.jpg")):
        with torch.no_grad():
            probabilities = model(transform(Image.open(path).convert("RGB"))[None]).softmax(1)[0]
        values, classes = probabilities.topk(5)
        pictures.append({"file": path.name, "index": int(classes[0]), "probability": round(float(values[0]), 5), "five": classes.tolist()})
    label = {one["file"]: int(one["file"][:-4].split("_")[-1]) for one in pictures}
    result[network] = {
        "top1": sum(one["index"] == label[one["file"]] for one in pictures),
        "top5": sum(label[one["file"]] in one["five"] for one in pictures),
        "pictures": pictures,
    }
pathlib.Path(__file__).with_name("imagenet.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
