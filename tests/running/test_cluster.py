"""Ray: nodes as processes of this machine. `make test-cluster` installs the extra `cluster` and runs these."""

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.copies.looks import Looks
from pipeline.running import cluster, engines
from pipeline.running.engines import spread
from pipeline.running.errors import UserError
from pipeline.running.shards import map_shards
from pipeline.tables.corpus import IMAGES
from tests.made.pictures import encoded
from tests.running.spread_work import (
    collecting,
    dies,
    dies_once,
    large,
    noted,
    refuses,
    scaled,
    shouted,
    slow,
    threads,
    unhurried,
)

ray = pytest.importorskip("ray", reason="needs the extra `cluster`: make test-cluster")

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

STORE = 100 << 20
"""Bytes of a node's object store."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Two nodes of two cores each, and a folder that they see."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    cluster = Cluster()
    for _ in range(2):
        added(cluster)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def added(cluster):
    """A node more: tried again, as a busy machine takes longer than Ray waits for a node."""
    for last in (False, False, True):
        try:
            return cluster.add_node(num_cpus=2, object_store_memory=STORE, include_dashboard=False)
        except Exception:
            if last:
                raise
    return None


@pytest.fixture
def run(nodes, tmp_path, monkeypatch):
    """The folder of a run on the cluster."""
    monkeypatch.setenv("ENGINE", "ray")
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    monkeypatch.setenv("CLUSTER_AFTER_S", "0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_results_are_those_of_a_loop_in_order(run):
    values = np.arange(5.0)
    np.testing.assert_array_equal(list(spread(scaled, range(20), (values,))), [values * job for job in range(20)])


@pytest.mark.parametrize(("threads", "workers"), [(True, 2), (False, 2), (False, 1)])
def test_the_first_jobs_are_done_here_and_the_rest_there(run, monkeypatch, threads, workers):
    monkeypatch.setenv("CLUSTER_AFTER_S", "1")
    monkeypatch.setitem(engines.took, "here", 0.0)
    found = list(spread(unhurried, range(40), workers=workers, threads=threads))
    assert [job for job, _ in found] == list(range(40))
    there = [inside for _, inside in found]
    assert there == sorted(there) and set(there) == {False, True}
    assert all(inside for _, inside in spread(unhurried, range(3), workers=workers, threads=threads))


def test_an_error_is_the_same_sentence_as_here(run):
    with pytest.raises(UserError, match=r"^posts.csv, row 3: no user\.$"):
        list(spread(refuses, range(9)))


def test_a_worker_has_the_threads_of_its_task_and_the_folder_of_the_run(run):
    for cpus in (1, 2):
        assert list(spread(threads, range(2), cpus=cpus)) == [[str(cpus), str(cpus), cpus, "serial", str(run)]] * 2


def test_a_worker_looks_for_garbage_but_not_in_what_it_loaded(run):
    assert list(spread(collecting, range(4))) == [(True, True)] * 4


def test_a_job_asks_no_more_cores_than_the_largest_machine_has(run):
    assert list(spread(threads, range(2), cpus=64)) == [["2", "2", 2, "serial", str(run)]] * 2


def test_a_killed_worker_s_job_is_done_again(run):
    assert list(spread(dies_once, range(6), (run,))) == list(range(6))
    assert len(list(run.glob("002-*"))) == 2


def test_what_kills_each_worker_is_told(run):
    with pytest.raises(UserError, match="begun 4 times"):
        list(spread(dies, range(1)))


def test_shards_are_the_same_bytes_and_a_rerun_skips_what_is_done(run, monkeypatch):
    shards = [run / "in" / f"part-{i:05}.parquet" for i in range(7)]
    (run / "in").mkdir()
    for i, shard in enumerate(shards):
        shard.write_text(f"shard {i}")
    found = map_shards(shouted, shards, run / "far", "far")
    monkeypatch.setenv("ENGINE", "serial")
    assert map_shards(shouted, shards, run / "near", "near") == found == map_shards(shouted, shards, run / "far", "far")
    bytes_of = [[path.read_bytes() for path in sorted((run / f).glob("*.parquet"))] for f in ("far", "near")]
    assert bytes_of[0] == bytes_of[1] and len(bytes_of[0]) == 7


def test_looks_at_pictures_and_at_pairs_are_the_same_as_here(run, monkeypatch):
    random = np.random.default_rng(3)
    drawn = [random.integers(0, 256, (12, 16, 3), np.uint8).repeat(10, 0).repeat(10, 1) for _ in range(4)]
    columns = {"width": np.full(8, 160, np.int32), "height": np.full(8, 120, np.int32)}
    columns |= {"image_id": list("abcdefgh"), "bytes": [encoded(Image.fromarray(one)) for one in drawn * 2]}
    IMAGES.write(pa.table(columns), Path("images"))
    left, right = np.triu_indices(8, 1)
    told = []
    for engine in ("ray", "serial"):
        monkeypatch.setenv("ENGINE", engine)
        looks = Looks.of(Path("images"), Path(engine))
        told.append((looks.judge(left, right), [path.read_bytes() for path in sorted(Path(engine).glob("*.npy"))]))
    assert told[0] == told[1] and sum(verdict is not None for verdict in told[0][0]) == 4


def test_results_outgrow_no_object_store(run, nodes):
    """60 results of 8 MB pass through stores of 100 MB, taken slowly: few wait at a time, and none goes to the disk."""
    for taken, found in enumerate(spread(large, range(60), (run,))):
        assert found[0] == taken
        time.sleep(0.05)
        assert len(list(run.glob("*-*-*"))) - taken <= engines.AHEAD * 4
        assert not list(Path(nodes.head_node.get_session_dir_path()).glob("ray_spilled_objects*/*"))


def test_a_node_is_lost_and_one_joins_while_it_runs(run, nodes):
    lost = nodes.list_all_nodes()[-1]
    lost_id, head = lost.node_id, nodes.head_node.node_id
    where, joined = [], []

    def jobs():
        """Until the node that joined has worked, or for long enough."""
        for job in range(3000):
            if set(joined) & set(where):
                return
            yield job

    for job, (number, node) in enumerate(spread(slow, jobs(), (run,))):
        assert number == job
        where.append(node)
        if node == lost_id and not joined:
            nodes.remove_node(lost, allow_graceful=False)
            joined.append(added(nodes).node_id)
    assert {head, lost_id, *joined} == set(where)


def test_a_machine_that_does_not_see_the_folder_is_named(run, monkeypatch):
    monkeypatch.setattr(cluster, "_token", lambda root: ".checkpoints/.shared-elsewhere")
    with pytest.raises(UserError, match=r"does not see .*\.shared-elsewhere: a cluster needs the folder"):
        list(spread(noted, range(2), (run,)))
    with pytest.raises(UserError, match="at the same path on each machine"):
        cluster._check(ray)
