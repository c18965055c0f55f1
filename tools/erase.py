"""Take a person, or posts, out of everything: `make erase USER=anna`, `make erase LIST=ids.txt`, `make erase POST=123`.

1. Tombstones: keyed hashes, by which the import leaves them out of this and every later export (`pipeline.privacy`).
2. What was made with them goes: tables, vectors, model and page, checkpoints, caches, marks, experiments.
3. `dvc repro` makes all anew without them; DVC's cache then keeps what is now in the workspace and nothing earlier.
4. Every byte of the project, its cache and the user-wide cache is searched for ids, pictures' hashes and texts.
5. The receipt, in the private folder, says what was done and looked through, and what is out of reach, with commands.

A person is named by id or name as their posts have it, or by their pseudonym; a LIST has one of these a line.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from ruamel.yaml import YAML

from explore.marks import Marks
from pipeline.corpus.listing import places
from pipeline.corpus.sources.table import TableCorpus
from pipeline.privacy import erased
from pipeline.privacy.erased import Tombstones
from pipeline.privacy.keys import Key, private_folder, write_private
from pipeline.report.wording import plural
from pipeline.running.errors import UserError
from pipeline.running.machine import cache_folder
from pipeline.running.params import load
from pipeline.running.schema import Corpus
from pipeline.running.utf8 import entry
from pipeline.tables.corpus import POSTS, pictures_of
from stages import import_corpus
from tools.searching import Search, Searched

CORPUS, MARKS = Path("data/corpus/posts"), Path("data/marks.csv")
BEFORE = ("check_params", "fetch_corpus", "list_corpus")
"""Stages whose outputs hold nobody: what was fetched is the source itself, and is told as such."""
LEFT = (".checkpoints", ".cache", ".scale", "timings", "report", "contact_sheet.png", "data/paper", "data/explore",
        "paper/dvc.lock", "share")  # fmt: skip
FAILED = "NOT DONE"
SHORTEST, TEXT = 4, 25
"""Characters from which on an id, and a text, is searched for."""


class Traces(NamedTuple):
    """What tells of the person, before it goes: `names` to search for, posts and pictures that nobody else has."""

    names: list[str]
    posts: set[str]
    images: set[str]
    users: set[str]


def main(words: list[str] | None = None) -> int:
    """Erase; returns 0 where the search finds nothing within reach."""
    asked = _arguments(words)
    try:
        return _erase(asked.user + _listed(asked.list), asked.post, asked.repro, asked.yes)
    except UserError as error:
        sys.exit(f"erase: {error}")


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Take a person, or posts, out of data, models, caches and experiments."
    )
    parser.add_argument("--user", action="append", default=[], help="id, name or pseudonym; may be repeated")
    parser.add_argument("--list", type=Path, help="a file with one a line")
    parser.add_argument("--post", action="append", default=[], help="id of a post; may be repeated")
    parser.add_argument("--repro", nargs="*", default=[], help="stages to rerun; all, where none is named")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    asked = parser.parse_args(words)
    if not (asked.user or asked.list or asked.post):
        parser.error("whom? --user, --list or --post (make erase USER=…, LIST=…, POST=…)")
    return asked


def _listed(path: Path | None) -> list[str]:
    if path is None:
        return []
    if not path.is_file():
        raise UserError(f"{path} is no file; expected a text file with one id a line.")
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def _erase(users: list[str], posts: list[str], stages: list[str], yes: bool) -> int:
    params = load("corpus")
    if params.corpus.source == "synthetic":
        raise UserError("corpus.source is synthetic, which holds nobody; set it to the source of whom to erase.")
    experiments = _dvc("exp", "list", "--all-commits", "--names-only").split()
    cache = Path(_dvc("cache", "dir").strip() or ".dvc/cache")
    remotes = [line.split()[0] for line in _dvc("remote", "list").splitlines() if line.strip()]
    inside = cache.resolve().is_relative_to(Path.cwd().resolve())
    _tell(
        f"To take out, for good: {plural(len(users), 'person', 'people')} and {plural(len(posts), 'post')}. All that "
        "was made with them goes and is made anew, which takes as long as a run. What else goes: "
        f"{plural(len(experiments), 'experiment')}"
        + (", and what DVC's cache holds of earlier runs, branches and tags." if inside else ".")
    )
    if not yes and not (sys.stdin.isatty() and input("Go on? [yes/no] ").strip() == "yes"):
        raise UserError("nothing was done: answer yes, or give --yes (make erase … YES=1).")

    hashes = erased.add(users, posts)
    named = _named(params.corpus)
    traces = _traces(users, posts, named)
    done = [f"{plural(len(hashes), 'tombstone')}: the import leaves these people and posts out from now on."]
    done += _strangers(users, posts, hashes, named)
    done += _remove_experiments(experiments)
    done += _remove_outputs()
    done += _remove_marks(traces)
    again = subprocess.run(["dvc", "repro", *stages], check=False)
    finished = again.returncode == 0
    done.append(
        "`dvc repro` made everything anew without them."
        if finished
        else f"{FAILED}: `dvc repro`, as it says above. What held them is gone all the same; mend it, and run again."
    )
    if inside:
        failed = _tried("gc", "--workspace", "--force")
        shutil.rmtree(cache / "runs", ignore_errors=True)
        done.append(failed or "DVC's cache: all but what the workspace uses is removed, and its list of earlier runs.")
    finished = finished and not any(FAILED in one for one in done)
    searched = _search(traces, params.corpus, cache if inside else None)
    receipt = _receipt(hashes, done, traces, searched, params.corpus, None if inside else cache, remotes)
    folder = private_folder() / "erasures"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{hashes[0][:8]}.md"
    write_private(receipt, path)
    _tell(receipt)
    _tell(f"This receipt is kept in {path}.")
    return 0 if finished and not searched.hits else 1


def _named(corpus: Corpus) -> dict[str, str]:
    """Names of users by their ids; nobody's, told, where the export cannot be read any more."""
    try:
        return import_corpus.handles(corpus)
    except UserError as error:
        _tell(f"The export is not read again, so people are known by what you gave alone: {error}")
        return {}


def _traces(users: list[str], posts: list[str], named: Mapping[str, str]) -> Traces:
    """Names of the person as they may stand in tables: given, as pseudonyms, with their posts, pictures and texts.

    `named`: names of users by id, since tables know by its id whom an export, and who asks, knows by a name.
    """
    key, tombstones = Key.held(), Tombstones.held()
    ids = {user for user, name in named.items() if users and (tombstones.user(user) or tombstones.user(name))}
    pseudonyms, published = (set[str]().union(*forms) for forms in _pseudonyms(key, users, posts))
    ids |= {key.pseudonym("user", user) for user in ids} | pseudonyms
    names = {form for user in users for form in (user, erased.same(user))} | set(posts) | published
    names |= ids | {f"@{named[user]}" for user in ids & set(named)}
    own, images, people = set[str](), set[str](), set[str]()
    if CORPUS.is_dir():
        held = POSTS.read(CORPUS)
        by_id = pc.is_in(held["user_id"], pa.array(sorted(ids), pa.string()))
        by_post = pc.is_in(held["post_id"], pa.array(sorted(published), pa.string()))
        gone = pc.or_(pc.is_valid(tombstones.of(held["user_id"], held["post_id"], {})), pc.or_(by_id, by_post))
        theirs, others = held.filter(gone), held.filter(pc.invert(gone))
        own = set(theirs["post_id"].to_pylist())
        if users:
            people = set(theirs["user_id"].to_pylist()) if not posts else set()
        shared = set(pictures_of(others)[1].to_pylist())
        images = set(pictures_of(theirs)[1].to_pylist()) - shared
        said = set(others["text"].drop_null().to_pylist())
        texts = {text for text in theirs["text"].drop_null().to_pylist() if text not in said and len(text) >= TEXT}
        names |= own | images | people | texts
    return Traces(sorted(name for name in names if len(name) >= SHORTEST), own, images, people)


def _pseudonyms(key: Key, users: list[str], posts: list[str]) -> tuple[list[set[str]], list[set[str]]]:
    """Those of each of `users` and of `posts`, as a table has them: no tombstone is of one that nobody gave.

    Of an id in each form that may be its own: by its pseudonym `Anna` is not `anna`, by its tombstone it is.
    """
    forms = [{user, user.strip().lstrip("@"), erased.same(user)} for user in users]
    people = [{key.pseudonym("user", form) for form in given} for given in forms]
    return people, [{key.pseudonym("post", post.strip())} for post in posts]


def _strangers(users: list[str], posts: list[str], hashes: list[str], named: Mapping[str, str]) -> Iterator[str]:
    """Tell of whom and of what nothing is known, by the place where they were named, as the receipt has no name."""
    tombstones, held = Tombstones.held(), POSTS.read(CORPUS) if CORPUS.is_dir() else POSTS.empty()
    if not held.num_rows:  # before the first run an export alone tells of people, and of no posts
        posts, hashes = [], hashes[: len(users)] if named else []
    held_users, held_posts = held["user_id"].unique().to_pylist(), held["post_id"].to_pylist()
    people = {*held_users, *named, *named.values()}
    known = {*map(tombstones.user, people), *map(tombstones.post, held_posts)}
    there, (of_users, of_posts) = {*held_users, *held_posts}, _pseudonyms(Key.held(), users, posts)
    known |= {digest for digest, forms in zip(hashes, of_users + of_posts, strict=False) if forms & there}
    if unknown := [str(at) for at, digest in enumerate(hashes, start=1) if digest not in known]:
        yield (
            f"NOT FOUND: of the {len(users + posts)} that you named, {plural(len(unknown), 'is', 'are')} not in the "
            f"corpus (number {', '.join(unknown)}): misspelt, or erased already? data/corpus/users has all ids."
        )


def _remove_experiments(experiments: list[str]) -> Iterator[str]:
    if experiments:
        yield _tried("exp", "remove", "--all-commits") or (
            f"Removed: {plural(len(experiments), 'experiment')}, as models saw these people there."
        )
    if Path(".dvc/tmp/exps").exists():
        failed = _tried("queue", "remove", "--all")
        shutil.rmtree(".dvc/tmp/exps", ignore_errors=True)
        yield failed or "The queue of experiments, its logs and copies are removed."


def _remove_outputs() -> Iterator[str]:
    """Remove what stages wrote from the conversion on, and what is kept between runs."""
    stages = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"]
    outs = [Path(out) for name, entry in stages.items() if name not in BEFORE for out in _outs(entry)]
    kept = [*LEFT, cache_folder("lemmas")]
    gone = [str(path) for path in (*outs, *map(Path, kept)) if _remove(path)]
    what = plural(len(gone), "table, model, page or cache", "tables, models, pages and caches")
    yield f"Removed: {what} made with them: {', '.join(gone)}."


def _outs(entry: dict[str, Any]) -> Iterator[str]:
    for out in entry.get("outs", []):
        yield out if isinstance(out, str) else next(iter(out))


def _remove(path: Path) -> bool:
    if not path.exists() and not path.is_symlink():
        return False
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return True


def _remove_marks(traces: Traces) -> Iterator[str]:
    if not MARKS.is_file():
        return
    try:
        gone = Marks(MARKS).forget(traces.posts | traces.images | traces.users)
    except UserError as error:
        yield f"{FAILED}: marks of `make explore` stay, as {error} Mend it, or remove it, and run again."
    else:
        yield f"Removed: {plural(gone, 'mark')} of `make explore`."


def _search(traces: Traces, corpus: Any, cache: Path | None) -> Searched:
    """Look through project, cache and user-wide cache; not through environments, and people's own files."""
    own = [path.resolve() for path in _own(corpus)]
    private = private_folder().resolve()
    skipped = {Path(name).resolve() for name in (".venv", ".uv", ".git", "data/fetched")} | {private}

    def but(path: Path) -> bool:
        real = path.resolve()
        return any(real.is_relative_to(place) for place in (*skipped, *own))

    search = Search(traces.names)
    for place in [*sorted(Path().iterdir()), *([cache] if cache else []), cache_folder("lemmas").parent]:
        if place.resolve() not in skipped:
            search.folder(place, but)
    if Path(".git").exists():
        search.git(Path())
    return search.end()


def _own(corpus: Any) -> list[Path]:
    if corpus.source == "table":  # where params.yaml names none, they may lie beside the posts
        table = TableCorpus.of(corpus)
        return [path for path in (*table.tables.values(), table.images) if path and path.exists()]
    keys = ("posts", "images", "edges", "brands") if corpus.source == "export" else ()
    named = [getattr(corpus, key) for key in keys]
    return [path for one in named if one for path in places(one) if path.exists()]


def _receipt(
    hashes: list[str],
    done: Iterable[str],
    traces: Traces,
    searched: Searched,
    corpus: Any,
    shared: Path | None,
    remotes: list[str],
) -> str:
    found: dict[str, int] = {}
    for hit in searched.hits:
        where = hit.path + (f" ({hit.inside})" if hit.inside else "")
        found[where] = found.get(where, 0) + 1
    lines = ["# Receipt of an erasure", "", f"Done {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Tombstones, none a name: "]
    lines[-1] += ", ".join(one[:16] for one in hashes) + "."
    lines += ["", "## Done", "", *(f"- {one}" for one in done)]
    lines += ["", "## Looked through", ""]
    lines.append(
        f"{plural(searched.files, 'file')} and Git's objects, {searched.size / 1e6:.0f} MB as unpacked, for "
        f"{plural(len(traces.names), 'name')}: ids, pseudonyms, ids and texts of {plural(len(traces.posts), 'post')}, "
        f"{plural(len(traces.images), 'picture')} of theirs alone. Names under {SHORTEST} and texts "
        f"under {TEXT} characters are not searched for."
    )
    lines += [f"- not unpacked, searched as it is: {path}" for path in searched.unread]
    lines += [
        "",
        f"Found: {'in ' + plural(len(found), 'place') if found else 'nothing'}.",
        *(f"- {where}: {n} of the names" for where, n in found.items()),
    ]
    if any("Git" in where for where in found):
        lines.append(
            "What Git holds stays in its history until it is rewritten: `git filter-repo --replace-text FILE`, then "
            "`git push --force` and word to all who have clones."
        )
    lines += ["", "## Out of reach of this command", ""]
    lines += [f"- Your own files still hold them, and the import leaves them out: {path}" for path in _own(corpus)]
    if corpus.source == "openclipart":
        lines.append("- The source itself, `data/fetched`, is as Debian distributes it.")
    if shared is not None:
        lines.append(f"- DVC's cache {shared} is shared with other projects: `dvc gc --workspace -p OTHER_PROJECT …`.")
    lines += [f"- DVC's remote {name}: `dvc gc --workspace --cloud --remote {name}`." for name in remotes]
    lines += [
        "- Others' clones, forks and caches: `git pull`, `make erase` with the same people, there.",
        "- Backups and snapshots of disks, and what was handed on: reports, shares, exports of pages.",
        "- A model or vectors that were published before: withdraw them, and publish those made now. Weights may tell "
        "who was in train (docs/privacy.md).",
        "- Blocks of the disk that files were on: the file system overwrites them when it will.",
    ]
    return "\n".join(lines) + "\n"


def _dvc(*words: str) -> str:
    done = subprocess.run(["dvc", *words], capture_output=True, text=True, check=False)
    if done.returncode and words[:2] != ("exp", "list"):
        raise UserError(f"dvc {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout if done.returncode == 0 else ""


def _tried(*words: str) -> str:
    """What went wrong, for the receipt; nothing where all went well. What else there is to do is done all the same."""
    try:
        _dvc(*words)
    except UserError as error:
        return f"{FAILED}: {error}"
    return ""


def _tell(text: str) -> None:
    sys.stdout.write(text.rstrip() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    entry(main)
