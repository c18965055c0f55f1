"""What is packed for others has no name; the search by which it is told finds what is planted, among many names too."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import write_params
from pipeline.report.card import ENERGY
from pipeline.tables.corpus import POSTS
from pipeline.tables.embedding import EMBEDDINGS, VOCABULARY
from pipeline.tables.table import vectors
from stages import report
from tools import share
from tools.searching import Search


@pytest.fixture
def project(fabricated, tmp_path, monkeypatch):
    """A run with its cards, and a function that renders its page with people shown, by initials, or hidden."""
    shutil.copytree(fabricated, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in ("model-card", "datasheet"):
        (tmp_path / f"data/card/{name}.md").write_text(f"# Card\n\n**Energy:** {ENERGY}\n")
    (tmp_path / "timings").mkdir()
    for stage, seconds in (("train", 1800), ("image_features", 1700), ("split", 100)):
        (tmp_path / f"timings/{stage}.json").write_text(json.dumps({"cpu_s": seconds}))
    (tmp_path / "dvc.yaml").unlink(missing_ok=True)
    (tmp_path / "dvc.yaml").write_text("stages: {train: {}, image_features: {}, split: {}, map: {}, card: {}}\n")

    def rendered(people):
        write_params(tmp_path, {"report": {"people": people}}, tmp_path / "params.yaml")
        report.main()

    return rendered


def users():
    return set(POSTS.read(Path("data/corpus/posts"))["user_id"].to_pylist())


def test_a_page_with_names_is_refused_and_none_is_told(project):
    project("shown")
    with pytest.raises(
        SystemExit, match=r"report/index\.html: \d+ ids or names of files.*report\.people: hidden"
    ) as error:
        share.main([])
    assert not any(user in str(error.value) for user in users()) and not share.PACK.exists()


def test_vectors_are_refused_while_they_stand_beside_ids_and_what_helps_is_said(project):
    project("hidden")
    posts = POSTS.read(Path("data/corpus/posts"))["post_id"]
    rows = pa.table({"id": posts, "vector": vectors(np.ones((len(posts), 4), np.float32))})
    EMBEDDINGS.write(rows, Path("data/embeddings/texts"))
    with pytest.raises(
        SystemExit, match=r"texts/part-00000\.parquet: \d+ ids.*with corpus\.pseudonyms: keyed, or leave"
    ):
        share.main(["--vectors", "--names"])
    assert share.main(["--names"]) == 0


@pytest.mark.parametrize("people", ["initials", "hidden"])
def test_without_names_it_is_packed(project, people):
    project(people)
    assert share.main([]) == 0
    with zipfile.ZipFile(share.PACK) as pack:
        assert {"report/index.html", "data/card/model-card.md", "data/card/run.md"} <= set(pack.namelist())
        page = pack.read("report/index.html").decode()
    assert not any(re.search(rf"\b{re.escape(user)}\b", page) for user in users())


def test_the_card_that_is_packed_says_what_the_run_took_and_the_one_that_dvc_keeps_does_not(project):
    project("hidden")
    assert share.main([]) == 0
    with zipfile.ZipFile(share.PACK) as pack:
        card, sheet, ran = (pack.read(f"data/card/{n}.md").decode() for n in ("model-card", "datasheet", "run"))
    assert "1.00 hours of a core, measured (train 50 %, image_features 47 %, split 3 %)" in card
    assert "some 0.01 kWh at an assumed 10 W a core" in card
    assert "the results of 2 stages once took that were there already, in Git or in DVC's cache." in card
    assert ENERGY not in card and ENERGY in sheet and ENERGY in share.CARD.read_text()
    assert "| train | 1800.0 |" in ran


@pytest.mark.parametrize("theirs", [False, True])
def test_tables_of_the_paper_of_another_corpus_are_not_packed(project, theirs):
    project("hidden")
    ranks = json.loads(Path("metrics/retrieval.json").read_text())
    asked = {task: ranks[task]["queries"] + theirs for task in ("text_to_user", "image_to_text", "image_to_user")}
    Path("paper").mkdir(exist_ok=True)
    Path("paper/tables.json").write_text(json.dumps({"about": {"queries": asked}}))
    Path("paper/tables.md").write_text("# Tables\n")
    assert share.main([]) == 0
    with zipfile.ZipFile(share.PACK) as pack:
        assert ("paper/tables.md" in pack.namelist()) == (not theirs)


def test_an_address_or_a_number_in_a_text_is_refused_too(project):
    project("hidden")
    page = Path("report/index.html")
    page.write_text(page.read_text().replace("</main>", "<p>anna@example.org, +49 171 5550123</p></main>", 1))
    with pytest.raises(SystemExit, match=r"1 emails; .*1 telephone numbers"):
        share.main([])


def test_a_word_of_the_corpus_is_no_name_nor_is_a_part_of_a_longer_word(project):
    name, *others = sorted(users())
    word = pa.table({"word": [name], "count": [1], "vector": vectors(np.ones((1, 4), np.float32))})
    VOCABULARY.write(word, Path("data/words/vocabulary"))
    names, skipped = share._names(agreed=False)
    assert name not in names and set(others) <= set(names) and skipped == 1
    Path("said.md").write_text("annabel and joanna, anna-lena or @ann")
    assert [share._is_whole(Path("said.md"), who) for who in ("anna", "annabel", "Joanna", "lena")] == [0, 1, 1, 0]
    assert share._is_whole(Path("vectors.parquet"), "anna")  # no text, in which it stands beside others


def test_what_is_missing_is_named(project):
    Path("report/index.html").unlink(missing_ok=True)  # another test of the session may have drawn it
    with pytest.raises(SystemExit, match=r"report/index\.html is not there"):
        share.main([])


def test_many_names_are_found_as_few_are(tmp_path):
    names = [f"person number {n:05}" for n in range(3000)] + ["ab", "Zoë"]
    text = b"x" * 5_000_000 + "PERSON NUMBER 02999 and zoë; person number 99999".encode() + b"y" * 1000
    (tmp_path / "page.bin").write_bytes(text)
    search = Search(names)
    search.file(tmp_path / "page.bin")
    assert {names[hit.name] for hit in search.end().hits} == {"person number 02999", "Zoë"}
