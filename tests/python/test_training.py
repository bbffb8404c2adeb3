"""Training by keywords: the command's, checked against its help."""

import os
import re
import signal
import subprocess
import sys
import threading

import inspect

import numpy
import pytest

import fovea
from conftest import sized
from fovea.errors import InputError, UsageError


def short(**more):
    return dict(recipe="full", epochs=2, batch=8, size=32, lr=1e-3, progress=None, report=False, picture_cache=0) | more


def test_every_option_of_the_command_is_a_keyword():
    command = os.path.join(os.path.dirname(fovea.__file__), "bin", "fovea")
    text = subprocess.run([command, "train", "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"^  (?:-\w, *)?--([\w-]+)", text, re.M))
    others = {"help", "json", "model", "weights", "channels", "dtype", "threads", "find-rate"}  # of loading and of the process
    keywords = set(inspect.signature(fovea.train).parameters)
    told = {option.removeprefix("no-").replace("-", "_") for option in options - others}
    assert len(told) > 40
    assert told <= keywords, told - keywords
    functions = {"on_epoch", "on_step", "rate_of_step", "augment_picture", "loss_callback", "loss_of_maps", "metrics"}
    assert keywords - told == {"model", "data", "progress", "note"} | functions


def test_a_training_gives_objects(own, pictures, tmp_path):
    steps, news = [], []
    result = own.train(pictures, **short(out=tmp_path / "run", report=True, progress=steps.append, note=news.append))
    assert own.classes == ["blue", "red"] and result.model is own
    assert result.validation.pictures > 0 and 0 <= result.validation.accuracy <= 1
    history = result.history
    assert history["epoch"].tolist() == list(range(1, result.epochs + 1)) and numpy.isfinite(history["train_loss"]).all()
    assert result.to_pandas().loc[1, "train_loss"] == history["train_loss"][0]
    assert any(step["phase"] == "check" for step in steps) and steps[-1]["steps"] > 0 and news
    assert "<iframe" in result._repr_html_() and "<html" in result.report.html
    again = fovea.Model.load(tmp_path / "run")
    assert again.classes == own.classes
    assert fovea.report(tmp_path / "run").path.endswith("report.html")
    evaluation = own.evaluate(pictures)
    assert evaluation.score.pictures == 16 and len(evaluation.confusion) == 2


def test_an_evaluation_tells_which_pictures_the_model_knows(own, pictures):
    own.train(pictures, **short(epochs=1))
    known = [file for file in fovea.list_pictures(pictures) if "red" in file]
    fresh = numpy.random.default_rng(8).integers(0, 256, (3, 40, 40, 3), numpy.uint8)
    shown = [numpy.asarray(fovea.read_image(file)) for file in known[:2]] + list(fresh)
    seen = own.evaluate(fovea.Dataset.from_memory(shown, ["red"] * 5, classes=own.classes)).seen
    assert seen.recorded == 16 and seen.all
    assert [one.same_pixels for one in seen.pictures] == [True, True] and seen.others.pictures == 3


def test_the_same_seed_gives_the_same_bits(pictures):
    answers = []
    for data in (pictures, fovea.list_pictures(pictures)[::-1]):
        result = fovea.train(fovea.Model.load("resnet18", "none"), data, **short(seed=4))
        answers.append(result.model.state_dict())
    assert all((answers[0][name] == answers[1][name]).all() for name in answers[0])


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(epoch=3), "epochs"),
        (dict(lr="fast"), "lr fast"),
        (dict(epochs=-1), "epochs -1"),
        (dict(recipe="magic"), "finetune"),
        (dict(memory="much"), "500M"),
        (dict(hidden=4), "hidden 4"),
        (dict(validation=0.6, test=0.5), "leave no picture"),
    ],
)
def test_settings_that_make_no_sense_are_told(own, pictures, settings, words):
    with pytest.raises(UsageError, match=words):
        own.train(pictures, **settings)


def test_data_that_cannot_be_used_is_told(own, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        own.train(tmp_path / "nowhere")
    with pytest.raises(TypeError):
        own.train(3.5)


def test_an_exception_in_a_callback_ends_the_training_with_it(own, pictures):
    class Enough(Exception):
        pass

    threads = set()

    def progress(step):
        threads.add(threading.get_ident())
        if step["phase"] != "check":
            raise Enough("now")

    with pytest.raises(Enough, match="now"):
        own.train(pictures, **short(progress=progress))
    assert threads == {threading.get_ident()}
    assert own.embed(numpy.zeros((8, 8, 3), numpy.uint8)).shape == (512,)


def test_false_ends_a_training_and_keeps_it(own, pictures, tmp_path):
    result = own.train(pictures, **short(out=tmp_path / "run", progress=lambda step: step["phase"] == "check"))
    assert result.interrupted
    result = fovea.train(sized(fovea.Model.load("resnet18", "none", seed=3), 32), pictures, **short(out=tmp_path / "run", resume=True))
    assert not result.interrupted and result.epochs == 2


def test_a_model_that_is_trained_refuses_other_calls(own, pictures):
    said = []

    def progress(step):
        try:
            own.embed(numpy.zeros((8, 8, 3), numpy.uint8))
        except UsageError as error:
            said.append(str(error))
        return False

    own.train(pictures, **short(progress=progress))
    assert "predictor()" in said[0]


INTERRUPTED = """
import sys, os, signal
import fovea
def progress(step):
    if step["phase"] != "check":
        os.kill(os.getpid(), signal.SIGINT)
try:
    fovea.train(fovea.Model.load("resnet18", "none"), sys.argv[1], recipe="full", epochs=3, batch=8, size=32, lr=1e-3, out=sys.argv[2],
                progress=progress)
except KeyboardInterrupt:
    sys.exit(77)
"""


def test_the_interrupt_key_saves_a_training(pictures, tmp_path):
    run = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, str(pictures), str(run)], timeout=120)
    assert done.returncode == 77 and (run / "last.ckpt").exists()
