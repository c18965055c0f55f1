"""Stage `chance`: ask the space questions about nothing, so that the page can tell what may be chance.

Reads   data/model           how it embeds words
        data/embeddings/{users,images,texts}   what is searched; users and images ask too
        data/split/train     how often words are used there
        models/minilm        tokenizer (sentences.encoder: minilm), where the model reads sentences
Writes  data/chance          a row per kind that asks, number of words and kind that answers: how much the nearest has
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.embedding.model import Trained
from pipeline.embedding.model import load as load_model
from pipeline.encoding.encoders import chosen_encoder
from pipeline.encoding.sentences import SentenceEncoder
from pipeline.ranking.vectors import unit
from pipeline.running.params import load
from pipeline.space.questions.chance import DRAWN, LENGTHS, Array, Questions, by_things, coherence, nulls, words_drawn
from pipeline.space.reading import embedded, sentences
from pipeline.tables.embedding import EMBEDDINGS
from pipeline.tables.layout import CHANCE
from pipeline.tables.split import CONTENT
from pipeline.tables.table import matrix, positions
from stages.runner import run

MODEL = Path("data/model")
EMBEDDED = Path("data/embeddings")
TRAIN = Path("data/split/train")
MINILM = Path("models/minilm")
FOUND = Path("data/chance")

KINDS = ("user", "image", "text")
SAMPLED = 32_768
"""Things of a kind that ask, at most."""

log = logging.getLogger("chance")


def main() -> None:
    params = load("seed", "sentences")
    trained = load_model(MODEL)
    encoder = chosen_encoder(params.sentences, MINILM) if trained.model.shape.sentence else None
    asked = by_words(trained, encoder, params.seed)
    asked |= {(kind, 1): by_things(*sampled(kind, params.seed), params.seed) for kind in ("user", "image")}
    rows = []
    for kind in KINDS:
        for (asking, words), null in nulls(asked, kind, pieces(kind)).items():
            rows.append((asking, words, kind, null.mean.astype(np.float32), null.highest))
    CHANCE.write(CHANCE.of(rows), FOUND)
    log.info("%d kinds of questions about nothing: by what asks, how long, and what answers", len(rows))


def by_words(trained: Trained, encoder: SentenceEncoder | None, seed: int) -> dict[tuple[str, int], Questions]:
    """Questions about nothing in words of the train side, by their number."""
    counts = np.zeros(len(trained.vocabulary), np.int64)
    for part in CONTENT.batches(TRAIN, ["words"]):
        at = positions(part["words"].combine_chunks().flatten(), trained.vocabulary)
        counts += np.bincount(at[at >= 0], minlength=len(counts))

    def vectors_of(lists: list[list[str]]) -> Array:
        texts = [" ".join(words) for words in lists]
        said = sentences(encoder, texts, trained.model.shape.letters > 0) if encoder else None
        return embedded(trained, pa.array(lists, pa.list_(pa.string())), said)

    found = {}
    for length in LENGTHS:
        drawn = words_drawn(counts, length, 2 * DRAWN, np.random.default_rng([seed, length]))
        if not len(drawn):
            continue
        names = [trained.vocabulary.take(pa.array(row)).to_pylist() for row in drawn]
        distinct, of = np.unique(drawn, return_inverse=True)
        single = vectors_of([[name] for name in trained.vocabulary.take(pa.array(distinct)).to_pylist()])
        weight = np.array([coherence(single[row]) for row in of.reshape(drawn.shape)[:DRAWN]])
        asking = vectors_of(names)
        found["text", length] = Questions(asking[:DRAWN], weight, asking[DRAWN:].mean(axis=0))
    return found


def sampled(kind: str, seed: int) -> tuple[Array, Array]:
    """Vectors of things of a kind, at unit length, and their rows: all, or SAMPLED drawn ones."""
    count = sum(EMBEDDINGS.count(shard) for shard in EMBEDDINGS.shards(EMBEDDED / f"{kind}s"))
    rows = np.sort(np.random.default_rng([seed, count]).permutation(count)[:SAMPLED])
    parts, begin = [], 0
    for piece in pieces(kind):
        here = rows[(rows >= begin) & (rows < begin + len(piece))] - begin
        parts.append(piece[here])
        begin += len(piece)
    return np.concatenate(parts), rows


def pieces(kind: str) -> Iterator[Array]:
    """The vectors of a kind at unit length, shard by shard."""
    return (unit(matrix(shard["vector"])) for shard in EMBEDDINGS.batches(EMBEDDED / f"{kind}s", ["vector"]))


if __name__ == "__main__":
    run("chance", main)
