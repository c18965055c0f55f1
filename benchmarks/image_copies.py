"""Copies of real pictures found, against what others use: recall at a precision of 0.99, each at its own threshold.

Pictures of the corpus are copied in eight ways (`pipeline.copies.planted.COPIES`) and searched for among its pictures;
each copy has one true pair, and as many false ones as there are other pictures. Pictures of one group are left out, as
nobody knows whether they are copies; what a method joins beyond can be looked at (`--show`, pairs by image_id).

- exact hash: what fdupes sees. pHash (imagehash), PDQ: Hamming distance. imagededup CNN: its search is the cosine of
  features and a threshold; its own weights need a download, so it has our encoder's vectors.
- ours: the cosine and the second check, at images.min_cosine 0.8; its threshold is not tuned here.

    python -m benchmarks.image_copies [data folder] [pictures copied] [--show]
"""

import hashlib
import io
import logging
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from benchmarks import need, print_table, result
from pipeline.copies.groups import unit
from pipeline.copies.planted import COPIES, planted
from pipeline.copies.same_picture import Look, same_picture
from pipeline.encoding.encoders import load_encoder
from pipeline.pictures.storing import to_rgb
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES, IMAGE_GROUPS
from pipeline.tables.table import matrix

PRECISION, MIN_COSINE = 0.99, 0.8


def at_precision(score: np.ndarray, allowed: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, float]:
    """Which copies (c,) are found at the lowest threshold of `score` (c, n) that keeps PRECISION, and the threshold."""
    true = score[np.arange(len(source)), source]
    false = score[allowed]
    found, limit = np.zeros(len(source), bool), np.inf
    for threshold in np.unique(true)[::-1]:
        hits = true >= threshold
        if hits.sum() / (hits.sum() + (false >= threshold).sum()) >= PRECISION:
            found, limit = hits, float(threshold)
    return found, limit


def hamming(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Minus the Hamming distance of (c, b) and (n, b) bits."""
    return -(one @ (1 - other).T + (1 - one) @ other.T)


def main() -> None:  # noqa: C901 - one comparison after the other
    need("imagehash", "pdqhash")
    import imagehash
    import pdqhash

    logging.disable(logging.INFO)
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    data = Path(arguments[0]) if arguments else Path("data")
    number = int(arguments[1]) if len(arguments) > 1 else 100
    table = IMAGES.read(data / "corpus/images")
    group = pc.dictionary_encode(IMAGE_GROUPS.read(data / "images/groups")["group_id"].combine_chunks()).indices
    group = group.to_numpy()
    random = np.random.default_rng(11)
    chosen = np.sort(random.permutation(table.num_rows)[:number])
    originals = [to_rgb(stored) for stored in table["bytes"].to_pylist()]
    copies = [copy for row in chosen for copy in planted(originals[row], random)]
    source = chosen.repeat(len(COPIES))
    allowed = group[source][:, None] != group[None, :]

    files = []
    for copy in copies:
        stream = io.BytesIO()
        copy.save(stream, "PNG", compress_level=1)
        files.append(stream.getvalue())
    encoder = load_encoder("efficientnet_lite0")
    inputs = [encoder.prepare(file) for file in files]
    encoded = [encoder.encode(inputs[start : start + 32]) for start in range(0, len(inputs), 32)]
    vectors = unit(matrix(FEATURES.read(data / "images/features")["vector"]))
    cosine = unit(np.concatenate(encoded)) @ vectors.T

    def bits(hashed: object) -> np.ndarray:
        return np.stack([np.asarray(hashed(image)).ravel() for image in pictures]).astype(np.float32)

    scores = {"imagededup CNN (cosine)": cosine}
    for name, hashed in {
        "pHash": lambda i: imagehash.phash(i).hash,
        "PDQ": lambda i: pdqhash.compute(np.asarray(i))[0],
    }.items():
        pictures = copies
        one = bits(hashed)
        pictures = originals
        scores[name] = hamming(one, bits(hashed))
    digests = [hashlib.sha256(image.tobytes()).digest() for image in originals]
    scores["exact hash"] = np.array(
        [[float(hashlib.sha256(copy.tobytes()).digest() == one) for one in digests] for copy in copies]
    )

    looks: dict[int, Look] = {}
    confirmed, wrong = np.zeros(len(copies), bool), []
    for number_, copy in enumerate(copies):
        near = np.flatnonzero(
            (cosine[number_] >= MIN_COSINE) & (allowed[number_] | (np.arange(len(vectors)) == source[number_]))
        )
        look = Look.of(copy) if len(near) else None
        for row in near:
            looks[row] = looks.get(row) or Look.of(originals[row])
            if look is not None and same_picture(look, looks[row]):
                if row == source[number_]:
                    confirmed[number_] = True
                else:
                    wrong.append((table["image_id"][int(source[number_])].as_py(), table["image_id"][int(row)].as_py()))

    rows, figures = [], {}
    found = {name: at_precision(score, allowed, source) for name, score in scores.items()}
    found["ours"] = confirmed, MIN_COSINE
    precision = float(confirmed.sum() / max(1, confirmed.sum() + len(wrong)))
    for name, (hits, limit) in found.items():
        by_kind = dict(zip(COPIES, hits.reshape(-1, len(COPIES)).mean(axis=0).tolist(), strict=True))
        rows.append({"method": name, "threshold": limit, "all": float(hits.mean()), **by_kind})
        figures[name] = float(hits.mean())
    print_table(rows)
    print(
        f"\n{len(copies)} copies; {allowed.sum(axis=1).mean():,.0f} false pairs per true one; "
        f"ours: precision {precision:.4f}"
    )
    if "--show" in sys.argv:
        for pair in wrong:
            print("beyond the planted pairs:", *pair)
    best = max(value for name, value in figures.items() if name != "ours")
    result(
        {"recall": figures, "precision_of_ours": precision, "copies": len(copies)},
        {"precision of ours 0.99": precision >= PRECISION, "recall above every peer": figures["ours"] > best},
    )


if __name__ == "__main__":
    main()
