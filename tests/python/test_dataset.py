"""Pictures in memory and from sources, functions of one's own in a training, and training by hand."""

import threading

import numpy
import pytest

import fovea
from conftest import sized
from fovea import maps
from fovea.errors import InputError, MismatchError, UsageError

COLOURS = {"blue": (30, 60, 200), "red": (200, 60, 30)}


def drawn(count=16, side=40):
    """Pixels and labels, as `write_classes` draws them."""
    random = numpy.random.default_rng(5)
    labels = ["blue", "red"] * (count // 2)
    noise = random.integers(0, 50, (count, side, side, 3))
    return numpy.clip(noise + numpy.array([COLOURS[label] for label in labels])[:, None, None, :], 0, 255).astype(numpy.uint8), labels


def names(count=16):
    return [f"picture {i:02}" for i in range(count)]


def small(seed=3):
    return sized(fovea.Model.load("resnet18", "none", seed=seed), 32)


def short(**more):
    return dict(recipe="full", epochs=2, batch=4, lr=1e-3, seed=4, picture_cache=0) | more


def quick(**more):
    return short(progress=None, report=False, **more)


class Source(fovea.DatasetSource):
    def __init__(self, pixels, labels):
        self.pixels, self.told, self.threads = pixels, labels, set()

    def __len__(self):
        return len(self.pixels)

    def picture(self, index):
        self.threads.add(threading.get_ident())
        return self.pixels[index]

    def labels(self, index):
        return self.told[index]

    def name(self, index):
        return f"picture {index:02}"


def same_weights(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return all((ours[name] == theirs[name]).all() for name in ours)


def test_a_dataset_tells_what_it_holds():
    pixels, labels = drawn()
    data = fovea.Dataset.from_memory(pixels, labels, names=names(), groups=[f"part {i // 4}" for i in range(16)])
    assert len(data) == 16 and data.classes == ["blue", "red"] and not data.independent
    assert (data.name(3), data.labels(3), data.part(3), data.group(3)) == ("picture 03", 1, "train", "part 0")
    assert (data.picture(5) == pixels[5]).all()
    assert [data.subset([4, 2]).name(i) for i in (0, 1)] == ["picture 04", "picture 02"]
    assert len(data.filter(lambda index: index % 4 == 0)) == 4
    parts = data.split(validation=0.5, seed=1)
    assert len(parts.only("train")) + len(parts.only("validation")) == 16 and len(parts.only("validation")) >= 4
    groups = {part: {parts.group(i) for i in range(16) if parts.part(i) == part} for part in ("train", "validation")}
    assert not groups["train"] & groups["validation"]
    assert len(data.subset(range(8)).join(data.subset(range(8, 16)).as_part("test")).only("test")) == 8
    assert data.grouped(lambda index: str(index % 2)).group(3) == "1"


def test_labels_of_every_kind():
    pixels, _ = drawn(4)
    indices = fovea.Dataset.from_memory(pixels, numpy.array([0, 1, 2, 1]))
    assert indices.classes == ["0", "1", "2"] and indices.labels(2) == 2
    several = fovea.Dataset.from_memory(pixels, [["red"], [], ["blue", "red"], ["blue"]])
    assert several.independent and several.labels(2) == [0, 1] and several.labels(1) == []
    soft = fovea.Dataset.from_memory(pixels, numpy.array([[0.25, 0.75], [1, 0], [0, 1], [0.5, 0.5]]), classes=["a", "b"])
    assert soft.labels(0) == [0.25, 0.75]


@pytest.mark.parametrize(
    "make, kind, words",
    [
        (lambda pixels: fovea.Dataset.from_memory(pixels, ["a"]), MismatchError, "16 pictures and 1 labels"),
        (lambda pixels: fovea.Dataset.from_memory(pixels, ["a"] * 16), InputError, "class"),
        (lambda pixels: fovea.Dataset.from_memory(pixels, ["a", "b"] * 8, names=["x"] * 16), InputError, "x"),
        (lambda pixels: fovea.Dataset.from_memory(pixels, ["a", "b"] * 8, classes=["a", "c"]), InputError, "b"),
        (lambda pixels: fovea.Dataset.from_memory(pixels.astype(numpy.float32), ["a", "b"] * 8), TypeError, "float32"),
        (lambda pixels: fovea.Dataset.from_memory(pixels, ["a", "b"] * 8).as_part("exam"), UsageError, "exam"),
        (lambda pixels: fovea.Dataset.from_memory(pixels, [None] * 16), TypeError, "None"),
    ],
)
def test_what_makes_no_dataset_is_told(make, kind, words):
    with pytest.raises(kind, match=words):
        make(drawn()[0])


def test_memory_a_source_and_bytes_of_files_train_alike():
    pixels, labels = drawn()
    source = Source(pixels, labels)
    from fovea import _core

    files = [_core.encode_png(one, False) for one in pixels]
    models = []
    for data in (
        fovea.Dataset.from_memory(pixels, labels, names=names()),
        fovea.Dataset.from_memory(files, labels, names=names()),
        fovea.Dataset.from_source(source),
    ):
        model = small()
        result = fovea.train(model, data, **quick())
        assert result.validation.pictures > 0 and model.classes == ["blue", "red"]
        models.append(model)
    assert same_weights(models[0], models[1]) and same_weights(models[0], models[2])
    assert source.threads
    assert models[0].evaluate(fovea.Dataset.from_source(source)).score.pictures == 16
    assert fovea.find_classes(fovea.Dataset.from_source(source)) == ["blue", "red"]


def test_what_a_source_raises():
    pixels, labels = drawn()

    class Broken(Source):
        error = InputError("the archive has a hole here")

        def picture(self, index):
            if index == 3:
                raise self.error
            return super().picture(index)

    result = fovea.train(small(), fovea.Dataset.from_source(Broken(pixels, labels)), **quick())
    assert [(one.file, "hole" in one.reason) for one in result.left_out] == [("picture 03", True)]
    Broken.error = KeyError("nothing of fovea's")
    with pytest.raises(KeyError, match="nothing of fovea's"):
        fovea.train(small(), fovea.Dataset.from_source(Broken(pixels, labels)), **quick())


def data():
    pixels, labels = drawn()
    return fovea.Dataset.from_memory(pixels, labels, names=names())


def test_epochs_steps_and_metrics_are_told():
    rows, steps = [], []
    here = threading.get_ident()

    def told(row):
        assert threading.get_ident() == here
        rows.append(row)
        return row["epoch"] < 2

    result = fovea.train(
        small(), data(), **quick(epochs=4, on_epoch=told, on_step=steps.append, metrics={"pictures": lambda evaluation: evaluation.score.pictures})
    )
    assert [row["epoch"] for row in rows] == [1, 2] and result.epochs == 2 and not result.interrupted
    assert rows[0]["train_loss"] == result.history["train_loss"][0]
    assert result.history["pictures"].tolist() == [float(result.validation.pictures)] * 2
    assert rows[1]["metrics"] == {"pictures": float(result.validation.pictures)}
    assert len(steps) > 2 and steps[0]["phase"] == "all"


def test_a_rate_of_ones_own():
    rates = []
    fovea.train(small(), data(), **quick(lr=None, rate_of_step=lambda step, steps: 1e-3 / (1 + step), on_step=lambda s: rates.append(s["rate"])))
    assert rates == pytest.approx([1e-3 / (1 + i) for i in range(len(rates))], rel=1e-6) and len(rates) > 4


def test_an_augmentation_of_ones_own():
    seen, lock = [], threading.Lock()

    def flipped(pixels, random):
        with lock:
            seen.append(random)
        return pixels[:, ::-1] if random % 2 else pixels

    one, other = small(), small()
    fovea.train(one, data(), **quick(augment_picture=flipped))
    count = len(seen)
    fovea.train(other, data(), **quick(augment_picture=flipped))
    assert same_weights(one, other) and count > 12 and len({number % 2 for number in seen}) == 2
    plain = small()
    fovea.train(plain, data(), **quick(augment_picture=lambda pixels, random: pixels))
    assert not same_weights(one, plain)


def softmax(logits):
    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(logits, targets):
    shares = softmax(logits.astype(numpy.float64))
    loss = -(targets * numpy.log(shares)).sum() / len(logits)
    return loss, ((shares - targets) / len(logits)).astype(numpy.float32)


def of_maps(logits, targets):
    return maps.sum(targets * maps.log_softmax(logits)) * (-1 / logits.shape[0])


def losses(**more):
    """Of the first two steps: the second is the loss after the first one's gradient. Later ones differ by what rounding makes of them."""
    told = []
    fovea.train(small(), data(), **quick(epochs=1, on_step=lambda step: told.append(step["loss"]), **more))
    return told[:2]


def test_losses_of_ones_own_are_the_librarys_where_they_say_the_same():
    expected = losses(loss="cross_entropy", label_smoothing=0)
    for more in (dict(loss_of_maps=of_maps), dict(loss_callback=cross_entropy)):
        first, second = losses(**more)
        assert first == pytest.approx(expected[0], rel=1e-6) and second == pytest.approx(expected[1], rel=1e-3)
    assert abs(expected[1] - expected[0]) > 0.1 * expected[0]
    twice = losses(loss_of_maps=lambda logits, targets: 2 * of_maps(logits, targets) + 0.5)
    assert twice[0] == pytest.approx(2 * expected[0] + 0.5, rel=1e-6)


def test_maps_compute_what_they_say():
    """The loss of the first step is the formula's."""
    expected = {}

    def callback(logits, targets):
        z, t = logits.astype(numpy.float64), targets.astype(numpy.float64)
        expected["value"] = ((1 / (1 + numpy.exp(-z)) - t) ** 2).mean() + (numpy.log1p(numpy.exp(z)) * t).sum() / 3 - 1
        return expected["value"], numpy.zeros_like(logits)

    def composed(logits, targets):
        off = maps.sigmoid(logits) - targets
        return maps.mean(off * off) + maps.sum(maps.softplus(logits) * targets) / 3 - 1

    first = []
    for more in (dict(loss_callback=callback), dict(loss_of_maps=composed)):
        trainer = fovea.Trainer(small(), data(), **short(**more))
        first.append(trainer.step(trainer.next()).loss)
        if not first[1:]:
            assert first[0] == pytest.approx(expected["value"], rel=1e-6)
    assert first[1] == pytest.approx(first[0], rel=1e-5)


@pytest.mark.parametrize(
    "more, kind, words",
    [
        (dict(loss_callback=lambda logits, targets: 1.0), TypeError, r"\(loss, gradient\)"),
        (dict(loss_callback=lambda logits, targets: (1.0, logits[:, :1])), TypeError, r"it gave \[4,1\]"),
        (dict(loss_of_maps=lambda logits, targets: 3), TypeError, "Map"),
        (dict(loss_callback=lambda logits, targets: 1 / 0), ZeroDivisionError, "division"),
        (dict(augment_picture=lambda pixels, random: pixels.astype(float)), TypeError, "float64"),
        (dict(augment_picture=lambda pixels, random: {}["x"]), KeyError, "x"),
        (dict(metrics={"broken": lambda evaluation: "much"}), TypeError, "much"),
        (dict(on_epoch=lambda row: row["nothing"]), KeyError, "nothing"),
        (dict(rate_of_step=lambda step, steps: None, lr=None), TypeError, "None"),
        (dict(loss_callback=3), TypeError, "a function expected"),
    ],
)
def test_what_functions_raise_comes_out_of_the_call(more, kind, words):
    model = small()
    with pytest.raises(kind, match=words):
        fovea.train(model, data(), **quick(**more))
    assert model.embed(numpy.zeros((8, 8, 3), numpy.uint8)).shape == (512,)


def test_a_trainer_takes_the_steps_of_train(tmp_path):
    trained, own = small(), small()
    result = fovea.train(trained, data(), **quick(epochs=1, validation=0.25))
    trainer = fovea.Trainer(own, data(), **short(epochs=1, validation=0.25))
    assert trainer.epochs == 1 and trainer.taken == 0 and trainer.rate > 0
    batches = []
    for batch in trainer:
        batches.append((batch.images.shape, len(batch.labels)))
        step = trainer.step(batch)
        assert numpy.isfinite(step.loss) and 0 <= step.correct <= len(batch.labels)
    assert trainer.taken == trainer.steps == len(batches) and batches[0] == ((4, 3, 32, 32), 4)
    assert trainer.validate().score.pictures == result.validation.pictures
    assert same_weights(trained, own)
    assert trainer.evaluate(data()).score.pictures == 16


def test_a_trainer_goes_on_from_a_file(tmp_path):
    whole, first, second = small(), small(), small()

    def steps(trainer, epochs=1):
        return [trainer.step(batch).loss for _ in range(epochs) for batch in trainer]

    expected = steps(fovea.Trainer(whole, data(), **short()), 2)
    trainer = fovea.Trainer(first, data(), **short())
    begun = steps(trainer)
    trainer.save(tmp_path / "middle.ckpt")
    again = fovea.Trainer(second, data(), **short())
    again.load(tmp_path / "middle.ckpt")
    assert begun + steps(again) == expected


def test_a_batch_of_ones_own_and_a_changed_one():
    model = small()
    trainer = fovea.Trainer(model, data(), **short())
    random = numpy.random.default_rng(0)
    images = random.standard_normal((6, 3, 32, 32)).astype(numpy.float32)
    assert numpy.isfinite(trainer.step(images, [0, 1, 0, 1, 0, 1]).loss)
    batch = trainer.next()
    batch.images = batch.images * 0
    batch.labels = [0] * len(batch.labels)
    assert (batch.images == 0).all() and numpy.isfinite(trainer.step(batch).loss)
    with pytest.raises(UsageError, match="7"):
        trainer.step(images, [7] * 6)
    assert model.embed(numpy.zeros((8, 8, 3), numpy.uint8)).shape == (512,)
    with pytest.raises(UsageError, match="Trainer"):
        model.replace_head(3)
    del trainer
    model.replace_head(3)


def test_a_trainer_can_be_let_go_of_in_the_middle_of_an_epoch():
    """Its threads may stand in a function of Python's."""
    began = threading.Event()

    def slow(pixels, random):
        began.set()
        return pixels

    trainer = fovea.Trainer(small(), data(), **short(augment_picture=slow))
    trainer.next()
    began.wait(10)
    del trainer


def test_the_probe_has_no_steps():
    with pytest.raises(UsageError, match="probe"):
        fovea.Trainer(small(), data(), recipe="probe")
