#!/usr/bin/env python3
"""trace.json: training steps of a tiny network and rates of schedules, by PyTorch and timm in float64. tests/train/trace_test.cpp
repeats them."""
import json
import math
import os

import timm
import torch
from timm.optim import RMSpropTF
from timm.utils import ModelEmaV2
from torch import nn
from torch.optim import lr_scheduler

torch.set_default_dtype(torch.float64)
BATCH, SIZE, CLASSES, STEPS = 6, 12, 4, 50


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


def batch(step):
    labels = torch.tensor([(i * i + step) % CLASSES for i in range(BATCH)])
    return wave((BATCH, 3, SIZE, SIZE), 10 + step, 1.0), labels


def trace(make, rate=0.02, clip=0, accumulate=1, ema=0, criterion=None):
    """Losses batch by batch; with `ema` also two of the averages at the end."""
    net = network()
    decay = [p for p in net.parameters() if p.dim() > 1]
    rest = [p for p in net.parameters() if p.dim() <= 1]
    optimizer = make([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}])
    criterion = criterion or nn.CrossEntropyLoss(label_smoothing=0.1)
    average = ModelEmaV2(net, decay=ema) if ema else None
    result = []
    for step in range(STEPS):
        update = step // accumulate
        for group in optimizer.param_groups:
            group["lr"] = rate / (update + 1)
        images, labels = batch(step)
        loss = criterion(net(images), labels)
        # The last group holds what is left of the steps.
        (loss / min(accumulate, STEPS - update * accumulate)).backward()
        result.append(loss.item())
        if (step + 1) % accumulate and step + 1 < STEPS:
            continue
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        if average:
            average.update(net)
    if not average:
        return result
    state = average.module.state_dict()
    return {"losses": result, "8.bias": state["8.bias"].tolist(), "1.running_mean": state["1.running_mean"].tolist()}


def sgd(groups):
    return torch.optim.SGD(groups, lr=0.02, momentum=0.9)


def nesterov(groups):
    return torch.optim.SGD(groups, lr=0.02, momentum=0.9, nesterov=True)


def adamw(groups):
    return torch.optim.AdamW(groups, lr=0.02)


def rmsprop(groups):
    return RMSpropTF(groups, lr=0.02, alpha=0.9, momentum=0.9, eps=1e-10)


def focal(logits, labels):
    weights = wave((CLASSES,), 0, 0.5, 1.0)
    log_p = torch.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    w = weights[labels]
    return (-w * (1 - log_p.exp()) ** 2 * log_p).sum() / w.sum()


PEAK, WARMUP = 0.4, 8


def rates(make):
    """Of STEPS steps; `make` gives what follows a linear warm-up, peak (step + 1) / WARMUP."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / WARMUP, end_factor=1, total_iters=WARMUP - 1)
    schedule = lr_scheduler.SequentialLR(optimizer, [rise, make(optimizer)], milestones=[WARMUP])
    return follow(optimizer, schedule)


def follow(optimizer, schedule, losses=None):
    result = []
    for step in range(STEPS):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([] if losses is None else [losses[step]]))
    return result


def one_cycle():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    schedule = lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=STEPS, pct_start=WARMUP / STEPS, cycle_momentum=False)
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < STEPS:
            schedule.step()
    return rates


# Falls, stays, falls by less than the threshold, rises.
LOSSES = [1.0 / (1 + step) if step < 12 else 0.08 + 0.002 * ((step * 7) % 5) - (1e-6 * step if step < 30 else -0.001 * step) for step in range(STEPS)]


def plateau():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    return follow(optimizer, lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=2, threshold=1e-4, eps=0), LOSSES)


answer = {
    "torch": torch.__version__,
    "timm": timm.__version__,
    "sgd": trace(sgd),
    "nesterov": trace(nesterov),
    "adamw": trace(adamw),
    "rmsprop": trace(rmsprop, rate=0.002),
    "adamw clipped": trace(adamw, clip=0.5),
    "sgd clipped": trace(sgd, clip=0.1),
    "sgd accumulated": trace(sgd, accumulate=3),
    "adamw accumulated and clipped": trace(adamw, accumulate=4, clip=0.5),
    "adamw averaged": trace(adamw, ema=0.9),
    "focal, weighted": trace(sgd, criterion=focal),
    "rates": {
        "cosine": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS - WARMUP)),
        "step": rates(lambda o: lr_scheduler.MultiStepLR(o, [STEPS * tenths // 10 - WARMUP for tenths in (3, 6, 9)], gamma=0.1)),
        "constant": rates(lambda o: lr_scheduler.ConstantLR(o, factor=1, total_iters=0)),
        "one_cycle": one_cycle(),
        "plateau": plateau(),
    },
    "validation losses": LOSSES,
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "trace.json"), "w") as file:
    json.dump(answer, file, indent=1)
    file.write("\n")
