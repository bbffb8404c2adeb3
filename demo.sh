#!/usr/bin/env bash
# From a fresh clone to a classifier: fine-tunes a backbone that carries ImageNet weights on 200 pictures of twelve kinds, and the same network without those
# weights, and shows both on pictures that neither saw. Leaves build/demo/pictures, build/demo/pretrained and build/demo/scratch.
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
step "training on ImageNet weights"
rm -rf $demo/pretrained $demo/scratch
train --out $demo/pretrained
step "training from random weights"
train --weights none --out $demo/scratch

step "three pictures, as the trained model sees them"
build/fovea predict $demo/pretrained/model.safetensors $demo/pictures/{birds,fruit,tools}/*[aeiou].png --top 3 | head -12

step "done"
python3 - $demo/pretrained/metrics.json $demo/scratch/metrics.json <<'PYTHON'
import json, sys

print(f"{'tf_efficientnet_lite0, 12 classes':<36}{'test accuracy':>14}{'test pictures':>15}{'seconds':>9}")
for name, path in zip(("with ImageNet weights", "without (--weights none)"), sys.argv[1:]):
    with open(path) as file:
        metrics = json.load(file)
    print(f"{name:<36}{metrics['test']['accuracy']:>14.3f}{metrics['test']['pictures']:>15}{metrics['seconds']:>9.1f}")
PYTHON
printf 'from the first line to this one: %d s\n' $((SECONDS - started))
