"""Vectors from clusters: those of one process, bit for bit, none lost or doubled when a worker is ended in the middle, in bounded memory."""

import importlib.util

import pytest

from engines import ENGINES
from support import Watcher, compare


def among(engine):
    there = not engine.startswith("spark") or importlib.util.find_spec("pyspark")
    return pytest.param(engine, marks=pytest.mark.skipif(not there, reason="scripts/get_scale_tools.sh gets Spark"))


@pytest.mark.parametrize("engine", map(among, ENGINES))
def test_every_vector_is_that_of_one_process_though_a_worker_is_ended(engine, model, files, expected, capsys):
    watchers = []

    def watch(workers):
        watchers.append(Watcher(workers, end_after=2.5))
        return watchers[0]

    rows = ENGINES[engine](model, files, watch)
    compare(rows, expected)
    watcher = watchers[0]
    assert watcher.ended in watcher.seen and len(watcher.seen) > 2  # one more than the two that it began with
    with capsys.disabled():
        print(f"\n{engine}: {len(rows)} pictures, {watcher.most / 1e6:.0f} MB resident at most, {len(watcher.seen)} workers seen")
    assert watcher.most < 900e6
