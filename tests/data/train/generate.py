#!/usr/bin/env python3
"""trace.json: losses of ten training steps of a tiny network, by PyTorch in float64. tests/train/trace_test.cpp repeats them."""
import json
import math
import os

import torch
from torch import nn

torch.set_default_dtype(torch.float64)
BATCH, SIZE, CLASSES, STEPS = 6, 12, 4, 10


def wave(shape, phase, scale, shift=0.0):
    count = math.prod(shape)
    return torch.tensor([shift + scale * math.sin(1.3 * i + phase) for i in range(count)]).reshape(shape)


def network():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU(),
        nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.SiLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES))
    with torch.no_grad():
        for phase, p in enumerate(net.parameters()):
            p.copy_(wave(p.shape, phase, 0.3, 1.0 if phase in (1, 4) else 0.0))  # 1, 4: the norms' weights
    return net.train()


def losses(make):
    net = network()
    decay = [p for p in net.parameters() if p.dim() > 1]
    rest = [p for p in net.parameters() if p.dim() <= 1]
    optimizer = make([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}])
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    result = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 / (step + 1)
        images = wave((BATCH, 3, SIZE, SIZE), 10 + step, 1.0)
        labels = torch.tensor([(i * i + step) % CLASSES for i in range(BATCH)])
        loss = criterion(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        result.append(loss.item())
    return result


answer = {
    "torch": torch.__version__,
    "sgd": losses(lambda groups: torch.optim.SGD(groups, lr=0.02, momentum=0.9)),
    "adamw": losses(lambda groups: torch.optim.AdamW(groups, lr=0.02)),
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "trace.json"), "w") as file:
    json.dump(answer, file, indent=1)
    file.write("\n")
