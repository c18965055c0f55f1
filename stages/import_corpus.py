"""Stage `import_corpus`: read posts, users and images from the chosen source; what is left out gets a reason.

Reads   data/fetched; or, as data/listing saw them, corpus.posts, corpus.images and corpus.users; or data/converted and
        the pictures that it names
Writes  data/corpus/posts      one row per post: post_id, user_id, text?, image_id?, created_at? (UTC)
        data/corpus/details    one row per post of which more is told: language?, url?, likes?, who is answered? …
        data/corpus/users      one row per user with posts: user_id, interests, brand
        data/corpus/images     one row per distinct image file: image_id (SHA-256), bytes, width, height
        data/corpus/rejected   one row per thing left out: id, reason, detail
        data/truth             what a synthetic corpus plants; for another source, a note
        metrics/import.json    rows in, out, and rejected by reason; posts by content, users, interests, images

Where corpus.pseudonyms is keyed, or somebody was erased, the source is read through `pipeline.corpus.discreet`, and an
export is converted here, in the private folder, so that no output holds a name.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.common.metrics import write_metrics
from pipeline.corpus.discreet import DiscreetSource
from pipeline.corpus.importing import import_corpus
from pipeline.corpus.rows import Source, as_they_are
from pipeline.corpus.sources.exported import ExportedCorpus
from pipeline.corpus.sources.openclipart import MAX_POSTS, Openclipart
from pipeline.corpus.sources.synthetic import SyntheticCorpus
from pipeline.corpus.sources.table import TableCorpus
from pipeline.privacy.erased import Tombstones
from pipeline.privacy.guard import guarded
from pipeline.privacy.keys import Key, private_folder
from pipeline.running.files import atomic_folder
from pipeline.running.params import load
from pipeline.running.schema import Corpus
from pipeline.tables.corpus import REJECTED
from stages import convert_corpus, list_corpus
from stages.runner import resumable, run

FETCHED = Path("data/fetched")
CONVERTED = Path("data/converted")
CORPUS = Path("data/corpus")
TRUTH = Path("data/truth")
METRICS = Path("metrics/import.json")


def main() -> None:
    params = load("seed", "corpus", "text.mentions", "images.max_pixels", "images.max_side")
    if not list_corpus.LISTING.exists():  # run by hand, not by DVC
        list_corpus.main()
    with resumable("import_corpus") as scratch, _opened(params.corpus, params.seed, params.text.mentions) as opened:
        source, told = opened
        discreet = source if isinstance(source, DiscreetSource) else None
        metrics = import_corpus(
            source,
            CORPUS,
            scratch,
            params.corpus.min_posts_per_user,
            _most_posts(params.corpus),
            params.images.max_pixels,
            params.images.max_side,
            keep_missing=params.corpus.missing_images == "text",
            image_id=discreet.image_id if discreet else str,
            as_read=discreet.as_read if discreet else as_they_are,
        )
        if discreet:
            metrics["taken_out_of_texts"] = dict(sorted(discreet.taken_out.items()))
    with atomic_folder(TRUTH) as folder:
        if isinstance(source, SyntheticCorpus):
            source.write_truth(folder)
        else:
            (folder / "README").write_text("Only of a synthetic corpus the truth is known.\n")
    write_metrics(metrics | told, METRICS)


@contextmanager
def _opened(corpus: Corpus, seed: int, mentions: str) -> Iterator[tuple[Source, dict[str, object]]]:
    """The source, without names where people have pseudonyms or were erased; what it told when it was converted."""
    keyed, tombstones = corpus.pseudonyms == "keyed", Tombstones.held()
    key = Key.held() if keyed else None
    if not keyed and not tombstones:
        yield _source(corpus, seed), {}
    elif corpus.source == "synthetic":
        yield SyntheticCorpus(corpus.synthetic, seed), {}  # nobody; keyed is refused by the schema
    elif corpus.source == "export":
        # What is converted holds names as they are. It lies in the private folder, and goes when the import ends.
        with _private_scratch() as folder:
            with guarded(keyed):
                told = convert_corpus.converted(corpus, folder, folder)
            named = _handles(folder)
            rejected = pq.read_table(folder / "rejected.parquet").to_pylist()
            left = REJECTED.of([tuple(map(str, row.values())) for row in rejected])
            source = _exported(corpus, folder)
            yield DiscreetSource(source, tombstones, key, mentions == "keyed", named, left), {"converted": told}
    else:
        yield DiscreetSource(_source(corpus, seed), tombstones, key, mentions == "keyed"), {}


def handles(corpus: Corpus) -> dict[str, str]:
    """Names of users by their ids, for which an export is read again; nobody's where the corpus is none."""
    if corpus.source != "export":
        return {}
    with _private_scratch() as folder, guarded(corpus.pseudonyms == "keyed"):
        convert_corpus.converted(corpus, folder, folder)
        return _handles(folder)


def named_by_source() -> set[str]:
    """Ids of users and posts, names of users and of pictures' files, as the source has them: what must not be shown.

    Reads the source again, an export too. For `tools.share`, which holds them in memory alone.
    """
    params = load("seed", "corpus")
    found: set[str] = set()
    with ExitStack() as stack:
        if params.corpus.source == "export":
            folder = stack.enter_context(_private_scratch())
            convert_corpus.converted(params.corpus, folder, folder)
            found |= set(pq.read_table(folder / "users.parquet")["name"].drop_null().to_pylist())
            source: Source = _exported(params.corpus, folder)
        else:
            source = _source(params.corpus, params.seed)
        for rows, refused in source.rows():
            for name in ("post_id", "user_id"):
                found |= set(rows[name].drop_null().to_pylist())
            found |= {Path(name).name for name in rows["image"].drop_null().to_pylist()}
            found |= set(refused["id"].to_pylist())
    return found


def _handles(folder: Path) -> dict[str, str]:
    held = pq.read_table(folder / "users.parquet", columns=["user_id", "name"]).to_pylist()
    return {row["user_id"]: row["name"] for row in held if row["name"]}


@contextmanager
def _private_scratch() -> Iterator[Path]:
    folder = private_folder() / "converting"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _most_posts(corpus: Corpus) -> int | None:
    if corpus.max_posts_per_user == "auto":
        return MAX_POSTS if corpus.source == "openclipart" else None
    return corpus.max_posts_per_user


def _source(corpus: Corpus, seed: int) -> Source:
    if corpus.source == "table":
        return TableCorpus.of(corpus)
    if corpus.source == "export":
        return _exported(corpus, CONVERTED)
    if corpus.source == "synthetic":
        return SyntheticCorpus(corpus.synthetic, seed)
    return Openclipart(FETCHED, corpus.interest_share, corpus.interest_posts)


def _exported(corpus: Corpus, folder: Path) -> ExportedCorpus:
    into, users = (Path(named) if named else None for named in (corpus.links_into, corpus.users))
    return ExportedCorpus(folder, into, users)


if __name__ == "__main__":
    run("import_corpus", main)
