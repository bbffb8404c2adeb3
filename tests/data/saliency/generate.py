#!/usr/bin/env python3
"""Writes heat_maps.json: Grad-CAM and attention rollout of torchvision's and timm's networks, by hooks and torch's own gradients.

    pip install torch torchvision timm numpy
    ./generate.py > heat_maps.json

Weights and pictures are those of ../reference (functions of a name and a seed); everything is computed in float64.
"""
import json, pathlib, sys
import numpy as np, torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "reference"))
from generate import build, images, load, no_randomness

SEED = 0
GRAD_CAM = [  # network, size, torch's module, fovea's name for what it gives (empty: what it takes by itself)
    ("torchvision/resnet18", 96, "layer4", ""),
    ("torchvision/resnet18", 96, "layer3", "layer3"),
    ("torchvision/mobilenet_v3_small", 96, "features.12", ""),
    ("torchvision/densenet121", 96, "features.norm5", ""),  # whose output the ReLU after it overwrites
    ("timm/convnextv2_atto", 96, "stages.3", ""),
    ("timm/tf_efficientnet_lite0", 96, "blocks.4", "blocks.4"),
    ("timm/deit_tiny_patch16_224", 224, "blocks.10", ""),
    ("timm/deit_tiny_patch16_224", 224, "blocks.11.norm1", "blocks.11.norm1"),
]
CLASSES = 10  # of these, the one for which most positions speak: made-up weights leave some maps empty
ROLLOUT = [("timm/deit_tiny_patch16_224", 224)]

def network(spec):
    model, _ = build(spec)
    load(model, SEED)
    no_randomness(model)
    return model.eval()

def places(tokens):
    """[1, T, C] without the class token, as a map [1, C, h, w]."""
    side = int((tokens.shape[1] - 1) ** 0.5)
    return tokens[:, 1:].transpose(1, 2).reshape(1, -1, side, side)

def grad_cam(spec, size, module, tap):
    model = network(spec)
    kept = []
    model.get_submodule(module).register_forward_hook(lambda m, i, o: kept.append(o))
    logits = model(images(1, size, SEED))
    best = None
    for cls in range(CLASSES):
        value, gradient = kept[0], torch.autograd.grad(logits[0, cls], kept[0], retain_graph=True)[0]
        if value.dim() == 3:
            value, gradient = places(value), places(gradient)
        map = torch.relu((gradient.mean((2, 3), keepdim=True) * value).sum(1, keepdim=True)).detach()
        if best is None or (map > 0).sum() > (best[1] > 0).sum():
            best = cls, map
    cls, map = best
    return {"method": "gradcam", "model": spec, "size": size, "class": cls, "tap": tap, "logit": float(logits[0, cls].detach()),
            "map": map[0, 0].tolist(), **spread(map, size)}

def rollout(spec, size):
    model = network(spec)
    layers = []
    def keep(attn):
        def hook(m, i, qkv):
            n, t, c = qkv.shape
            q, k, _ = qkv.reshape(n, t, 3, attn.num_heads, c // 3 // attn.num_heads).permute(2, 0, 3, 1, 4)
            layers.append(((q @ k.transpose(-2, -1)) * attn.scale).softmax(-1)[0].mean(0))
        return hook
    for block in model.blocks:
        block.attn.qkv.register_forward_hook(keep(block.attn))
    with torch.no_grad():
        model(images(1, size, SEED))
    rolled = torch.eye(layers[0].shape[0], dtype=torch.float64)
    for layer in layers:
        rolled = (0.5 * layer + 0.5 * torch.eye(layer.shape[0], dtype=torch.float64)) @ rolled
    side = int((rolled.shape[0] - 1) ** 0.5)
    map = rolled[0, 1:].reshape(1, 1, side, side)
    return {"method": "rollout", "model": spec, "size": size, "tap": "", "map": map[0, 0].tolist(), **spread(map, size)}

def spread(map, size):
    """Every 97th number of the heat over the picture."""
    heat = torch.nn.functional.interpolate(map / map.max().clamp_min(1e-300), size=(size, size), mode="bilinear", align_corners=False)
    return {"heat": heat.reshape(-1)[::97].tolist()}

def rounded(x):
    return [rounded(y) for y in x] if isinstance(x, list) else float(f"{x:.9g}") if isinstance(x, float) else x

if __name__ == "__main__":
    cases = [grad_cam(*case) for case in GRAD_CAM] + [rollout(*case) for case in ROLLOUT]
    print("[\n" + ",\n".join(json.dumps({k: rounded(v) for k, v in case.items()}) for case in cases) + "\n]")
