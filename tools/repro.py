"""`python -m tools.repro`: `dvc repro`, with the same words, whose dvc.lock is read and written by libyaml.

After each stage DVC reads all of dvc.lock and writes it anew, by a parser in Python that keeps comments, of which
there are none: .6 s for each of thirty stages. Here the bytes are the same, and a kill leaves no half of the file.
"""

import io
import os
import re
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc import dvcfile
from dvc.cli import main
from dvc.utils.serialize import dumps_yaml
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from pipeline.running.files import write_text

dvcs_own = dvcfile.modify_yaml


class _Representer(SafeRepresenter):
    """Nothing is an empty scalar, as DVC has it, and not `null`."""


_Representer.add_representer(OrderedDict, SafeRepresenter.represent_dict)
_Representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", ""))


def parsed(text: str) -> dict[str, Any]:
    """What the lock `text` says."""
    return YAML(typ="safe").load(text) or {}


def written(lock: dict[str, Any]) -> str:
    """`lock` as DVC writes it, to the byte; by DVC itself where a text has what the two escape in other ways."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.Representer = _Representer
    yaml.sort_base_mapping_type_on_output = False
    stream = io.StringIO()
    yaml.dump(lock, stream)
    text = re.sub(r": $", ":", stream.getvalue(), flags=re.MULTILINE)
    return dumps_yaml(lock) if '"' in text or "''" in text else text


@contextmanager
def modify(path: str | os.PathLike[str], fs: Any = None) -> Iterator[dict[str, Any]]:
    """DVC's `modify_yaml`: the file's content, to be changed in place, and written where the block ends well."""
    file = Path(path)
    if file.suffix != ".lock":  # dvc.yaml has comments
        with dvcs_own(path, fs=fs) as content:
            yield content
        return
    lock = parsed(file.read_text(encoding="utf-8")) if file.exists() else {}
    yield lock
    write_text(written(lock), file)


def without_git(folder: Path) -> str | None:
    """What to do where `folder` lies in no Git repository, as in a zip of one; None where it does."""
    if any((place / ".git").exists() for place in (folder, *folder.parents)):
        return None
    return (
        f"{folder} is no Git repository, which DVC needs; a zip of one, as sites offer it for download, is none.\n"
        "Run once: git init && git add --all && git commit --message 'as downloaded'"
    )


if __name__ == "__main__":
    dvcfile.modify_yaml = modify
    status = main(["repro", *sys.argv[1:]])
    if status and (hint := without_git(Path.cwd())):
        sys.stderr.write(f"{hint}\n")
    sys.exit(status)
