#!/usr/bin/env python3
"""Whether fovea gives timm's probabilities: random weights that timm saves, a photograph through timm's own evaluation transform.

    pip install torch timm safetensors
    tests/data/models/check_probabilities.py [--fovea build/fovea] [--most MILLIONS] [NAME ...]
    tests/data/models/check_probabilities.py --most 12 --onnx --train        (pip install onnxruntime)

Without names, all of timm's layout that timm itself builds, the smallest first. Each line: the name, its parameters and the largest difference of a
probability, as a share of the largest probability; more than 1e-4 is a failure, and the exit status. With --onnx the same of the network that fovea
exports, as ONNX Runtime has it; with --train an epoch on four pictures has to end with a loss that is a number.
"""
import argparse, json, os, pathlib, subprocess, sys, tempfile
import timm, torch
from PIL import Image
from safetensors.torch import save_file

DATA = pathlib.Path(__file__).resolve().parent.parent
PHOTOGRAPH = DATA / "api" / "rocket.jpg"
CLASSES = 100  # not 1000: their names are numbers then
ALLOWED = 1e-4
AS_LOADED = {"fbnetc_100": {"bn_eps": 1e-3}}  # what timm does otherwise where it loads weights


def randomize(model):
    """As far from new weights as trained ones: no gain is 0 or 1, and running statistics are those of no layer."""
    torch.manual_seed(1)
    for name, value in model.state_dict().items():
        if not value.is_floating_point():
            continue
        noise = torch.rand(value.shape) * 2 - 1
        if name.endswith("running_mean"):
            value.copy_(0.1 * noise)
        elif name.endswith("running_var"):
            value.copy_(1 + 0.5 * noise)
        elif value.dim() > 1 and value[0].numel() > 1:
            value.copy_(noise * (3 / value[0].numel()) ** 0.5)
        elif name.endswith("weight") or name.endswith("gamma"):
            value.copy_((value if value.abs().max() > 0.1 else torch.full_like(value, 0.25)) * (1 + 0.2 * noise))
        else:
            value.copy_(0.1 * noise)


def probabilities(model, dtype):
    """Of the photograph, once the head is as sure as that of a trained network."""
    config = timm.data.resolve_data_config({}, model=model)
    picture = timm.data.create_transform(**config, is_training=False)(Image.open(PHOTOGRAPH).convert("RGB"))[None].to(dtype)
    model.to(dtype).eval()
    heads = model.get_classifier()
    with torch.no_grad():
        scale = 1.5 / model(picture).std()
        for head in heads if isinstance(heads, tuple) else (heads,):
            head.weight *= scale
        model.float().to(dtype)  # as they will be saved
        return torch.softmax(model(picture), 1)[0]


def called(command):
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    return run.stdout


def of_onnx(file, model):
    import onnxruntime

    config = timm.data.resolve_data_config({}, model=model)
    picture = timm.data.create_transform(**config, is_training=False)(Image.open(PHOTOGRAPH).convert("RGB"))[None].numpy()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return torch.softmax(torch.from_numpy(session.run(None, {"image": picture})[0]).double(), 1)[0]


def train(fovea, name):
    """An epoch of all layers on four pictures, small ones where the network takes such; a loss that is no number ends a run."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, color in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
            os.makedirs(f"{folder}/pictures/{kind}")
            for i in range(2):
                Image.new("RGB", (80, 64 + 8 * i), color).save(f"{folder}/pictures/{kind}/{i}.png")
        command = [fovea, "train", f"{folder}/pictures", "--model", f"timm/{name}", "--weights", "none", "--recipe", "full", "--epochs", "1", "--batch", "2",
                   "--validation", "0.5", "--threads", "1", "--no-report", "--json", "--out", f"{folder}/run"]
        try:
            called(command + ["--size", "64"])
        except RuntimeError as error:
            if "takes pictures" not in str(error):
                raise
            called(command)
        with open(f"{folder}/run/metrics.json") as metrics:
            if json.load(metrics).get("stopped"):
                raise RuntimeError("the loss is no number")


def difference(fovea, name, model, dtype, onnx):
    randomize(model)
    theirs = probabilities(model, dtype).double()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.safetensors"
        save_file({k: v.float().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}, path)
        command = [fovea, "predict", f"timm/{name}", str(PHOTOGRAPH), "--weights", path, "--top", str(CLASSES), "--threads", "1", "--json"]
        (answer,) = json.loads(called(command))
        if onnx:
            called([fovea, "export", f"timm/{name}", "--weights", path, "-o", f"{folder}/network.onnx", "--threads", "1"])
            exported = float((of_onnx(f"{folder}/network.onnx", model) - theirs).abs().max() / theirs.max())
    ours = torch.zeros(CLASSES, dtype=torch.float64)
    for entry in answer["classes"]:
        ours[int(entry["name"])] = entry["probability"]
    apart = float((ours - theirs).abs().max() / theirs.max())
    return (apart, exported) if onnx else (apart,)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fovea", default="build/fovea")
    parser.add_argument("--most", type=float, default=120, help="million parameters")
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--single", action="store_true", help="timm computes in float32, which is quicker, and 1e-6 from double")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    listed = json.loads(subprocess.run([arguments.fovea, "models", "--json"], capture_output=True, text=True, check=True).stdout)
    sizes = {m["name"].removeprefix("timm/"): m["parameters"] for m in listed if m["layout"] == "timm"}
    failures = 0
    for name in arguments.names or sorted(filter(timm.is_model, sizes), key=sizes.get):
        if sizes[name] > arguments.most * 1e6:
            continue
        try:
            model = timm.create_model(name, num_classes=CLASSES, **AS_LOADED.get(name, {}))
            apart = difference(arguments.fovea, name, model, torch.float32 if arguments.single else torch.float64, arguments.onnx)
            if arguments.train:
                train(arguments.fovea, name)
        except (RuntimeError, ValueError) as error:
            print(f"{name}: {str(error)[:300]}", flush=True)
            failures += 1
            continue
        failed = max(apart) > ALLOWED
        print(name, sizes[name], *(f"{one:.1e}" for one in apart), *(["more than is allowed"] if failed else []), flush=True)
        failures += failed
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
