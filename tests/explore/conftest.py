"""Runs with a space and their pages, once for all tests of the page."""

import shutil

import pytest

from pipeline.space.space import Space
from tests.made.space import fabricate_space


@pytest.fixture(scope="session")
def run(fabricated_space):
    return fabricated_space


@pytest.fixture
def run_copy(run, tmp_path):
    """A run of one's own to change, and its library."""
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    return Space.open(folder / "data").library, folder


@pytest.fixture(scope="session")
def served(run):
    from tests.explore.serving import serving

    with serving(run) as found:
        yield found


@pytest.fixture(scope="session")
def hostile(made_once):
    from tests.explore.serving import POST, USER, read, serving, tell

    def make(folder):
        fabricate_space(folder, text=POST, user=USER)
        tell(folder, {"url": "javascript:alert(1)", "reply_to": USER, "likes": 7, "replies": 1, "alt": [POST]})
        read(folder, f"first line\n{POST}")

    with serving(made_once("hostile-space", make)) as found:
        yield found
