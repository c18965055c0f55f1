"""Files of one's own that are not there are told of, with what helps."""

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
