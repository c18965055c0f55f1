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
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.common.groups import image_groups
from pipeline.common.metrics import write_metrics
from pipeline.embedding.model import load as load_model
from pipeline.encoding.encoders import chosen_encoder
from pipeline.ranking.vectors import Vectors
from pipeline.running.params import load
from pipeline.space.questions.own_words import own_questions
from pipeline.space.questions.spelling import known_parts, spelled
from pipeline.space.reading import embedded, sentences, spoken
from pipeline.space.search import Query, answer, parse, row_of
from pipeline.tables.corpus import pictures_of
from pipeline.tables.evaluation import ANSWERS, ASKED
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CONTENT
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

    english, shares = models(params.text.stanza, STANZA), spoken(WORDS_PATH)

    def understood(texts: Sequence[str | None]) -> list[list[str]]:
        return asked_words(texts, params.text, english, shares)

    queries, silent = _queries(params.report.queries, trained.vocabulary, space["user"].ids, params.seed, understood)
    texts = [query.value if query.kind == "text" else None for query in queries]
    words = lists(understood(texts))
    with_parts, _ = spelled(trained, known_parts(PARTS_PATH), words)
    shape = trained.model.shape
    encoder = chosen_encoder(params.sentences, MINILM) if shape.sentence else None
    said = sentences(encoder, texts, shape.letters > 0) if encoder else None
    of_texts = embedded(with_parts, words, said)

    rows = [None if query.kind == "text" else row_of(query, space[query.kind]) for query in queries]
    vectors = [
        space[query.kind].values[row] if row is not None else vector if vector.any() else None
        for query, row, vector in zip(queries, rows, of_texts, strict=True)
    ]
    groups = image_groups(space["image"].ids, IMAGE_GROUPS.read(GROUPS))
    answers = answer(queries, vectors, space, groups, params.report.top)

    known = set(with_parts.vocabulary.to_pylist())
    asked = {
        "query": range(len(queries)),
        "pair": [query.pair for query in queries],
        "kind": [query.kind for query in queries],
        "value": [
            query.value if row is None else space[query.kind].ids[row].as_py()
            for query, row in zip(queries, rows, strict=True)
        ],
        "known_words": [[word for word in found if word in known] for found in words.to_pylist()],
        "unknown_words": [[word for word in found if word not in known] for found in words.to_pylist()],
    }
    ASKED.write(pa.table(asked), FOUND / "asked")
    ANSWERS.write(answers, FOUND / "answers")
    unanswered = [query.value for query, vector in zip(queries, vectors, strict=True) if vector is None]
    write_metrics(
        {
            "asked": Counter(query.kind for query in queries),
            "texts_without_known_word": unanswered,
            "users_without_a_post_in_train": silent,  # counted, not named: metrics are in Git
        },
        METRICS,
    )
    log.info("%d queries, %d without an answer: %s", len(queries), len(unanswered), unanswered)


def _queries(
    given: Sequence[Sequence[str]] | None,
    vocabulary: pa.Array,
    users: pa.Array,
    seed: int,
    understood: Callable[[Sequence[str | None]], list[list[str]]],
) -> tuple[list[Query], int]:
    """Queries of report.queries, or where it is null, in words of train; then drawn images of test and drawn `users`.

    And how many of the users that report.queries names have no post in train.
    """
    if given is None:
        given = own_questions(CONTENT.read(TRAIN, ["user_id", "words"]), vocabulary, PAIRS, understood)
        log.info("asked in the corpus's own words: %s", given)
    named = parse(given)
    known = set(users.to_pylist())
    queries = [query for query in named if query.kind != "user" or query.value in known]
    silent = len(named) - len(queries)
    unseen = pictures_of(CONTENT.read(TEST, ["image_id", "more_images"]))[1].unique()
    for kind, ids in ("image", unseen), ("user", users):
        queries += drawn(kind, ids, seed, 1 + max((query.pair for query in queries), default=-1))
    return queries, silent


def drawn(kind: str, ids: pa.Array | pa.ChunkedArray, seed: int, pair: int) -> list[Query]:
    """Queries with `DRAWN` of `ids`, each a pair of its own."""
    rows = np.random.default_rng(seed).permutation(len(ids))[:DRAWN]
    return [Query(pair + i, kind, ids[int(row)].as_py()) for i, row in enumerate(rows)]


if __name__ == "__main__":
    run("queries", main)
