"""in_memory.py: a classifier of pictures that never lie in files, with an augmentation and a loss of one's own."""

from typing import Any

import numpy
from numpy.typing import NDArray

import fovea
from fovea import maps


def frame(part: int, shot: int) -> NDArray[numpy.uint8]:
    """What a camera sees of a part: every other one is reddish."""
    random = numpy.random.default_rng([part, shot])
    pixels: NDArray[numpy.uint8] = (random.integers(0, 80, (32, 32, 3)) + [140 if part % 2 == 0 else 60, 60, 60]).astype(numpy.uint8)
    return pixels


def turned(pixels: Any, random: int) -> Any:
    """A quarter turn or several, as the number says."""
    return numpy.rot90(pixels, random % 4)


def loss(logits: maps.Map, targets: maps.Map) -> maps.Map:
    """Cross entropy, and a little for logits that grow."""
    pictures = logits.shape[0]
    return maps.sum(targets * maps.log_softmax(logits)) * (-1 / pictures) + maps.mean(logits * logits) * 1e-3


shots = [(part, shot) for part in range(24) for shot in range(4)]
data = fovea.Dataset.from_memory(
    [frame(part, shot) for part, shot in shots],
    ["red" if part % 2 == 0 else "grey" for part, _ in shots],
    names=[f"part {part}, shot {shot}" for part, shot in shots],
    groups=[f"part {part}" for part, _ in shots],  # all shots of a part are on one side of each division
)
model = fovea.create_model("resnet18", num_classes=2)
result = fovea.train(
    model, data, recipe="full", epochs=2, size=32, test=0.25, seed=1, progress=None, augment_picture=turned, loss_of_maps=loss,
    on_epoch=lambda row: print(f"epoch {row['epoch']}: loss {row['train_loss']:.3f}"),
)
print(f"{result.test.accuracy:.3f} of {result.test.pictures} pictures of parts that it never saw")
