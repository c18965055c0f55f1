"""Runs with a space and their pages, and a browser's tab, once for all tests of the page."""

import shutil
from pathlib import Path

import browser
import pytest
from embedded import fabricate_space

from pipeline.space.space import Space

ROOT = Path(__file__).parents[2]


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
    from serving import serving

    with serving(run) as found:
        yield found


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    from serving import POST, USER, serving, tell

    folder = tmp_path_factory.mktemp("hostile")
    fabricate_space(folder, text=POST, user=USER)
    (folder / "models").symlink_to(ROOT / "models")
    tell(folder, {"url": "javascript:alert(1)", "reply_to": USER, "likes": 7, "replies": 1, "alt": [POST]})
    with serving(folder) as found:
        yield found


@pytest.fixture(scope="session")
def tab():
    path = browser.find()
    if path is None:
        pytest.skip("no Chromium on this machine")
    with browser.browser(path) as page:
        yield page
