#!/usr/bin/env python3
"""Writes transformers.json: what networks of the transformers library answer, in float64, and under which names it writes their parameters into a
folder. Parameters and pictures are those of ../reference/README.md, by these names. Run where transformers is installed."""
import json, pathlib, sys, tempfile

import numpy as np
import torch
import transformers as t
from safetensors import safe_open
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "reference"))
from generate import images, parameter, rounded, summary

# timm's epsilon, with which fovea computes; the library's own default, 1e-12, moves the second answer by 6e-5 of its length.
SMALL = dict(layer_norm_eps=1e-6, hidden_size=192, num_attention_heads=3, intermediate_size=768, num_labels=5)
CASES = [  # what it is built from, the pictures' size, whether the answer is the logits or the features
    (t.ViTForImageClassification, t.ViTConfig(image_size=64, **SMALL), 64, "logits"),
    (t.ViTModel, t.ViTConfig(image_size=48, **SMALL), 48, "features"),
    (t.Dinov2Model, t.Dinov2Config(image_size=56, hidden_size=384, num_attention_heads=6), 56, "features"),
    (t.ConvNextForImageClassification, t.ConvNextConfig(num_labels=7), 64, "logits"),
    (t.ConvNextV2ForImageClassification, t.ConvNextV2Config(depths=[2, 2, 6, 2], hidden_sizes=[40, 80, 160, 320], num_labels=4), 64, "logits"),
    (t.ResNetForImageClassification, t.ResNetConfig(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], num_labels=3), 64, "logits"),
    (t.ResNetModel, t.ResNetConfig(), 64, "features"),
    (t.BitForImageClassification, t.BitConfig(num_labels=6), 64, "logits"),
    (t.DeiTForImageClassificationWithTeacher, t.DeiTConfig(image_size=48, **SMALL), 48, "logits"),
    (t.DeiTForImageClassification, t.DeiTConfig(image_size=48, **SMALL), 48, "logits"),
    (t.MobileNetV1ForImageClassification, t.MobileNetV1Config(depth_multiplier=0.25, num_labels=6), 65, "logits"),
    (t.MobileNetV2ForImageClassification, t.MobileNetV2Config(depth_multiplier=0.35, num_labels=8), 65, "logits"),
    (t.EfficientNetForImageClassification, t.EfficientNetConfig(width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, num_labels=9), 64, "logits"),
]


def answer(kind, config, size, output):
    with tempfile.TemporaryDirectory() as folder:
        kind(config).save_pretrained(folder)
        file = pathlib.Path(folder) / "model.safetensors"
        with safe_open(file, "pt") as tensors:
            shapes = {name: list(tensors.get_slice(name).get_shape()) for name in tensors.keys()}
        save_file({name: torch.from_numpy(np.array(parameter(name, tuple(shape), 0))) for name, shape in shapes.items()}, file, {"format": "pt"})
        model = kind.from_pretrained(folder, dtype=torch.float64).eval()
        written = json.loads((pathlib.Path(folder) / "config.json").read_text())
    x = images(1, size, 0)
    with torch.no_grad():
        result = model(pixel_values=x)
    value = result.logits if output == "logits" else result.pooler_output.flatten(1)
    if kind is t.ViTModel:  # the class token, which its pooler reads
        value = result.last_hidden_state[:, 0]
    return {"kind": kind.__name__, "config": written, "tensors": shapes, "input": list(x.shape), "output": output, "answer": summary(output, value)}


torch.set_num_threads(1)
result = {"transformers": t.__version__, "cases": [answer(*case) for case in CASES]}
(HERE / "transformers.json").write_text(json.dumps(rounded(result), separators=(",", ":")) + "\n")
