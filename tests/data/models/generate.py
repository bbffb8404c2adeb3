#!/usr/bin/env python3
"""Writes variants.csv: what torchvision and timm hold of every network here. Run where both are installed."""
import csv, re, sys
import torch, torchvision, timm
from timm.models import efficientnet
from torch.utils.flop_counter import FlopCounterMode

BOTH = """resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d wide_resnet50_2 wide_resnet101_2
vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn densenet121 densenet161 densenet169 densenet201""".split()
NAMES = [f"{library}/{name}" for name in BOTH for library in ("torchvision", "timm")]
NAMES += ["torchvision/" + n for n in """mobilenet_v2 mobilenet_v3_small mobilenet_v3_large efficientnet_b0 efficientnet_b1 efficientnet_b2
efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7 efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l""".split()]
NAMES += [f"timm/{p}efficientnet_lite{i}" for p in ("", "tf_") for i in range(5)] + [f"timm/{p}efficientnet_b{i}" for p in ("", "tf_") for i in range(8)]
NAMES += ["timm/resnetv2_152", "timm/convnextv2_small"]
NAMES += [f"{library}/convnext_{size}" for library in ("torchvision", "timm") for size in ("tiny", "small", "base", "large")]
NAMES += ["torchvision/" + n for n in "vit_b_16 vit_b_32 vit_l_16 vit_l_32 vit_h_14".split()]
NAMES += ["timm/" + n for module in ("vision_transformer", "deit") for n in timm.list_models(module=module)]
# Published, of the modules below, and not here: README.md says why.
LEFT_OUT = "convnext_zepto_rms convnext_zepto_rms_ols resnetv2_50d_evos test_efficientnet_evos".split()
# Every architecture for which timm publishes weights, of the modules here.
MODULES = "resnet resnetv2 vgg densenet mobilenetv3 efficientnet convnext".split()
PUBLISHED = {name.split(".")[0] for module in MODULES for name in timm.list_models(module=module, pretrained=True)}
NAMES += sorted({f"timm/{name}" for name in PUBLISHED - set(LEFT_OUT)} - set(NAMES))
AS_LOADED = {"fbnetc_100": {"bn_eps": 1e-3}}  # what timm does otherwise where it loads weights
# The transformers library's, which timm builds when it is asked to: the multiplier of the channels by the name.
TENSORFLOW = {f"tf_mobilenetv{version}_{percent:03}": (version, percent / 100) for version, percents in
              ((1, (25, 50, 75, 100)), (2, (35, 50, 75, 100, 130, 140))) for percent in percents}
TENSORFLOW_SIZES = {"tf_mobilenetv1_075": 192, "tf_mobilenetv2_035": 96, "tf_mobilenetv2_075": 160}
NAMES += ["timm/" + name for name in TENSORFLOW]
OTHER_NORMS = ("sub_norm", "mlp_scale.norm")  # whose eps is not the network's
NORMS = torch.nn.BatchNorm2d, torch.nn.LayerNorm, torch.nn.GroupNorm, timm.layers.RmsNorm


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
        if name in TENSORFLOW:
            version, multiplier = TENSORFLOW[name]
            make = (efficientnet._gen_mobilenet_v1, efficientnet._gen_mobilenet_v2)[version - 1]
            model = make(f"mobilenetv{version}_100", multiplier, pad_type="same", bn_eps=1e-3)
            return model, TENSORFLOW_SIZES.get(name, 224), "classifier"
        if library == "timm":
            model = timm.create_model(name, pretrained=False, **AS_LOADED.get(name, {}))
            head = model.default_cfg["classifier"]
            return model, model.default_cfg["input_size"][1], head if isinstance(head, str) else head[0]
        # The sizes of the original weights; the later recipes measure some networks at others.
        size = weights_of(name)[0].transforms().crop_size[0]
        model = torchvision.models.get_model(name, weights=None, **({"image_size": size} if name.startswith("vit") else {}))
        head = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)][-1]
        return model, size, head


def multiply_adds(model, size):
    """Of convolutions, linear layers and the two products of attention; what adds weights up for a picture is none of these."""
    mixed = sum(m.weight.numel() for m in model.modules() if isinstance(m, timm.layers.CondConv2d))
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() // 2 - mixed


def feature_width(model, head):
    layer = dict(model.named_modules())[head]
    return model.num_features if isinstance(layer, torch.nn.Identity) else layer.weight.shape[1]


def drop(model):
    """The head's dropout and the sum of every block's stochastic depth that has a shortcut."""
    dropout = next((m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)), getattr(model, "drop_rate", 0.0))
    depth = sum(m.stochastic_depth.p for m in model.modules() if hasattr(m, "stochastic_depth") and getattr(m, "use_res_connect", True))
    return dropout, depth


def row(spec):
    model, size, head = build(spec)
    model.eval()
    state = "".join(f"{k}[{','.join(map(str, v.shape))}]\n" for k, v in model.state_dict().items())
    norms = {(m.eps, getattr(m, "momentum", "")) for n, m in model.named_modules() if isinstance(m, NORMS) and not n.endswith(OTHER_NORMS)}
    (eps, momentum), = norms or {("", "")}
    dropout, depth = drop(model)
    library, name = spec.split("/")
    published = "%.3f" % weights_of(name)[0].meta["_ops"] if library == "torchvision" else ""
    return [spec, size, sum(p.numel() for p in model.parameters()), len(model.state_dict()), "%016x" % fnv1a64(state), head,
            feature_width(model, head), multiply_adds(model, size), published, eps, momentum, dropout, repr(depth)]


# Rows of other networks stay as they are where names are given.
wanted = sys.argv[1:] or NAMES
known = {}
if sys.argv[1:]:
    with open("variants.csv") as file:
        known = {line[0]: line for line in list(csv.reader(file))[1:]}
rows = [row(spec) if spec in wanted else known[spec] for spec in NAMES if spec in wanted or spec in known]
with open("variants.csv", "w") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow("model size parameters states states_fnv1a64 head feature_width multiply_adds published_gmacs eps momentum dropout stochastic_depth".split())
    out.writerows(rows)
