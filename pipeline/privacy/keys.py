"""The private folder and the key in it; the one place where ids become pseudonyms.

A pseudonym is HMAC-SHA-256 of a kind and an id under a key of 256 random bits. With one key a person has one pseudonym,
in every export and run; without it nobody can try ids until one fits, as a plain hash would allow.

The folder is `.private` of the project, or $DU2MCE_PRIVATE, for one key over several clones. Git and DVC are not given
it, nobody but its owner may read it, and nothing in it is ever printed. An experiment that DVC runs in a copy of the
project (`dvc exp run --temp`) uses the project's own.
"""

import contextlib
import hmac
import os
import re
import secrets
import stat
import subprocess
from pathlib import Path
from typing import Literal

from pipeline.running.errors import UserError
from pipeline.running.private import keep_out_of_git

FOLDER, KEY = ".private", "key"
_HEX = re.compile(r"[0-9a-f]{64}")
_COPY = re.compile(r"^(.*)/\.dvc/tmp/exps/[^/]+")
"""Where DVC runs an experiment apart from the workspace."""

Kind = Literal["user", "post", "image", "name"]
_LETTER: dict[Kind, str] = {"user": "u", "post": "p", "image": "", "name": "n"}


def private_folder() -> Path:
    """The private folder, made where it is missing. Raises UserError where others may read it or Git follows it."""
    folder = _place()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(folder, 0o700)
    done = subprocess.run(
        ["git", "ls-files", "--", str(folder.absolute())], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and done.stdout.strip():
        raise UserError(
            f"{folder} is followed by Git: have Git forget it (git rm -r --cached {folder}) and, as the key may be in "
            "commits that others have, take a new one (remove the key; all pseudonyms change)."
        )
    keep_out_of_git({"DU2MCE_PRIVATE": folder})
    return folder


def private_file(name: str) -> str | None:
    """The text of a file of the private folder; None where there is none, and then no folder is made."""
    return private_text(private_folder() / name) if _place().is_dir() else None


def _place() -> Path:
    named, here = os.environ.get("DU2MCE_PRIVATE"), str(Path.cwd())
    copied = _COPY.match(here)
    return Path(named) if named else Path(copied[1] if copied else here) / FOLDER


def _check(path: Path, mode: int) -> None:
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        raise UserError(f"{path} is a link; expected the private folder, or its file, itself.")
    if facts.st_uid != os.getuid():
        raise UserError(f"{path} belongs to user {facts.st_uid}; expected your own, {os.getuid()}.")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise UserError(
            f"{path} has the mode {stat.S_IMODE(facts.st_mode):o}, so that others may read it; expected {mode:o}: "
            f"chmod {mode:o} {path}. If others had access, take a new key (remove it; all pseudonyms change)."
        )


def private_text(path: Path) -> str | None:
    """The text of a file of the private folder; None where there is none. Raises UserError where others may read it."""
    if not path.exists() and not path.is_symlink():
        return None
    _check(path, 0o600)
    return path.read_text(encoding="utf-8")


def write_private(text: str, path: Path) -> None:
    """Write a file that its owner alone may read, in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)


class Key:
    """The project's key: what makes pseudonyms. Its bytes are in no attribute that is printed."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere")

    @classmethod
    def held(cls, make: bool = True) -> "Key":
        """The key in the private folder, made once. Raises UserError where it is damaged, or missing and not made."""
        path = private_folder() / KEY
        text = private_text(path)
        if text is None:
            if not make:
                raise UserError(f"{path}: no key there yet; the first import with corpus.pseudonyms: keyed makes it.")
            # A hard link is made by one of two processes that begin together; both then read the same key.
            temporary = path.with_name(f".{KEY}.{os.getpid()}.tmp")
            write_private(secrets.token_hex(32) + "\n", temporary)
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
            temporary.unlink()
            text = private_text(path) or ""
        if not _HEX.fullmatch(text.strip()):
            raise UserError(
                f"{path} holds no key: expected 64 hexadecimal digits. Put back your copy of it; without, remove the "
                "file, and all pseudonyms change."
            )
        return cls(bytes.fromhex(text.strip()))

    def hash(self, kind: str, name: str) -> str:
        """64 hexadecimal digits: HMAC-SHA-256 of `kind` and `name`."""
        message = f"{kind}\0{name}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, message, "sha256").hex()

    def pseudonym(self, kind: Kind, name: str) -> str:
        """A letter and 128 of the 256 bits, which no two of 10^12 names are likely to share; of an image, all bits."""
        digest = self.hash(kind, name)
        return digest if kind == "image" else _LETTER[kind] + digest[:32]

    def fingerprint(self) -> str:
        """Tells one key from another, and nothing else of it."""
        return self.hash("which key", "")[:16]
