"""Fetching packages: verified, reused, private, and a sentence where it cannot be done."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.corpus.sources import debian
from pipeline.corpus.sources.debian import fetch_packages, opened
from pipeline.running.errors import UserError
from tests.corpus.packages import deb

ROOT = Path(__file__).parents[2]
DATA = {name: deb({"usr/share/x": name.encode()}) for name in ("one", "two")}
HASHES = {name: hashlib.sha256(data).hexdigest() for name, data in DATA.items()}

APT = """#!{python}
import os, pathlib, sys
assert sys.argv[1:3] == ["-q", "-c"], sys.argv
config = pathlib.Path(sys.argv[3]).read_text()
folder = pathlib.Path.cwd()
assert f'Dir::State "{{folder}}/state"' in config and f'Dir::Cache "{{folder}}/cache"' in config, config
assert (folder / "state/lists/partial").is_dir() and (folder / "status").read_text() == ""
with open(os.environ["APT_LOG"], "a") as log:
    print(*sys.argv[4:], file=log)
if sys.argv[4] == "update":
    print("W: Failed to fetch an index.", file=sys.stderr)
else:
    for wanted in sys.argv[5:]:
        name, _, version = wanted.partition("=")
        source = pathlib.Path(os.environ["APT_SERVES"]) / name
        if source.exists():
            (folder / f"{{name}}_{{version.replace(':', '%3a')}}_all.deb").write_bytes(source.read_bytes())
        else:
            sys.exit(f"E: Unable to locate package {{name}}")
"""


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """An apt-get that serves what lies in `served`, and its log."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/apt-get"
    script.write_text(APT.format(python=sys.executable))
    script.chmod(0o755)
    (tmp_path / "served").mkdir()
    (tmp_path / "cache").mkdir()
    for name, data in DATA.items():
        (tmp_path / "served" / name).write_bytes(data)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("APT_SERVES", str(tmp_path / "served"))
    monkeypatch.setenv("APT_LOG", str(tmp_path / "log"))
    return tmp_path


def fetched(folder):
    files = fetch_packages(HASHES, "1:2-3", folder / "cache")
    assert {name: file.read_bytes() for name, file in files.items()} == DATA
    assert sorted(path.name for path in (folder / "cache").iterdir()) == ["one.deb", "two.deb"]  # nothing else stays
    return (folder / "log").read_text().splitlines()


def test_what_was_fetched_before_is_reused_if_it_is_still_the_same(apt):
    once = ["update", "download one=1:2-3 two=1:2-3"]
    assert fetched(apt) == once
    assert fetched(apt) == once
    (apt / "cache/two.deb").write_bytes(b"cut short")
    assert fetched(apt) == [*once, "update", "download two=1:2-3"]


def test_another_file_than_expected_is_refused_and_not_kept(apt):
    (apt / "served/two").write_bytes(DATA["two"] + b"!")
    with pytest.raises(UserError, match=r"two 1:2-3 from apt has the SHA-256 [0-9a-f]{64}; expected " + HASHES["two"]):
        fetched(apt)
    assert not (apt / "cache/two.deb").exists()


def test_what_apt_complains_of_is_told(apt):
    (apt / "served/two").unlink()
    told = r"apt did not fetch two 1:2-3 \(Failed to fetch an index; Unable to locate package two\)"
    with pytest.raises(UserError, match=told):
        fetched(apt)


def test_the_stage_without_apt_offers_other_corpora_in_a_sentence_and_fails(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    environment = {"PATH": "", "PYTHONPATH": str(ROOT), "DU2MCE_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "stages.fetch_corpus"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("fetch_corpus: apt-get is not on this machine") and done.stderr.count("\n") == 1
    assert "-S corpus.source=synthetic" in done.stderr and "-S corpus.posts=FILE" in done.stderr
    assert not (tmp_path / "data/fetched").exists()

    text = (ROOT / "params.yaml").read_text().replace("source: openclipart\n", "source: synthetic\n")
    (tmp_path / "params.yaml").write_text(text)
    assert subprocess.run(command, cwd=tmp_path, env=os.environ | environment).returncode == 0
    assert [path.name for path in (tmp_path / "data/fetched").iterdir()] == ["README"]


def test_the_files_of_a_package_are_read_and_links_followed_inside_it(tmp_path):
    (tmp_path / "p.deb").write_bytes(deb({"usr/a/x": b"text" * 9999}, {"usr/b/y": "../a/x"}))
    with opened(tmp_path / "p.deb") as archive:
        assert archive.extractfile("./usr/b/y").read() == b"text" * 9999
    for broken in (b"no package", b"!<arch>\n"):
        (tmp_path / "p.deb").write_bytes(broken)
        with (
            pytest.raises(UserError, match=r"p\.deb (is not a Debian package|holds no data)"),
            opened(tmp_path / "p.deb"),
        ):
            pass


def test_the_hooks_of_the_system_are_switched_off():
    # docker-clean, for one, would empty the system's cache of packages at each update.
    cleared = [line for line in debian._CONFIG.splitlines() if line.startswith("#clear")]
    assert len(cleared) == 3 and all("Invoke" in line for line in cleared)
