"""train.py FOLDER: a classifier of the pictures in a folder, one folder a class."""

import sys

import fovea

model = fovea.create_model("resnet18", num_classes=2)
result = fovea.train(model, sys.argv[1], recipe="full", epochs=2, batch=8, size=32, lr=1e-3, seed=1, progress=None)
print(f"validation accuracy {result.validation.accuracy:.3f}")
for prediction in model.predict(fovea.list_pictures(sys.argv[1])[0], top=2):
    print(prediction.name, round(prediction.probability, 3))
