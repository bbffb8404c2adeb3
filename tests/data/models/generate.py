#!/usr/bin/env python3
"""Writes variants.csv: what torchvision and timm hold of every network here. Run where both are installed."""
import csv, re, sys
import torch, torchvision, timm

NAMES = ["torchvision/" + n for n in """resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d
wide_resnet50_2 wide_resnet101_2 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5
efficientnet_b6 efficientnet_b7 efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l""".split()]
NAMES += [f"timm/{p}efficientnet_lite{i}" for p in ("", "tf_") for i in range(5)] + [f"timm/tf_efficientnet_b{i}" for i in range(8)]


def fnv1a64(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return h


def weights_of(name):
    return list(torchvision.models.get_model_weights(name))


def build(spec):
    library, name = spec.split("/")
    with torch.device("meta"):
        if library == "timm":
            model = timm.create_model(name, pretrained=False)
            return model, model.default_cfg["input_size"][1], model.default_cfg["classifier"]
        model = torchvision.models.get_model(name, weights=None)
        # The sizes of the original weights; the later recipes measure some networks at others.
        head = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)][-1]
        return model, weights_of(name)[0].transforms().crop_size[0], head


def multiply_adds(model, size):
    total = 0

    def count(module, inputs, output):
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    model(torch.empty(1, 3, size, size, device="meta"))
    return total


def drop(model):
    """The head's dropout and the sum of every block's stochastic depth that has a shortcut."""
    dropout = next((m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)), getattr(model, "drop_rate", 0.0))
    depth = sum(m.stochastic_depth.p for m in model.modules() if getattr(m, "use_res_connect", False))
    return dropout, depth


def row(spec):
    model, size, head = build(spec)
    model.eval()
    state = "".join(f"{k}[{','.join(map(str, v.shape))}]\n" for k, v in model.state_dict().items())
    norms = {(m.eps, m.momentum) for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert len(norms) == 1
    (eps, momentum), = norms
    dropout, depth = drop(model)
    library, name = spec.split("/")
    published = "%.3f" % weights_of(name)[0].meta["_ops"] if library == "torchvision" else ""
    return [spec, size, sum(p.numel() for p in model.parameters()), len(model.state_dict()), "%016x" % fnv1a64(state), head,
            dict(model.named_modules())[head].in_features, multiply_adds(model, size), published, eps, momentum, dropout, repr(depth)]


with open("variants.csv", "w") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow("model size parameters states states_fnv1a64 head feature_width multiply_adds published_gmacs eps momentum dropout stochastic_depth".split())
    for spec in NAMES:
        out.writerow(row(spec))
