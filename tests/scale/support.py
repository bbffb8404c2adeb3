"""What the tests of clusters share: pictures made by crops, one process's vectors of them, and somebody who looks at the workers and ends one."""

import threading
import time

import numpy
import psutil

import fovea


def draw(photo, folder, count, width=160, height=120):
    """JPEGs of crops of one photograph, no two alike; every 401st is cut off in its first bytes, and cannot be read. Gives their paths."""
    from PIL import Image

    picture = Image.open(photo).convert("RGB")
    random = numpy.random.default_rng(9)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for i in range(count):
        scale = random.uniform(0.3, 0.9)
        w, h = int(picture.width * scale), int(picture.height * scale)
        left, top = int(random.integers(0, picture.width - w + 1)), int(random.integers(0, picture.height - h + 1))
        file = folder / f"{i:06}.jpg"
        picture.resize((width, height), box=(left, top, left + w, top + h)).save(file, quality=90)
        if i % 401 == 7:
            file.write_bytes(file.read_bytes()[:40])
        files.append(str(file))
    return files


def make_model(path, size, network="resnet18"):
    model = fovea.Model.load(network, "none", seed=3)
    form = model.preprocessing
    form.height = form.width = form.resize = size
    model.preprocessing = form
    model.save(path)
    return str(path)


def expected_of(model, files):
    """By file: the vector that one process gives, or None."""
    made = fovea.Model.load(model).embed(files, errors="skip", progress=None)
    vectors = dict.fromkeys(files)
    for row, index in enumerate(made.indices):
        vectors[files[index]] = made.features[row]
    return vectors


def compare(rows, expected):
    """`rows`: file, vector or None, error or None. Every file once, every vector to the bit, an error where there is none."""
    rows = list(rows)
    assert len(rows) == len(expected) and {file for file, _, _ in rows} == set(expected), f"{len(rows)} rows of {len(expected)} pictures"
    for file, vector, error in rows:
        wanted = expected[file]
        if wanted is None:
            assert vector is None and error, file
        else:
            assert error is None and (numpy.asarray(vector, numpy.float32) == wanted).all(), file


class Watcher(threading.Thread):
    """Looks at workers while they work, and ends one of them (SIGKILL) once it has computed for so long.

    `workers()` gives their processes; `most` is the largest resident memory of any in bytes, `first` what it was when it had computed for a
    second, `ended` the one that was ended.
    """

    def __init__(self, workers, end_after=None):
        super().__init__(daemon=True)
        self.workers, self.end_after = workers, end_after
        self.seen, self.ended, self.over = {}, None, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            for process in self.workers():
                try:
                    memory, seconds = process.memory_info().rss, sum(process.cpu_times()[:2])
                except psutil.Error:
                    continue
                self.seen.setdefault(process.pid, []).append((seconds, memory))
                if self.end_after is not None and self.ended is None and seconds > self.end_after:
                    process.kill()
                    self.ended = process.pid

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    @property
    def most(self):
        return max(memory for looks in self.seen.values() for _, memory in looks)


def children_named(words):
    """Processes below this one, and those that engines started apart, whose command line has these words."""

    def find():
        found = []
        for process in psutil.process_iter(["cmdline", "name"]):
            line = " ".join(process.info["cmdline"] or [process.info["name"] or ""])
            if words(line, process):
                found.append(process)
        return found

    return find
