"""timm_words.py LIBRARY [FILE]: asks timm, or fovea in its place, the same questions about the same random weights, and writes the answers
as JSON. `tests/data/python/timm_words.json` holds timm's; test_timm_words.py compares fovea's with it, and with timm's own where that is installed.

An array is told by its shape, its norm, and its products with eight random vectors of its length.
"""

import importlib
import json
import sys
import zlib

import numpy

NETWORKS = {"resnet18": 64, "convnextv2_atto": 64, "efficientnet_lite0": 64, "deit_tiny_patch16_224": 224}


def described(array):
    array = numpy.asarray(array.detach() if hasattr(array, "detach") else array)
    values = array.astype(numpy.float64).ravel()
    random = numpy.random.default_rng(values.size)
    products = [float(values @ random.standard_normal(values.size)) for _ in range(8)]
    return {"shape": list(array.shape), "norm": float(numpy.linalg.norm(values)), "products": products}


def random_state(model):
    """Weights by name, so that both libraries get the same."""
    state = {}
    for name, array in model.state_dict().items():
        shape = tuple(array.shape)
        random = numpy.random.default_rng(zlib.crc32(name.encode()))
        values = random.standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            state[name] = numpy.zeros(shape, numpy.int64)
            continue
        if name.endswith("running_var"):
            values = 1 + 0.2 * numpy.abs(values)
        elif len(shape) > 1:
            values = values / numpy.sqrt(max(1, numpy.prod(shape[1:])))
        else:
            values = (1 if name.endswith("weight") else 0) + 0.1 * values
        state[name] = values.astype(numpy.float32)
    return state


def answers(library):
    timm = importlib.import_module(library)
    if library == "timm":
        import torch

        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        array = torch.from_numpy
    else:

        def array(values):
            return values

    def give(model, **more):
        state = {name: array(numpy.asarray(values)) for name, values in random_state(model).items()}
        found = model.load_state_dict(state, **more)
        assert list(found.missing_keys) == [] and list(found.unexpected_keys) == []
        return model.eval()

    def picture(size, channels=3, count=1):
        random = numpy.random.default_rng(size + channels)
        return array(random.standard_normal((count, channels, size, size)).astype(numpy.float32))

    result = {}
    for name, size in NETWORKS.items():
        tell = result.setdefault(name, {})
        x = picture(size)
        model = give(timm.create_model(name, pretrained=False, num_classes=7))
        tell["numbers"] = [model.num_classes, model.num_features, model.head_hidden_size]
        tell["states"] = {key: list(value.shape) for key, value in sorted(model.state_dict().items())}
        tell["call"] = described(model(x))
        features = model.forward_features(x)
        tell["forward_features"] = described(features)
        tell["forward_head"] = described(model.forward_head(features))
        tell["pre_logits"] = described(model.forward_head(features, pre_logits=True))
        last, maps = model.forward_intermediates(x, indices=2)
        tell["intermediates"] = [described(last), *map(described, maps)]
        tell["one intermediate"] = [described(one) for one in model.forward_intermediates(x, indices=[-1], norm=True, intermediates_only=True)]
        if name.startswith("deit"):
            pairs = model.forward_intermediates(x, [0, 3], output_fmt="NLC", intermediates_only=True, return_prefix_tokens=True)
            tell["tokens"] = [described(one) for pair in pairs for one in pair]
        classifier = model.get_classifier()
        tell["classifier"] = [described(classifier.weight), described(classifier.bias), classifier.in_features, classifier.out_features]
        info = model.feature_info if not isinstance(model.feature_info, list) else None
        rows = info.info if info is not None else model.feature_info
        tell["feature_info"] = [[row["num_chs"], row["reduction"], row["module"]] for row in rows]
        model.reset_classifier(0)
        tell["without a head"] = [model.num_classes, described(model(x))]
        model.reset_classifier(3)
        tell["another head"] = [model.num_classes, list(model(x).shape), list(model.get_classifier().weight.shape)]
        config = timm.data.resolve_model_data_config(timm.create_model(name))
        tell["config"] = {key: list(value) if isinstance(value, tuple) else value for key, value in sorted(config.items())}

    x = picture(64)
    listed = timm.create_model("resnet18", features_only=True, out_indices=(1, 3))
    info = listed.feature_info
    result["features_only"] = [info.channels(), info.reduction(), info.module_name(), [list(one.shape) for one in listed.eval()(x)]]
    grey = give(timm.create_model("resnet18", in_chans=1, num_classes=0, global_pool=""))
    result["in_chans, no pool"] = described(grey(picture(64, 1)))
    result["is_model"] = [timm.is_model("resnet18"), timm.is_model("resnet18.a1_in1k"), timm.is_model("resnet19")]
    result["list_models"] = [name for name in timm.list_models("resnet1*8*") if name in ("resnet18", "resnet18d")][:1]
    result["cfg"] = {key: getattr(timm.get_pretrained_cfg("resnet18"), key) for key in ("architecture", "interpolation", "crop_pct")}
    try:
        timm.create_model("resnet18", num_classes=7).load_state_dict({"fc.weight": array(numpy.zeros((7, 512), numpy.float32))})
        result["strict"] = "taken"
    except Exception as error:
        result["strict"] = "bn1.weight" in str(error)

    # Pictures as files have them.
    from PIL import Image

    pixels = numpy.random.default_rng(7).integers(0, 256, (90, 140, 3), numpy.uint8)
    photograph = Image.fromarray(pixels).resize((280, 180))
    for name in NETWORKS:
        config = timm.data.resolve_model_data_config(timm.create_model(name))
        result[name]["transform"] = described(timm.data.create_transform(**config, is_training=False)(photograph))
    return result


if __name__ == "__main__":
    text = json.dumps(answers(sys.argv[1]), indent=1)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        print(text)
