"""From an export to the tables, and, slowly, to the report: the stages themselves, as DVC runs them."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks import lay_out, write_params
from pipeline.tables.corpus import POSTS, USERS, pictures_of
from tests.exports.truth import truth
from tests.exports.writers import WRITERS, appview, fourcat_csv, twarc_pages
from tests.processes.started import stages, started

ROOT = Path(__file__).parents[2]
FIRST = ("check_params", "fetch_corpus", "list_corpus", "convert_corpus", "import_corpus")
SMALL = {
    "model": {"dim": 32, "windows": [2], "filters": [16]},
    "words": {"size": 16, "epochs": 2, "min_count": 1},
    "train": {"epochs": 2, "batch_size": 50},
    "retrieval": {"bootstrap": 100},
    "interests": {"folds": 2, "repeats": 1, "min_positives": 2},
    "clusters": {"k": 3},
    "split": {"max_excluded_share": 1.0, "allow_empty": True},
}


def prepared(folder, writer, people=6, posts=24):
    """A project folder with an export and its params."""
    export = folder / "export"
    export.mkdir(parents=True)
    written = writer(export, truth(people, posts))
    lay_out(folder)
    brands = folder / "brands.csv"
    brands.write_text(f"target,interest\n{written.brand or 'nobody'},sports\n")
    corpus = {
        "source": "export", "posts": str(written.posts), "images": written.images and str(written.images),
        "columns": written.columns, "brands": str(brands), "min_posts_per_user": 2,
    }  # fmt: skip
    write_params(folder, {"corpus": corpus, **SMALL})
    return written


def run(folder, names):
    """Run these stages in one process: what each imports is imported once."""
    done = started(stages, *names, at=folder, environment={"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("writer", [twarc_pages, fourcat_csv], ids=lambda writer: writer.__name__)
def test_an_export_becomes_a_corpus_with_all_pictures_and_interests(writer, tmp_path):
    prepared(tmp_path, writer)
    run(tmp_path, FIRST)
    metrics = json.loads((tmp_path / "metrics/convert.json").read_text())
    imported = json.loads((tmp_path / "metrics/import.json").read_text())
    assert metrics["rows_in"] == metrics["rows_out"] + sum(metrics["rejected"].values())
    assert imported["rows_in"] == metrics["rows_out"] and imported["posts"]["with_several_images"] > 20
    posts = POSTS.read(tmp_path / "data/corpus/posts")
    assert len(pictures_of(posts)[0]) == metrics["pictures"]["found"] - metrics["rejected"].get(
        "duplicate of a later collection", 0
    )
    users = USERS.read(tmp_path / "data/corpus/users").to_pylist()
    labelled = [user for user in users if user["interests"] == ["sports"]]
    assert len(labelled) == (1 if writer is twarc_pages else 0)  # who answered the brand


def test_pictures_that_are_listed_and_not_there_are_told(tmp_path):
    prepared(tmp_path, fourcat_csv)
    write_params(tmp_path, {"corpus": {"images": None}}, tmp_path / "params.yaml")
    names = ["check_params", "fetch_corpus", "list_corpus", "convert_corpus"]
    done = started(stages, *names, at=tmp_path, environment={"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"})
    assert "pictures that posts list are not on disk: is corpus.images (null) the folder" in done.stderr


def test_an_export_without_a_post_says_what_its_rows_were(tmp_path):
    prepared(tmp_path, appview)
    feed = json.loads((tmp_path / "export/feed.json").read_text())
    for item in feed["feed"]:
        item["reason"] = {"$type": "app.bsky.feed.defs#reasonRepost", "by": {"did": "did:plc:77"}}
    (tmp_path / "export/feed.json").write_text(json.dumps(feed))
    with pytest.raises(AssertionError, match=rf"none of the {len(feed['feed'])} rows of Bluesky.* is a post \(repost "):
        run(tmp_path, ["check_params", "fetch_corpus", "list_corpus", "convert_corpus"])


@pytest.mark.parametrize("sound", [0, 1])
def test_rows_that_cannot_be_read_are_told_with_the_first_of_them(sound, tmp_path):
    prepared(tmp_path, appview)
    rows = [f"{k},u,words,{'2020-01-01' if k < sound else '1/31/2020 8:41'}" for k in range(5)]
    (tmp_path / "t.csv").write_text("post_id,user_id,text,created_at\n" + "\n".join(rows) + "\n")
    write_params(tmp_path, {"corpus": {"posts": "t.csv"}}, tmp_path / "params.yaml")
    names = ["check_params", "fetch_corpus", "list_corpus", "convert_corpus"]
    environment = {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = started(stages, *names, at=tmp_path, environment=environment)
    told = f"The first: row {2 + sound} of t.csv: '1/31/2020 8:41' is no time that is known here: ISO 8601 and"
    assert told in done.stderr


def test_for_another_source_nothing_is_converted(tmp_path):
    lay_out(tmp_path)
    write_params(tmp_path, {"corpus": {"source": "synthetic"}})
    run(tmp_path, ["convert_corpus"])
    assert [path.name for path in (tmp_path / "data/converted").iterdir()] == ["README"]
    assert json.loads((tmp_path / "metrics/convert.json").read_text()) == {"source": "synthetic"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_each_door_leads_to_the_report(writer, tmp_path):
    prepared(tmp_path, writer, people=8, posts=20)
    run(tmp_path, YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"])
    page = (tmp_path / "report/index.html").read_text()
    assert "<html" in page and len(page) > 20_000
