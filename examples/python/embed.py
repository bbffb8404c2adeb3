"""embed.py FOLDER: the two pictures of a folder that are most alike, by a network of random weights."""

import sys

import numpy

import fovea

files = fovea.list_pictures(sys.argv[1])
model = fovea.Model.load("resnet18", "none")
vectors = model.embed(files)
vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
alike = vectors @ vectors.T
numpy.fill_diagonal(alike, -1)
first, second = divmod(int(alike.argmax()), len(files))
print(files[first], files[second], round(float(alike.max()), 4))
