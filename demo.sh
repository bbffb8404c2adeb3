#!/usr/bin/env bash
# From a fresh clone to a classifier: fine-tunes a backbone that carries ImageNet weights on 200 pictures of twelve kinds, and the same network without those
# weights, and shows what each makes of pictures that it never saw. Leaves build/demo/pictures, build/demo/pretrained and build/demo/scratch.
set -euo pipefail
cd "$(dirname "$0")"
started=$SECONDS
demo=build/demo

step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

step "installing what is missing"
scripts/install_dependencies.sh
scripts/get_onednn.sh

step "building build/fovea"
mkdir -p build
cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
cmake --build --preset release --target fovea_command

step "getting the default weights and 200 pictures"
scripts/get_default_weights.sh
scripts/get_stamps.sh $demo/pictures

train() { build/fovea train $demo/pictures --model tf_efficientnet_lite0 --recipe auto --seed 0 --test 0.3 "$@"; }
rm -rf $demo/pretrained $demo/scratch
step "training on ImageNet weights"
train --out $demo/pretrained
step "training from random weights"
train --weights none --out $demo/scratch

step "four of the test pictures, as the first model sees them"
python3 - $demo/pretrained/metrics.json <<'PYTHON' | build/fovea predict $demo/pretrained/model.safetensors - --top 3
import json, os, sys

with open(sys.argv[1]) as file:
    files = json.load(file)["test_files"]
for kind in ("birds", "fruit", "insects", "tools"):
    print(next(path for path in files if os.path.basename(os.path.dirname(path)) == kind))
PYTHON

step "done"
python3 - $demo/pretrained/metrics.json $demo/scratch/metrics.json <<'PYTHON'
import json, sys

print(f"{'tf_efficientnet_lite0, 12 classes':<36}{'test accuracy':>14}{'test pictures':>15}{'seconds':>9}")
for name, path in zip(("with ImageNet weights", "without (--weights none)"), sys.argv[1:]):
    with open(path) as file:
        metrics = json.load(file)
    print(f"{name:<36}{metrics['test']['accuracy']:>14.3f}{metrics['test']['pictures']:>15}{metrics['seconds']:>9.1f}")
PYTHON
echo "what each was trained on, where it is right and its worst mistakes: $demo/pretrained/report.html, $demo/scratch/report.html"
printf 'from the first line to this one: %d s\n' $((SECONDS - started))
