import pathlib

import pytest

import support

PHOTO = pathlib.Path(__file__).parents[1] / "data" / "api" / "rocket.jpg"
COUNT, SIZE = 1000, 96  # bench/scale does the same with 20,000


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    return support.draw(PHOTO, tmp_path_factory.mktemp("pictures"), COUNT)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return support.make_model(tmp_path_factory.mktemp("model") / "model.safetensors", SIZE)


@pytest.fixture(scope="session")
def expected(model, files):
    return support.expected_of(model, files)
