"""Stage `text_vectors`: one vector a text from a pretrained sentence encoder (beyond the paper).

Reads   data/corpus/posts       a post: text
        models/minilm           the tokenizer of sentences.encoder: minilm
Writes  data/text/vectors       a post with a text, other than links and names: vector, unit length; no row where
                                sentences.encoder is none
        metrics/sentences.json  texts, numbers per vector
Keeps   .cache/sentences        vectors by hash of the text, so that a text is encoded once
"""

import logging
from functools import partial
from pathlib import Path

import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.encoding.encoders import chosen_encoder
from pipeline.encoding.sentences import encode_texts
from pipeline.running.engines import Anew
from pipeline.running.params import load
from pipeline.tables.corpus import POSTS
from pipeline.tables.table import vectors
from pipeline.tables.text import TEXT_VECTORS
from pipeline.text.cleaning import with_prose
from stages.runner import run

POSTS_PATH = Path("data/corpus/posts")
MODELS = Path("models/minilm")
VECTORS = Path("data/text/vectors")
METRICS = Path("metrics/sentences.json")
KEPT = Path(".cache/sentences")

log = logging.getLogger("text_vectors")


def main() -> None:
    params = load("sentences")
    chosen = params.sentences
    if chosen.encoder == "none":
        TEXT_VECTORS.write(TEXT_VECTORS.empty(), VECTORS)
        write_metrics({"texts": 0, "dim": 0}, METRICS)
        log.info("sentences.encoder is none: no sentence vectors")
        return
    load_it = Anew(partial(chosen_encoder, chosen, MODELS))
    with TEXT_VECTORS.writer(VECTORS) as written:
        for shard in POSTS.batches(POSTS_PATH, ["post_id", "text"]):
            ids, texts = with_prose(shard)
            written.write(pa.table({"post_id": ids, "vector": vectors(encode_texts(texts, load_it, KEPT))}))
    write_metrics({"texts": written.rows, "dim": load_it().dim}, METRICS)
    log.info("%d texts, %d numbers each", written.rows, load_it().dim)


if __name__ == "__main__":
    run("text_vectors", main)
