import pytest

from tests.made.topics import write_tables


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """The folder of planted topics, in which the test runs."""
    write_tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
