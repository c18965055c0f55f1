"""Texts per second and core by the sentence encoder of params.yaml, by length, and of texts that are kept already.

    python -m benchmarks.texts.sentences [--texts 200]

Texts are words drawn from the paragraph below: what they say costs nothing, how many tokens they have does. One thread,
as texts run side by side on others. Vectors of kept texts are read by hash (pipeline.encoding.sentences).
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import ROOT, options, print_table, result
from pipeline.encoding.encoders import chosen_encoder
from pipeline.encoding.sentences import encode_texts
from pipeline.running.params import validate
from pipeline.running.utf8 import entry

LENGTHS = (5, 15, 40, 150)
PARAGRAPH = (
    "a morning walk along the river with coffee and an old camera photos of boats birds and bridges in autumn light "
    "friends came over for dinner we made bread soup and talked about books trains music and the garden next summer"
)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--texts", type=int, default=200, help="texts of each length")
    given = parser.parse_args()
    encoder = chosen_encoder(validate().sentences, ROOT / "models/minilm")
    random, rows = np.random.default_rng(7), []
    with tempfile.TemporaryDirectory() as folder:
        for length in LENGTHS:
            texts = [" ".join(random.choice(PARAGRAPH.split(), length)) for _ in range(given.texts)]
            begun = time.process_time()
            for text in texts:
                encoder.encode([text])
            seconds = time.process_time() - begun
            encode_texts(texts, lambda: encoder, Path(folder))
            begun = time.process_time()
            encode_texts(texts, lambda: encoder, Path(folder))
            again = time.process_time() - begun
            rows.append({"words": length, "texts a second and core": given.texts / seconds,
                         "kept": given.texts / again})  # fmt: skip
    print_table(rows)
    result({"by_length": rows, "dim": encoder.dim}, {})


if __name__ == "__main__":
    entry(main)
