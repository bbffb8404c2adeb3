"""Writes torchvision_published.txt: what torchvision says of its weights for the networks of fovea's table, one row each. Needs torchvision;
the result is committed.

    python generate_published.py

Columns: model, enum, whether it is the default, URL, top-1 and top-5 % (- where there are none), parameters, resize, crop, interpolation,
mean, std, and "non-commercial" where the recipe's licence says so.
"""
import math
import os

import torchvision
from torchvision.models import get_model_weights

MODELS = """resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d wide_resnet50_2 wide_resnet101_2
vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn densenet121 densenet161 densenet169 densenet201
mobilenet_v2 mobilenet_v3_large mobilenet_v3_small
efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7
efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l convnext_tiny convnext_small convnext_base convnext_large
vit_b_16 vit_b_32 vit_l_16 vit_l_32 vit_h_14""".split()


def number(value):
    return "-" if value is None or math.isnan(value) else "%.3f" % value


def numbers(values):
    return ",".join("%.7g" % value for value in values)


def main():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torchvision_published.txt"), "w") as out:
        for model in MODELS:
            enum = get_model_weights(model)
            for weights in enum:
                pictures = weights.transforms()
                accuracy = weights.meta["_metrics"]["ImageNet-1K"]
                restricted = "SWAG/blob/main/LICENSE" in weights.meta.get("license", "")
                row = [model, weights.name, "default" if weights is getattr(enum, "DEFAULT", None) else "-", weights.url, number(accuracy["acc@1"]),
                       number(accuracy["acc@5"]), weights.meta["num_params"], pictures.resize_size[0], pictures.crop_size[0],
                       pictures.interpolation.value, numbers(pictures.mean), numbers(pictures.std), "non-commercial" if restricted else "-"]
                out.write(" ".join(map(str, row)) + "\n")


if __name__ == "__main__":
    main()
