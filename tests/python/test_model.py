"""Models by Python's words: what they see, and what changes them."""

import pickle

import numpy
import pytest

import fovea
from fovea.errors import Error, MismatchError, UsageError


def test_a_list_gives_what_each_picture_gives_alone(model, pixels, tmp_path):
    others = [pixels, pixels[:40], pixels[:, :50], numpy.ascontiguousarray(pixels[::-1])]
    together = model.embed(others)
    assert together.shape == (4, 512) and together.dtype == numpy.float32
    for row, picture in zip(together, others):
        assert (model.embed(picture) == row).all()
    predictor = model.predictor(1)
    assert (predictor.embed(others) == together).all()
    assert predictor.predict(others, 3) == model.predict(others, 3)
    assert (model.embed(numpy.stack([pixels, pixels]))[1] == together[0]).all()


def test_predictions_are_named_and_sorted(model, pixels):
    found = model.predict(pixels, top=4)
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    assert all(model.classes[one.index] == one.name for one in found)
    probabilities = model.probabilities(fovea.prepare([pixels], model.preprocessing))
    assert found[0].index == probabilities.argmax()
    assert found[0].probability == pytest.approx(probabilities.max(), rel=1e-5)


def test_features_by_name(model, batch, pixels):
    found = model.features(batch, ["layer1", "layer4", "pooled", "logits"])
    assert [found[name].shape for name in found] == [(2, 64, 16, 16), (2, 512, 2, 2), (2, 512), (2, 1000)]
    assert (model.features(pixels, ["pre_logits"])["pre_logits"][0] == model.embed(pixels)).all()
    with pytest.raises(UsageError, match="layer4"):
        model.features(batch, ["layer9"])


def test_errors_are_python_s_kinds():
    with pytest.raises(UsageError, match="resnet50"):
        fovea.Model.load("resnet05")
    with pytest.raises(ValueError):
        fovea.Model.load("resnet05")
    with pytest.raises(OSError, match="none.pth"):
        fovea.Model.load("resnet18", "/nowhere/none.pth")
    assert issubclass(Error, Exception)


def test_weights_go_out_and_come_in(own, batch):
    state = own.state_dict()
    assert state["conv1.weight"].shape == (64, 3, 7, 7) and state["fc.bias"].shape == (1000,)
    other = fovea.Model.load("resnet18", "none", seed=9)
    assert not numpy.allclose(other(batch), own(batch))
    assert other.load_state_dict(state) == ([], [])
    assert (other(batch) == own(batch)).all()
    del state["fc.bias"]
    with pytest.raises(MismatchError, match="fc.bias"):
        other.load_state_dict(state)
    assert other.load_state_dict({**state, "more": state["fc.weight"]}, strict=False) == (["fc.bias"], ["more"])
    with pytest.raises(MismatchError, match=r"\[64,3,7,7\]"):
        other.load_state_dict({**own.state_dict(), "conv1.weight": numpy.zeros((64, 3, 5, 5), numpy.float32)})


def test_a_model_goes_through_files_and_pickle(own, batch, tmp_path):
    own.replace_head(["cat", "dog"], seed=1)
    own.save(tmp_path / "model.safetensors")
    for other in (fovea.Model.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(own))):
        assert other.classes == ["cat", "dog"] and other.preprocessing == own.preprocessing
        assert (other(batch) == own(batch)).all()


def test_preprocessing_is_a_copy_until_it_is_assigned(own):
    form = own.preprocessing
    form.height = 96
    assert own.preprocessing.height == 32
    own.preprocessing = form
    assert own.preprocessing.height == 96
    with pytest.raises(UsageError, match="squash"):
        form.fit = "stretch"


def test_explanations_and_summaries_show_themselves(model, pixels):
    heat = model.explain(pixels)
    assert heat.heat.shape == pixels.shape[:2] and heat.overlay.shape == pixels.shape and 0 <= heat.probability <= 1
    assert heat._repr_png_().startswith(b"\x89PNG")
    summary = model.summary()
    assert summary.parameters == 11689512 and "layer4" in str(summary) and "<table>" in summary._repr_html_()


def test_neighbors_of_pictures(model, pictures, tmp_path):
    files = fovea.list_pictures(pictures)
    features = fovea.Features.of(model, files)
    written = features.save(tmp_path / "features.npy")
    assert any(str(path).endswith("features.csv") for path in written)
    again = fovea.load_features(tmp_path / "features.npy")
    assert (again.vectors == features.vectors).all() and again.files == features.files
    found = model.neighbors(again, files[0], 3)
    assert found[0].file == files[0] and found[0].similarity == pytest.approx(1)


def test_networks_for_other_runtimes(model, tmp_path):
    result = model.export_onnx(tmp_path / "model.onnx", preprocess=True)
    assert result.inputs[0].dtype == "u8" and (tmp_path / "model.onnx").stat().st_size > 4e7
