"""The key behind pseudonyms: what it makes of an id, and where it must not lie."""

import hmac
import stat
import subprocess

import pytest

from pipeline.privacy import keys
from pipeline.privacy.keys import Key
from pipeline.running.errors import UserError


def test_a_pseudonym_is_the_same_in_every_version_and_tells_kinds_apart():
    """What was published stays who it was: HMAC-SHA-256 of `kind`, a zero byte and the id, as Python's own library."""
    secret = bytes(range(32))
    digest = hmac.new(secret, "user\0zoë".encode(), "sha256").hexdigest()
    assert Key(secret).pseudonym("user", "zoë") == "u" + digest[:32]
    assert Key(secret).pseudonym("image", "zoë") == hmac.new(secret, "image\0zoë".encode(), "sha256").hexdigest()


@pytest.mark.parametrize(("mode", "path"), [(0o755, "."), (0o640, "key")])
def test_a_key_that_others_may_read_is_refused(tmp_path, monkeypatch, mode, path):
    monkeypatch.chdir(tmp_path)
    key = Key.held()
    secret = (tmp_path / ".private/key").read_text().strip()
    assert secret not in repr(key) and stat.S_IMODE((tmp_path / ".private/key").stat().st_mode) == 0o600
    assert Key.held().pseudonym("user", "anna") == key.pseudonym("user", "anna")
    (tmp_path / ".private" / path).chmod(mode)
    with pytest.raises(UserError, match=f"mode {mode:o}.*chmod") as error:
        Key.held()
    assert secret not in str(error.value)


def test_a_damaged_key_and_one_in_git_are_refused_without_being_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Key.held()
    (tmp_path / ".private/key").write_text("0123456789abcdef")
    with pytest.raises(UserError, match="holds no key") as error:
        Key.held()
    assert "0123456789abcdef" not in str(error.value)
    (tmp_path / ".private/key").unlink()
    Key.held()
    for command in (["init", "-q"], ["add", "-f", ".private/key"]):
        subprocess.run(["git", *command], check=True)
    with pytest.raises(UserError, match="followed by Git"):
        Key.held()


def test_a_private_folder_that_git_does_not_ignore_yet_is_kept_out_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    monkeypatch.setenv("DU2MCE_PRIVATE", str(tmp_path / "mine"))
    Key.held()
    subprocess.run(["git", "add", "-A"], check=True)
    assert subprocess.run(["git", "ls-files"], check=True, capture_output=True).stdout == b""


def test_an_experiment_in_a_copy_uses_the_projects_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = Key.held().pseudonym("user", "anna")
    copied = tmp_path / ".dvc/tmp/exps/tmpabc"
    copied.mkdir(parents=True)
    monkeypatch.chdir(copied)
    assert Key.held().pseudonym("user", "anna") == here and not (copied / keys.FOLDER).exists()
