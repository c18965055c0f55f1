"""Files of Debian packages: fetched with apt, without root and without touching the system; read without installing.

apt works in a private folder: its lists, its cache, an empty dpkg status. The system's sources, keys and proxies are
read. Its hooks, which would empty the system's cache and refresh its catalogues, are switched off.
"""

import hashlib
import logging
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from pipeline.running.errors import UserError

log = logging.getLogger(__name__)

_CONFIG = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Debug::NoLocking "1";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::http::Timeout "30";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def fetch_packages(packages: Mapping[str, str], version: str, cache: Path) -> dict[str, Path]:
    """The files of the packages at `version`, in `cache`, by package name; `packages` gives the SHA-256 of each.

    What lies in `cache` is reused where its SHA-256 is right. Raises UserError where apt is missing, cannot fetch, or
    brings another file.
    """
    files = {name: cache / f"{name}.deb" for name in packages}
    wanted = [name for name, file in files.items() if not file.is_file() or sha256(file) != packages[name]]
    if not wanted:
        log.info("%s %s: fetched before", ", ".join(packages), version)
        return files
    if shutil.which("apt-get") is None:
        raise UserError(f"apt-get is not on this machine, and {', '.join(wanted)} {version} come as Debian packages")
    with tempfile.TemporaryDirectory(prefix=".apt.", dir=cache) as private:
        folder = Path(private)
        log.info("fetching %s %s with apt", ", ".join(wanted), version)
        complaints = _apt(folder, ["update"]) + _apt(folder, ["download", *(f"{name}={version}" for name in wanted)])
        for name in wanted:
            found = next(folder.glob(f"{name}_*.deb"), None)
            if found is None:
                why = "; ".join(dict.fromkeys(complaints[:1] + complaints[-1:])) or "it does not say why"
                raise UserError(f"apt did not fetch {name} {version} ({why})")
            if (digest := sha256(found)) != packages[name]:
                raise UserError(f"{name} {version} from apt has the SHA-256 {digest}; expected {packages[name]}")
            found.replace(files[name])
    return files


def _apt(folder: Path, command: list[str]) -> list[str]:
    """Run apt-get privately in `folder`; returns what it complains of. Whether it worked shows in what it fetched."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "apt.conf").write_text(_CONFIG.format(folder=folder))
    done = subprocess.run(
        ["apt-get", "-q", "-c", str(folder / "apt.conf"), *command],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    return [line[3:].strip().rstrip(".") for line in done.stderr.splitlines() if line.startswith(("E: ", "W: "))]


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def opened(package: Path) -> Iterator[tarfile.TarFile]:
    """The files that a package would install."""
    with unpacked(package) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        yield archive


def unpacked(package: Path) -> IO[bytes]:
    """What a package would install, as tar: an `ar` archive whose member data.tar.xz is unpacked aside, on disk.

    Raises UserError for a file that is no such package.
    """
    with package.open("rb") as stream:
        if stream.read(8) != b"!<arch>\n":
            raise UserError(f"{package} is not a Debian package; remove it and run again.")
        while not (header := stream.read(60)).startswith(b"data.tar.xz"):
            if len(header) < 60:
                raise UserError(f"{package} holds no data.tar.xz; remove it and run again.")
            size = int(header[48:58])
            stream.seek(size + size % 2, os.SEEK_CUR)
        with ExitStack() as aside, lzma.open(stream) as data:
            file = aside.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(data, file, 1 << 20)
            file.seek(0)
            aside.pop_all()
    return file
