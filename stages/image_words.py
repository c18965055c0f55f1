"""Stage `image_words`: beyond the paper, the words that stand in images, and these as a sentence encoder has them.

Reads   data/corpus/images     one row per image: image_id, bytes
        data/images/features   the images' order, in shards
        models/minilm          the tokenizer of sentences.encoder: minilm
Writes  data/images/words      an image in whose picture words are: its text; no row where images.read is false, or
                               where images are made vectors (images.encoder: stored)
        data/images/said       one row per image: image_id, the text's sentence vector (zeros without a text); no row in
                               the same cases
        metrics/ocr.json       images in, with words; numbers per vector
Keeps   .cache/sentences       vectors by hash of the text, so that a text is encoded once
"""

import logging
import re
from collections import Counter
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.common.recipe import by_recipe
from pipeline.encoding.encoders import chosen_encoder
from pipeline.encoding.sentences import encode_texts
from pipeline.ocr.writing import write_words
from pipeline.privacy.erased import Tombstones
from pipeline.privacy.texts import without
from pipeline.running.engines import Anew
from pipeline.running.params import load
from pipeline.tables.images import FEATURES
from pipeline.tables.ocr import READ
from pipeline.tables.table import positions, vectors
from pipeline.text.cleaning import prose
from stages.runner import resumable, run

IMAGES = Path("data/corpus/images")
FEATURES_PATH = Path("data/images/features")
MODELS = Path("models/minilm")
WORDS, SAID = Path("data/images/words"), Path("data/images/said")
METRICS = Path("metrics/ocr.json")
KEPT = Path(".cache/sentences")

WORD = re.compile(r"[\w.-]*\w")

log = logging.getLogger("image_words")


def main() -> None:
    params = by_recipe(load("recipe", "best.read", "images.encoder", "images.read", "corpus.pseudonyms", "sentences"))
    if params.images.read and params.images.encoder != "stored":
        told = params.corpus.pseudonyms == "keep" and not Tombstones.held()
        with resumable("image_words") as finished:
            counts = write_words(IMAGES, WORDS, finished, None if told else nameless)
        load_it = Anew(partial(chosen_encoder, params.sentences, MODELS))
        with FEATURES.writer(SAID) as written:
            read = READ.read(WORDS)
            for shard in FEATURES.batches(FEATURES_PATH, ["image_id"]):
                at = positions(shard["image_id"], read["image_id"])
                texts = [prose(text) for text in read["text"].take(pa.array(at[at >= 0])).to_pylist()]
                values = np.zeros((shard.num_rows, load_it().dim), np.float16)
                said = np.flatnonzero(at >= 0)[[bool(text) for text in texts]]
                values[said] = encode_texts([text for text in texts if text], load_it, KEPT)
                written.write(pa.table({"image_id": shard["image_id"], "vector": vectors(values)}))
        counts["dim"] = load_it().dim
    else:
        READ.write(READ.empty(), WORDS)
        FEATURES.write(FEATURES.empty(), SAID)
        counts = {"images": 0, "with_words": 0, "dim": 0}
        log.info("made vectors have no words" if params.images.read else "images.read is false: no words in images")
    write_metrics(counts, METRICS)
    log.info("%(images)d images, %(with_words)d with words", counts)


def nameless(text: str, counts: Counter[str]) -> str:
    """`text` without mentions, links, addresses and telephone numbers, which add to `counts`, and who was erased.

    A screenshot has names without @ too.
    """
    erased = _tombstones()
    return WORD.sub(lambda found: "" if erased.user(found[0]) else found[0], without(text, lambda name: " ", counts))


@lru_cache
def _tombstones() -> Tombstones:
    return Tombstones.held()


if __name__ == "__main__":
    run("image_words", main)
