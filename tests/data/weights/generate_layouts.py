"""Writes layouts.txt: the parameter names and shapes of networks that torchvision and timm both have, side by side. Needs torch, torchvision
and timm; the result is committed.

    python generate_layouts.py

That two names are the same parameter is shown by the answers: each pair of networks gets the same random weights and must agree. Running
statistics are left out (they lie beside a weight that is listed), and so are the blocks of a stage after its second where all are alike.
Then the names of the ConvNeXt authors' own files beside timm's, as timm's filter for such files reads them.
"""
import os
import re

import timm
import torch
import torchvision
from timm.models.convnext import checkpoint_filter_fn

FOLDER = os.path.dirname(os.path.abspath(__file__))

# torchvision's name, timm's, the pictures' size to compare at, whether later blocks are left out
NETWORKS = [("vgg11_bn", "vgg11_bn", 224, False), ("efficientnet_b0", "efficientnet_b0", 64, True),
            ("efficientnet_v2_s", "efficientnetv2_s", 64, True), ("efficientnet_v2_m", "efficientnetv2_m", 64, True),
            ("mobilenet_v2", "mobilenetv2_100", 64, False), ("mobilenet_v3_large", "mobilenetv3_large_100", 64, False),
            ("mobilenet_v3_small", "mobilenetv3_small_100", 64, False), ("convnext_tiny", "convnext_tiny", 64, True),
            ("vit_b_16", "vit_base_patch16_224", 224, True), ("vit_b_32", "vit_base_patch32_224", 224, True)]

# Those that the libraries define at another place than the layer that uses them.
APART = ["layer_scale", "gamma", "class_token", "cls_token", "pos_embedding", "pos_embed"]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def in_order(state):
    apart = [[name for name in state if name.split(".")[-1] == last] for last in APART]
    moved = {name for names in apart for name in names}
    return [name for name in state if name not in moved] + [name for names in apart for name in names]


def randomize(state, generator):
    for name, tensor in state.items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            scale = 1 / max(1, tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.2
            tensor.normal_(1.0 if tensor.dim() == 1 and name.endswith("weight") else 0.0, scale, generator=generator)


def set_eps(source, target):
    """timm leaves the norms of some networks at another eps than torchvision; the names are what is compared."""
    norms = (torch.nn.BatchNorm2d, torch.nn.LayerNorm)
    eps = {module.eps for module in source.modules() if isinstance(module, norms)}
    assert len(eps) == 1
    for module in target.modules():
        if isinstance(module, norms):
            module.eps = eps.copy().pop()


@torch.no_grad()
def pairs(left_name, right_name, size):
    left = getattr(torchvision.models, left_name)().eval()
    right = timm.create_model(right_name).eval()
    set_eps(left, right)
    generator = torch.Generator().manual_seed(1)
    randomize(left.state_dict(), generator)
    a, b = left.state_dict(), right.state_dict()
    names = list(zip(in_order(a), in_order(b)))
    assert len(a) == len(b) == len(names)
    right.load_state_dict({new: a[old].reshape(b[new].shape) for old, new in names}, strict=True)
    picture = torch.randn(2, 3, size, size, generator=generator)
    expected, got = left(picture), right(picture)
    error = ((expected - got).abs().max() / expected.abs().max()).item()
    print(left_name, right_name, "%d tensors, relative error %.1e" % (len(names), error))
    assert error < 1e-4 and expected.std() > 0
    return [(old, new, a[old].shape, b[new].shape) for old, new in names]


def late_block(name):
    found = re.match(r"(?:features\.\d+\.|encoder\.layers\.encoder_layer_)(\d+)\.(?!weight|bias)", name)
    return found and int(found.group(1)) > 1


def text(shape):
    return ",".join(map(str, shape)) or "-"


def authors_name(name):
    """The name in github.com/facebookresearch/ConvNeXt and ConvNeXt-V2 of what timm calls `name`."""
    for timms, authors in [(r"^stem\.", "downsample_layers.0."), (r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1."),
                           (r"\.blocks\.", "."), (r"\.conv_dw\.", ".dwconv."), (r"\.mlp\.fc(\d)\.", r".pwconv\1."),
                           (r"\.mlp\.grn\.weight$", ".grn.gamma"), (r"\.mlp\.grn\.bias$", ".grn.beta"), (r"^head\.norm\.", "norm."),
                           (r"^head\.fc\.", "head.")]:
        name = re.sub(timms, authors, name)
    return name


def authors_convnext(name):
    model = timm.create_model(name)
    expected = model.state_dict()
    file = {}
    for new, tensor in expected.items():
        shape = (1, 1, 1) + tensor.shape if ".grn." in new else tensor.shape
        file[authors_name(new)] = torch.empty(shape)
    converted = checkpoint_filter_fn(dict(file), model)
    assert {key: tensor.shape for key, tensor in converted.items()} == {key: tensor.shape for key, tensor in expected.items()}
    return [(authors_name(new), new, file[authors_name(new)].shape, tensor.shape) for new, tensor in expected.items()]


def main():
    with open(os.path.join(FOLDER, "layouts.txt"), "w") as out:
        def section(kind, left, right, rows, keep):
            out.write("%s %s %s\n" % (kind, left, right))
            for old, new, old_shape, new_shape in rows:
                if keep(old):
                    out.write("%s %s %s %s\n" % (old, new, text(old_shape), "=" if old_shape == new_shape else text(new_shape)))

        for left, right, size, shorten in NETWORKS:
            keep = lambda name: not name.endswith(STATISTICS) and not (shorten and late_block(name))
            section("torchvision-timm", left, right, pairs(left, right, size), keep)
        for name in ["convnext_tiny", "convnextv2_atto"]:
            section("authors-timm", name, name, authors_convnext(name), lambda old: not re.match(r"stages\.\d\.[2-9]\.", old))


if __name__ == "__main__":
    main()
