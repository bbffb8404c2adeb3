#!/usr/bin/env python3
"""Whether fovea gives timm's probabilities: random weights that timm saves, a photograph through timm's own evaluation transform.

    pip install torch timm safetensors
    tests/data/models/check_probabilities.py [--fovea build/fovea] [--most MILLIONS] [NAME ...]

Without names, all of timm's layout, the smallest first. Each line: the name, its parameters and the largest difference of a probability, as a
share of the largest probability; more than 1e-4 is a failure, and the exit status.
"""
import argparse, json, pathlib, subprocess, sys, tempfile
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


def probabilities(model):
    """Of the photograph, in double, once the head is as sure as that of a trained network."""
    config = timm.data.resolve_data_config({}, model=model)
    picture = timm.data.create_transform(**config, is_training=False)(Image.open(PHOTOGRAPH).convert("RGB"))[None].double()
    model.double().eval()
    head = model.get_classifier()
    with torch.no_grad():
        head.weight *= 1.5 / model(picture).std()
        model.float().double()  # as they will be saved
        return torch.softmax(model(picture), 1)[0]


def difference(fovea, name, model):
    randomize(model)
    theirs = probabilities(model)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.safetensors"
        save_file({k: v.float().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}, path)
        command = [fovea, "predict", f"timm/{name}", str(PHOTOGRAPH), "--weights", path, "--top", str(CLASSES), "--threads", "1", "--json"]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    (answer,) = json.loads(run.stdout)
    ours = torch.zeros(CLASSES, dtype=torch.float64)
    for entry in answer["classes"]:
        ours[int(entry["name"])] = entry["probability"]
    return float((ours - theirs).abs().max() / theirs.max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fovea", default="build/fovea")
    parser.add_argument("--most", type=float, default=120, help="million parameters")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    listed = json.loads(subprocess.run([arguments.fovea, "models", "--json"], capture_output=True, text=True, check=True).stdout)
    sizes = {m["name"].removeprefix("timm/"): m["parameters"] for m in listed if m["layout"] == "timm"}
    failures = 0
    for name in arguments.names or sorted(sizes, key=sizes.get):
        if sizes[name] > arguments.most * 1e6:
            continue
        try:
            apart = difference(arguments.fovea, name, timm.create_model(name, num_classes=CLASSES, **AS_LOADED.get(name, {})))
        except (RuntimeError, ValueError) as error:
            print(f"{name}: {str(error)[:300]}", flush=True)
            failures += 1
            continue
        print(f"{name} {sizes[name]} {apart:.1e}{'  more than is allowed' if apart > ALLOWED else ''}", flush=True)
        failures += apart > ALLOWED
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
