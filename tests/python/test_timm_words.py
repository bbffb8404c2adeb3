"""The same questions, the same answers: `timm_words.py` with ``import fovea`` beside what it said with ``import timm`` 1.0.31."""

import importlib.util
import json
import pathlib

import numpy
import pytest

import fovea
import timm_words

TOLERANCE = 2e-5  # of the norm
DATA = pathlib.Path(__file__).parents[1] / "data" / "python" / "timm_words.json"


def timm_s():
    if importlib.util.find_spec("timm"):
        return json.loads(json.dumps(timm_words.answers("timm")))
    return json.loads(DATA.read_text())


def differences(ours, theirs, place=""):
    """Where two answers part."""
    if isinstance(theirs, dict) and "products" in theirs:
        # What differs by so much in norm differs by about as much in its product with a random vector.
        off = max(abs(a - b) for a, b in zip(ours["products"], theirs["products"]))
        if ours["shape"] != theirs["shape"] or off > 4 * TOLERANCE * theirs["norm"]:
            yield f"{place}: {ours['shape']} off by {off / max(theirs['norm'], 1e-30):.1e} of the norm, timm's {theirs['shape']}"
    elif isinstance(theirs, dict):
        for key in sorted(set(ours) | set(theirs)):
            if key not in ours or key not in theirs:
                yield f"{place}/{key}: only one has it"
            else:
                yield from differences(ours[key], theirs[key], f"{place}/{key}")
    elif isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{place}: {ours}, timm's {theirs}"
        for i, (one, other) in enumerate(zip(ours, theirs)):
            yield from differences(one, other, f"{place}[{i}]")
    elif ours != theirs and not (isinstance(theirs, float) and ours == pytest.approx(theirs, rel=1e-6)):
        yield f"{place}: {ours!r}, timm's {theirs!r}"


def test_the_words_of_timm_mean_the_same():
    ours = json.loads(json.dumps(timm_words.answers("fovea")))
    found = list(differences(ours, timm_s()))
    assert not found, "\n".join(found)


def test_a_folder_as_timm_writes_it(tmp_path):
    model, x = fovea.create_model("resnet18", num_classes=7, seed=5), numpy.ones((1, 3, 64, 64), numpy.float32)
    model.save(tmp_path / "model.safetensors")
    arguments = {"num_classes": 7, "in_chans": 3, "global_pool": "avg"}
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18", "num_classes": 7, "model_args": arguments}))
    assert (fovea.create_model(f"local-dir:{tmp_path}", pretrained=True)(x) == model(x)).all()
    random = fovea.create_model(f"local-dir:{tmp_path}")
    assert random.num_classes == 7 and (random(x) != model(x)).any()


def test_published_weights_have_timm_s_names():
    names = fovea.list_pretrained()
    assert "resnet18.a1_in1k" in names and not [name for name in names if "/" in name]
    assert set(fovea.list_models("resnet18", pretrained=True)) == set(fovea.list_pretrained("resnet18.*"))
