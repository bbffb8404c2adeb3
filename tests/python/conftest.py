"""What the tests of the Python package share: small networks, and pictures made here."""

import numpy
import pytest
from PIL import Image

import fovea


def sized(model, size):
    form = model.preprocessing
    form.height = form.width = form.resize = size
    model.preprocessing = form
    return model


@pytest.fixture(scope="session")
def model():
    return sized(fovea.Model.load("resnet18", "none", seed=3), 64)


@pytest.fixture
def own():
    """A model that a test may change."""
    return sized(fovea.Model.load("resnet18", "none", seed=3), 32)


@pytest.fixture(scope="session")
def pixels():
    random = numpy.random.default_rng(0)
    small = random.integers(0, 256, (9, 12, 3), numpy.uint8)
    return numpy.asarray(Image.fromarray(small).resize((96, 72)))


@pytest.fixture(scope="session")
def batch():
    return numpy.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(numpy.float32)


def write_classes(folder, count=8, size=40):
    """Two classes, told by their colour."""
    random = numpy.random.default_rng(5)
    for name, colour in (("blue", (30, 60, 200)), ("red", (200, 60, 30))):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            noise = random.integers(0, 50, (size, size, 3))
            Image.fromarray(numpy.clip(numpy.array(colour) + noise, 0, 255).astype(numpy.uint8)).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("pictures"))
