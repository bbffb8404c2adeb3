"""own_loop.py FOLDER: a training loop of one's own: its steps, its rate, its own end, a checkpoint in the middle."""

import os
import sys
import tempfile

import fovea

model = fovea.create_model("resnet18", num_classes=2)
trainer = fovea.Trainer(
    model, sys.argv[1], recipe="full", epochs=3, batch=8, size=32, seed=1, rate_of_step=lambda step, steps: 1e-3 / (1 + step) ** 0.5
)
with tempfile.TemporaryDirectory() as folder:
    for epoch in range(trainer.epochs):
        losses = [trainer.step(batch).loss for batch in trainer]  # a batch may be changed before
        accuracy = trainer.validate().accuracy
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.3f}, validation accuracy {accuracy:.3f}, next rate {trainer.rate:.2g}")
        trainer.save(os.path.join(folder, "middle.ckpt"))  # another trainer that loads it takes the same steps from here on
        if accuracy == 1:
            break
