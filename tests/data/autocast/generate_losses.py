#!/usr/bin/env python3
"""Writes losses.json in this folder: the losses of the reference answers' (../reference) training steps as torch has them with bfloat16 autocast.

    pip install torch torchvision timm numpy
    ./generate_losses.py [MODEL ...]      # none: every answer that is there

Models, inputs and steps are those of ../reference/generate.py; parameters are float32, the forward pass and the loss run under
torch.autocast("cpu", torch.bfloat16). How far these losses are from the answers' says how far bfloat16 takes a network.
"""
import json, os, sys
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
REFERENCE = os.path.join(HERE, "..", "reference")
sys.path.insert(0, REFERENCE)
import generate

def losses(spec, answer):
    torch.manual_seed(0)
    model, _ = generate.build(spec)
    model = generate.load(model, answer["seed"]).float()
    generate.no_randomness(model)
    model.train()
    train = answer["train"]
    batch, _, size, _ = train["input"]
    x, y = generate.images(batch, size, answer["seed"]).float(), torch.tensor(train["labels"])
    optimizer = torch.optim.SGD(model.parameters(), **train["optimizer"]["sgd"])
    found = []
    for _ in train["losses"]:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x), y, label_smoothing=train["label_smoothing"])
        loss.backward()
        found.append(float(loss.detach()))
        optimizer.step()
    return found

def answers(folder):
    return sorted(f"{lib}/{name[:-5]}" for lib in ("torchvision", "timm") for name in os.listdir(os.path.join(folder, lib)) if name.endswith(".json"))

if __name__ == "__main__":
    path = os.path.join(HERE, "losses.json")
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    table = json.load(open(path)) if os.path.exists(path) else {}
    for spec in sys.argv[1:] or answers(REFERENCE):
        with open(os.path.join(REFERENCE, spec + ".json")) as file:
            answer = json.load(file)
        table[spec] = generate.rounded(losses(spec, answer))
        apart = [abs(a - b) / b for a, b in zip(table[spec], answer["train"]["losses"])]
        print(spec, " ".join(f"{d:.2e}" for d in apart), flush=True)
        with open(path, "w") as file:
            file.write("{\n" + ",\n".join(f" {json.dumps(key)}: {json.dumps(table[key])}" for key in sorted(table)) + "\n}\n")
