"""The same job in each engine, on a cluster of two workers on this machine: rows of (file, vector or None, error or None).

Each is called with a model file, files, and `watch`, which it calls with what gives the workers' processes, and whose result it enters while the
job runs. What a worker that is ended had done is done again by the engine.
"""

import contextlib
import os
import sys

import psutil

from support import children_named


def below(pid):
    """Whether a process is a descendant of another."""

    def test(process):
        with contextlib.suppress(psutil.Error):
            return any(parent.pid == pid for parent in process.parents())
        return False

    return test


def line_of(process):
    """Its command line; nothing of one that is gone."""
    with contextlib.suppress(psutil.Error, AttributeError):
        return " ".join(process.cmdline())
    return ""


def with_ray(model, files, watch, batch=64):
    os.environ.setdefault("RAY_worker_niceness", "0")  # else 15
    import ray

    import fovea.ray

    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([{"path": file} for file in files], override_num_blocks=16)
        rows = rows.map(lambda row: {**row, "bytes": open(row["path"], "rb").read()})
        made = rows.map_batches(
            fovea.ray.Embedder,
            fn_constructor_kwargs={"model": model},
            batch_format="pyarrow",
            batch_size=batch,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=2),
        )
        ours = below(os.getpid())
        with watch(children_named(lambda line, process: "ray::" in line and "(Embedder)" in line and ours(process))):
            return [(row["path"], row["embedding"], row["error"]) for row in made.iter_rows()]
    finally:
        ray.shutdown()


def spark_session(batch):
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    return (
        SparkSession.builder.master("local-cluster[2,1,768]")
        .config("spark.executor.memory", "512m")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch))
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


def _spark(model, files, watch, batch, make):
    session = spark_session(batch)
    try:
        frame = session.createDataFrame([(file,) for file in files], "path string").repartition(16)
        made = make(session, frame, model)
        ours = below(os.getpid())

        def forked(line, process):
            return "pyspark.daemon" in line and "pyspark.daemon" in line_of(process.parent()) and ours(process)

        with watch(children_named(forked)):
            return [(row.path, row.embedding, row.error) for row in made.collect()]
    finally:
        session.stop()


def with_spark_map(model, files, watch, batch=64):
    def make(session, frame, model):
        import fovea.spark

        binary = session.read.format("binaryFile").load(os.path.dirname(files[0]))
        binary = binary.selectExpr("replace(path, 'file:', '') as path", "content").repartition(16)
        return fovea.spark.embed(binary, model, column="content")

    return _spark(model, files, watch, batch, make)


def with_spark_udf(model, files, watch, batch=64):
    def make(session, frame, model):
        import fovea
        import fovea.spark

        embedded = fovea.spark.embed_udf(fovea.Model.load(model))
        return frame.select("path", embedded("path").alias("made")).select("path", "made.embedding", "made.error")

    return _spark(model, files, watch, batch, make)


def with_dask(model, files, watch, batch=64):
    import dask
    import dask.dataframe
    import pandas
    from distributed import Client, LocalCluster

    import fovea.dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 5}):
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster, Client(cluster):
            paths = pandas.DataFrame({"path": files})
            frame = dask.dataframe.from_pandas(paths, npartitions=max(1, len(files) // batch))
            content = frame["path"].map_partitions(lambda part: part.map(lambda path: open(path, "rb").read()), meta=("content", object))
            frame = frame.assign(content=content)
            made = fovea.dask.embed(frame, model, column="content")
            nannies = cluster.workers
            with watch(lambda: [psutil.Process(one.pid) for one in list(nannies.values()) if one.pid and psutil.pid_exists(one.pid)]):
                done = made.compute()
    return list(zip(done["path"], done["embedding"], done["error"]))


ENGINES = {"ray": with_ray, "spark mapInPandas": with_spark_map, "spark pandas_udf": with_spark_udf, "dask": with_dask}
