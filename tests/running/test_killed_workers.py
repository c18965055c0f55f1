"""ENGINE=ray: every stage that is spread, its workers killed with -9 while they work, ends with the bytes of a loop."""

import hashlib
import json
import shutil

import pytest
from ruamel.yaml import YAML

from benchmarks import lay_out, write_params
from tests.made.topics import ROOT
from tests.processes.started import stages, started
from tests.running.spread_work import with_killed_workers

pytest.importorskip("ray", reason="needs the extra `cluster`: make test-cluster")

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

SPREAD = (
    *("import_corpus", "clean_text", "text_vectors", "image_features", "image_style", "dedup_images"),
    *("audit_split", "train", "embed", "evaluate_retrieval", "encoder_means", "evaluate_interests", "baselines"),
)
"""The stages whose work is spread: of `train` the ranks that validate. A test below tells which are missing here."""
LAST = ("membership", "card", "report", "map", "clusters", "queries", "evaluate_neighbours")
"""Stages that nothing spread comes behind, and that spread nothing: they are not run."""
SETTINGS = {
    "corpus": {"source": "synthetic", "min_posts_per_user": 1},
    "corpus.synthetic": {"posts": 300, "users": 40, "topics": 6, "images": "pixels"},
    "images": {"style": True},
    "split": {"val": 0.15, "allow_empty": True, "max_excluded_share": 0.5},
    "words": {"epochs": 2, "min_count": 1, "size": 32},
    "model": {"dim": 32, "filters": [8, 8, 8]},
    "train": {"epochs": 2},
    "retrieval": {"bootstrap": 100},
    "interests": {"repeats": 2, "min_positives": 3, "folds": 3},
}
ALONE = {"OMP_NUM_THREADS": "1", "ENGINE": "serial"}


def entries():
    found = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
    return {name: entry for name, entry in found.items() if name not in LAST}


def in_order():
    """The stages of dvc.yaml, each after what makes its deps."""
    left, made = entries(), {}
    maker = {out: name for name, entry in left.items() for out in names(entry, "outs", "metrics")}
    while left:
        for name, entry in list(left.items()):
            if all(maker.get(dep, name) == name or maker[dep] in made for dep in names(entry, "deps")):
                made[name] = left.pop(name)
    return list(made)


def names(entry, *kinds):
    return [next(iter(one)) if isinstance(one, dict) else one for kind in kinds for one in entry.get(kind, ())]


def written(stage, folder):
    """A hash of each file that a stage writes for good."""
    paths = [folder / name for name in names(entries()[stage], "outs", "metrics", "plots")]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def by_a_loop(tmp_path_factory):
    """A small corpus with pictures through all stages, one job after the other."""
    folder = tmp_path_factory.mktemp("loop") / "run"
    lay_out(folder)
    write_params(folder, SETTINGS)
    for stage in in_order():
        done = started(stages, stage, at=folder, environment=ALONE)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address():
    """A node of two cores."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 200 << 20})
    yield cluster.address
    cluster.shutdown()


def test_these_are_all_stages_that_spread_work(by_a_loop):
    told = {stage: json.loads((by_a_loop / f"timings/{stage}.json").read_text()) for stage in in_order()}
    # On one machine `import_corpus` has processes of its own, guarded.
    assert {stage for stage, timing in told.items() if "spread_cpu_s" in timing} | {"import_corpus"} == set(SPREAD)


@pytest.mark.parametrize("stage", SPREAD)
def test_killed_workers_leave_the_bytes_of_a_loop(by_a_loop, address, tmp_path, stage):
    folder, killed = tmp_path / "run", tmp_path / "killed"
    killed.mkdir()
    # .cache keeps the vectors of sentences.
    shutil.copytree(by_a_loop, folder, symlinks=True, ignore=shutil.ignore_patterns(".cache"))
    for name in names(entries()[stage], "outs", "metrics"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    environment = ALONE | {
        "ENGINE": "ray",
        "RAY_ADDRESS": address,
        "RAY_USAGE_STATS_ENABLED": "0",
        "CLUSTER_AFTER_S": "0",
    }
    done = started(with_killed_workers, stage, killed, at=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in killed.iterdir()) == ["at its end", "at work"]
    assert written(stage, folder) == written(stage, by_a_loop)
