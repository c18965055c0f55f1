"""Stage `import_corpus`: read posts, users and images from the chosen source; what is left out gets a reason.

Reads   data/fetched; or, as data/listing saw them, corpus.posts, corpus.images and corpus.users; or data/converted and
        the pictures that it names
Writes  data/corpus/posts      one row per post: post_id, user_id, text?, image_id?, created_at? (UTC)
        data/corpus/users      one row per user with posts: user_id, interests, brand
        data/corpus/images     one row per distinct image file: image_id (SHA-256), bytes, width, height
        data/corpus/rejected   one row per thing left out: id, reason, detail
        data/truth             what a synthetic corpus plants; for another source, a note
        metrics/import.json    rows in, out, and rejected by reason; posts by content, users, interests, images
"""

from pathlib import Path

from pipeline.common.metrics import write_metrics
from pipeline.corpus.exported import ExportedCorpus
from pipeline.corpus.importing import Source, import_corpus
from pipeline.corpus.openclipart import MAX_POSTS, Openclipart
from pipeline.corpus.synthetic import SyntheticCorpus
from pipeline.corpus.table import TableCorpus
from pipeline.running.files import atomic_folder
from pipeline.running.params import Corpus, load
from stages import list_corpus
from stages.runner import resumable, run

FETCHED = Path("data/fetched")
CONVERTED = Path("data/converted")
CORPUS = Path("data/corpus")
TRUTH = Path("data/truth")
METRICS = Path("metrics/import.json")


def main() -> None:
    params = load("seed", "corpus", "images.max_pixels", "images.max_side")
    source = _source(params.corpus, params.seed)
    if not list_corpus.LISTING.exists():  # run by hand, not by DVC
        list_corpus.main()
    with resumable("import_corpus") as scratch:
        metrics = import_corpus(
            source,
            CORPUS,
            scratch,
            params.corpus.min_posts_per_user,
            _most_posts(params.corpus),
            params.images.max_pixels,
            params.images.max_side,
            keep_missing=params.corpus.missing_images == "text",
        )
    with atomic_folder(TRUTH) as folder:
        if isinstance(source, SyntheticCorpus):
            source.write_truth(folder)
        else:
            (folder / "README").write_text("Only of a synthetic corpus the truth is known.\n")
    write_metrics(metrics, METRICS)


def _most_posts(corpus: Corpus) -> int | None:
    if corpus.max_posts_per_user == "auto":
        return MAX_POSTS if corpus.source == "openclipart" else None
    return corpus.max_posts_per_user


def _source(corpus: Corpus, seed: int) -> Source:
    if corpus.source == "table":
        return TableCorpus.of(corpus)
    if corpus.source == "export":
        return ExportedCorpus(CONVERTED, Path(corpus.links_into) if corpus.links_into else None)
    if corpus.source == "synthetic":
        return SyntheticCorpus(corpus.synthetic, seed)
    return Openclipart(FETCHED, corpus.interest_share, corpus.interest_posts)


if __name__ == "__main__":
    run("import_corpus", main)
