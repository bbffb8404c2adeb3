import pathlib

import pytest

import support

PHOTO = pathlib.Path(__file__).parents[1] / "data" / "api" / "rocket.jpg"
COUNT = 2000


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    return support.draw(PHOTO, tmp_path_factory.mktemp("pictures"), COUNT)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return support.make_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="session")
def expected(model, files):
    return support.expected_of(model, files)
