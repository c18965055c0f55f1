"""Files of one's own that are not there are told of, with what helps."""

import os
import re
from pathlib import Path

import pytest

from pipeline.running import own_files
from pipeline.running.errors import UserError
from pipeline.running.params import validate

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("source", ["table", "export"])
@pytest.mark.parametrize(("folder", "told"), [("project", False), ("project/.dvc/tmp/exps/tmp1", True)])
def test_in_the_copy_of_an_experiment_the_message_says_why_they_are_missing(
    folder, told, source, tmp_path, monkeypatch
):
    corpus = validate(ROOT / "params.yaml").corpus
    here = tmp_path / folder
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    changed = corpus.model_copy(update={"source": source, "posts": "data/own/posts.csv"})
    with pytest.raises(UserError, match=r"corpus\.posts is 'data/own/posts\.csv'") as error:
        own_files.check(changed)
    assert ("whole paths (-S corpus.posts=/home/…)" in str(error.value)) == told


@pytest.mark.parametrize(
    ("posts", "hint"),
    [
        ("https://example.org/posts.csv", "download the file"),
        ("*.csv", r"one behind the other \(cat\), or set corpus\.source to export"),
        ("~/posts.csv", "Write the path in full"),
        ("pipe", "a pipe or a device, which cannot be read twice; expected the file of a table"),
        (".", "a folder; expected the file of a table"),
    ],
)
def test_what_is_no_file_of_a_table_is_told_with_what_to_do_and_not_waited_for(posts, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    corpus = validate(ROOT / "params.yaml").corpus.model_copy(update={"source": "table", "posts": posts})
    with pytest.raises(UserError, match=rf"corpus\.posts is {re.escape(repr(posts))}, .*{hint}"):
        own_files.check(corpus)
