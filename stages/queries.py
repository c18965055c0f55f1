"""Stage `queries`: ask the joint space with texts, images and users, and answer with all three.

Reads   data/model           words that the model knows, and how it embeds a text
        data/embeddings/{users,images,texts}   what is searched
        data/images/groups   copies of an image are shown once
        data/split/train     users with posts there are searched
        data/split/test      images there ask, as the model has not seen them
        data/text/words      what languages posts are in: a query is in one of these
        models/stanza        lemmatizer (text.stanza: bundled): a query is cleaned as posts are
        models/minilm        tokenizer (sentences.encoder: minilm), where the model reads sentences
        data/words/parts     with words.subwords, what unknown words of a query are made of
Writes  data/queries/asked     one row per query: of report.queries, or in words of train where that is
                               null, then a few images and users, drawn by the seed
        data/queries/answers   what lies nearest to each
        metrics/queries.json   queries by kind; texts without a known word, and how many users without a post in train,
                               which have no answer
"""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.common.groups import image_groups
from pipeline.common.metrics import write_metrics
from pipeline.embedding.batches import tokens, told
from pipeline.embedding.model import load as load_model
from pipeline.embedding.vectors import embed_texts
from pipeline.encoding.sentences import chosen_encoder
from pipeline.ranking.vectors import Vectors
from pipeline.running.params import load
from pipeline.space.own_words import own_questions
from pipeline.space.reading import sentences
from pipeline.space.search import Query, answer, parse, row_of
from pipeline.space.spelling import known_parts, spelled
from pipeline.tables.corpus import pictures_of
from pipeline.tables.evaluation import ANSWERS, ASKED
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CONTENT
from pipeline.tables.text import WORDS
from pipeline.text.asking import asked_words
from pipeline.text.cleaning import lists
from pipeline.text.lemmas import models
from stages.runner import run

MODEL = Path("data/model")
PARTS_PATH = Path("data/words/parts")
EMBEDDED = Path("data/embeddings")
GROUPS = Path("data/images/groups")
TRAIN, TEST = Path("data/split/train"), Path("data/split/test")
WORDS_PATH = Path("data/text/words")
STANZA, MINILM = Path("models/stanza"), Path("models/minilm")
FOUND = Path("data/queries")
METRICS = Path("metrics/queries.json")

DRAWN = 3
"""Images, and users, that ask besides report.queries."""
PAIRS = 4
"""Pairs of texts that ask where report.queries is null."""

log = logging.getLogger("queries")


def main() -> None:
    params = load("seed", "text", "sentences", "report.queries", "report.top")
    trained = load_model(MODEL)
    active = CONTENT.read(TRAIN, ["user_id"])["user_id"].unique()
    space = {name: Vectors.stored(EMBEDDED / f"{name}s") for name in ("image", "text")}
    space["user"] = Vectors.read(EMBEDDED / "users", active)
    unseen = pictures_of(CONTENT.read(TEST, ["image_id", "more_images"]))[1].unique()

    asking = params.report.queries
    if asking is None:
        posts = CONTENT.read(TRAIN, ["user_id", "words"])
        asking = own_questions(posts, trained.vocabulary, PAIRS)
        log.info("asked in the corpus's own words: %s", asking)
    queries = parse(asking)
    # They are of the corpus (stage check_queries), but nothing of theirs may have come to the train side.
    silent = [q for q in queries if q.kind == "user" and q.value not in set(space["user"].ids.to_pylist())]
    queries = [q for q in queries if q not in silent]
    for kind, ids in ("image", unseen), ("user", space["user"].ids):
        queries += drawn(kind, ids, params.seed, 1 + max((q.pair for q in queries), default=-1))
    spoken = WORDS.read(WORDS_PATH, ["language"])["language"].value_counts().to_pylist()
    words = lists(
        asked_words(
            [q.value if q.kind == "text" else None for q in queries],
            params.text,
            models(params.text.stanza, STANZA),
            {row["values"]: row["counts"] for row in spoken},
        )
    )
    trained, _ = spelled(trained, known_parts(PARTS_PATH), words)
    token = tokens(words, trained.vocabulary, trained.model.shape.text_length)
    said = None
    if trained.model.shape.sentence:
        encoder = chosen_encoder(params.sentences, MINILM)
        said = sentences(encoder, [q.value if q.kind == "text" else None for q in queries])
    texts = embed_texts(trained.model, token, said)
    answerable = (token[:, 0] > 0) | (said is not None and told(said))
    vectors = [
        (texts[i] if answerable[i] else None) if q.kind == "text" else space[q.kind].values[row_of(q, space[q.kind])]
        for i, q in enumerate(queries)
    ]
    answers = answer(
        queries, vectors, space, image_groups(space["image"].ids, IMAGE_GROUPS.read(GROUPS)), params.report.top
    )

    known = set(trained.vocabulary.to_pylist())
    asked = {
        "query": range(len(queries)),
        "pair": [q.pair for q in queries],
        "kind": [q.kind for q in queries],
        "value": [
            q.value if q.kind == "text" else space[q.kind].ids[row_of(q, space[q.kind])].as_py() for q in queries
        ],
        "known_words": [[w for w in row if w in known] for row in words.to_pylist()],
        "unknown_words": [[w for w in row if w not in known] for row in words.to_pylist()],
    }
    ASKED.write(pa.table(asked), FOUND / "asked")
    ANSWERS.write(answers, FOUND / "answers")
    unanswered = [q.value for q, vector in zip(queries, vectors, strict=True) if vector is None]
    write_metrics(
        {
            "asked": Counter(q.kind for q in queries),
            "texts_without_known_word": unanswered,
            "users_without_a_post_in_train": len(silent),  # who they are is no matter of metrics, which are in Git
        },
        METRICS,
    )
    log.info("%d queries, %d without an answer: %s", len(queries), len(unanswered), unanswered)


def drawn(kind: str, ids: pa.Array | pa.ChunkedArray, seed: int, pair: int) -> list[Query]:
    """Queries with `DRAWN` of `ids`, each a pair of its own."""
    rows = np.random.default_rng(seed).permutation(len(ids))[:DRAWN]
    return [Query(pair + i, kind, ids[int(row)].as_py()) for i, row in enumerate(rows)]


if __name__ == "__main__":
    run("queries", main)
