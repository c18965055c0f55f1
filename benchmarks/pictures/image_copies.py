"""Copies of real pictures found, end to end, against what others use, by kind of copy.

Pictures of a corpus are copied in the ways of `pipeline.copies.planted.KINDS` and searched for among its pictures; a
copy is found where it is bound to its source. Pairs of what a copy does not show and pictures outside its source's
group are false; `--show` writes those that are joined as image_copies.png, to be looked at.

- pHash (imagehash), PDQ: Hamming distance. imagededup CNN: its search is the cosine of features and a threshold; its
  own weights need a download, so it has our encoder's vectors. Each at the lowest threshold that keeps a precision of
  0.97, which is chosen with the truth at hand.
- ours: proposals by features and by points, and the look at each pair, at the limits as they are.

Where the data are of a run of openclipart, or of ../shared/corpora/blogs with pictures in full size, pairs that were
labelled by eye are asked too (`benchmarks.pictures.labelled`): a pair that was not planted may be right.
"""

import argparse
import io
import logging
import tempfile
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks import need, options, print_table, result
from benchmarks.pictures import labelled
from pipeline.copies.groups import distinct, group_images, near_pairs, ranked, unit
from pipeline.copies.looks import Looks
from pipeline.copies.planted import KINDS, SHOW_OTHERS, one_colour, planted
from pipeline.copies.votes import voted_pairs
from pipeline.encoding.encoders import load_encoder
from pipeline.pictures.storing import to_rgb
from pipeline.running.checkpoints import made
from pipeline.running.errors import UserError
from pipeline.running.utf8 import entry
from pipeline.tables.corpus import IMAGES
from pipeline.tables.images import FEATURES, IMAGE_GROUPS, RELATED
from pipeline.tables.table import matrix
from tools.contact_sheet import sheet

PRECISION, MIN_COSINE, NEIGHBOURS = 0.97, 0.8, 10
EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")
"""Of the pictures of a folder."""


def at_precision(score: np.ndarray, false: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, float]:
    """Which copies (c,) are found at the lowest threshold of `score` (c, n) that keeps PRECISION, and the threshold."""
    true, wrong = score[np.arange(len(source)), source], np.sort(score[false])
    found, limit = np.zeros(len(source), bool), np.inf
    for threshold in np.unique(true)[::-1]:
        hits = true >= threshold
        if hits.sum() / (hits.sum() + len(wrong) - np.searchsorted(wrong, threshold)) >= PRECISION:
            found, limit = hits, float(threshold)
    return found, limit


def hamming(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Minus the Hamming distance of (c, b) and (n, b) bits."""
    return -(one @ (1 - other).T + (1 - one) @ other.T)


def png(image: Image.Image) -> bytes:
    """The file of a picture."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def jpeg(image: Image.Image, quality: int = 88) -> bytes:
    """The file of a picture, no larger than stored ones."""
    stream, small = io.BytesIO(), image.convert("RGB")
    small.thumbnail((512, 512))
    small.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def files_of(folder: Path) -> list[Path]:
    """The picture files in a folder. Raises UserError where there is none."""
    if files := sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS):
        return files
    raise UserError(f"{folder}: no pictures there, neither of a run (`dvc repro` makes them) nor as files.")


def originals(folder: Path, among: int, random: np.random.Generator) -> tuple[list[bytes], np.ndarray, np.ndarray]:
    """`among` stored pictures of a data folder, or of a folder of files, their vectors and their groups."""
    encoder = load_encoder("efficientnet_lite0")
    if not (folder / "corpus/images").exists():
        files = files_of(folder)
        chosen = [jpeg(Image.open(files[row]), 95) for row in np.sort(random.permutation(len(files))[:among])]
        chosen = list(dict.fromkeys(chosen))  # each picture once
        return chosen, encoded(encoder, chosen), np.arange(len(chosen))
    table = IMAGES.read(folder / "corpus/images", ["bytes"])
    rows = np.sort(random.permutation(table.num_rows)[:among])
    group = IMAGE_GROUPS.read(folder / "images/groups")["group_id"].combine_chunks().dictionary_encode()
    vectors = unit(matrix(FEATURES.read(folder / "images/features")["vector"])[rows])
    return table["bytes"].take(pa.array(rows)).to_pylist(), vectors, group.indices.to_numpy()[rows]


class Planting(NamedTuple):
    """Copies (c) of some of the n `stored` pictures by KINDS, in turn of the pictures `chosen`; `vectors` (n, d).

    `known` (chosen, n): the pictures of the groups that a chosen one's copies show.
    """

    stored: list[bytes]
    vectors: np.ndarray
    chosen: np.ndarray
    known: np.ndarray
    copies: list[Image.Image]


def asked(parser: argparse.ArgumentParser, copied: int) -> argparse.Namespace:
    """The arguments of a benchmark that plants."""
    parser.add_argument("data", type=Path, nargs="?", default=Path("data"), help="or a folder of pictures")
    parser.add_argument("copied", type=int, nargs="?", default=copied)
    parser.add_argument("among", type=int, nargs="?", default=600)
    parser.add_argument("--show", action="store_true", help="write what is wrong as a sheet of pictures")
    return parser.parse_args()


def plant(given: argparse.Namespace, seed: int) -> Planting:
    """What is `asked` for."""
    random = np.random.default_rng(seed)
    stored, vectors, group = originals(given.data, given.among, random)
    drawn = (row for row in random.permutation(len(stored)).tolist() if not one_colour(to_rgb(stored[row])))
    chosen = np.fromiter(islice(drawn, given.copied), np.int64)
    shown = [np.roll(chosen, -place)[: 1 + SHOW_OTHERS] for place in range(given.copied)]
    copies = [
        copy
        for source, *others in shown
        for copy in planted(to_rgb(stored[source]), [to_rgb(stored[row]) for row in others], random)
    ]
    return Planting(stored, vectors, chosen, np.stack([np.isin(group, group[rows]) for rows in shown]), copies)


def encoded(encoder: object, files: list[bytes]) -> np.ndarray:
    """Unit vectors of stored pictures."""
    inputs = [encoder.prepare(file) for file in files]  # type: ignore[attr-defined]
    return unit(np.concatenate([encoder.encode(inputs[at : at + 32]) for at in range(0, len(inputs), 32)]))  # type: ignore[attr-defined]


def bound(pictures: list[bytes], vectors: np.ndarray, among: int) -> np.ndarray:
    """Pairs (e, 2) of rows that ours binds, copies and derived; the first `among` are originals, then copies by KINDS.

    Two kinds are searched for at a time: of a picture with fourteen copies each would find others than its source.
    """
    sides = np.ones(len(pictures), np.int32)
    names = [f"{row:09}" for row in range(len(pictures))]
    kind = np.arange(len(pictures) - among) % len(KINDS)
    half, edges = len(KINDS) // 2, []
    with tempfile.TemporaryDirectory() as folder:
        columns = {"image_id": names, "bytes": pictures, "width": sides, "height": sides}
        IMAGES.write(pa.table(columns), Path(folder) / "images")
        every = Looks.of(Path(folder) / "images", Path(folder) / "looks")
        for turn in range(half):
            rows = np.concatenate([np.arange(among), among + np.flatnonzero(kind % half == turn)])
            n = len(rows)
            looks = every.taken(rows, Path(folder) / f"{turn}.looks")
            near = near_pairs(vectors[rows], MIN_COSINE, 7, NEIGHBOURS)
            left, right, _ = voted_pairs(looks, NEIGHBOURS, 7, made)
            keys = distinct(np.concatenate([near.left * n + near.right, left * n + right]))
            keys = keys[(keys // n < among) & (keys % n >= among)]  # an original and a copy: others are not asked for
            groups = group_images(n, ranked(vectors[rows], *np.divmod(keys, n)), looks.judge)
            more = np.array([verdict.kind != RELATED for verdict in groups.verdicts], bool)
            edges.append(rows[groups.edges[more]])
    return np.concatenate(edges)


def main() -> None:
    given = asked(options(__doc__), 30)
    need("imagehash", "pdqhash")
    import imagehash
    import pdqhash

    logging.disable(logging.INFO)
    stored, vectors, chosen, known, copies = plant(given, 11)
    n, source, false = len(stored), chosen.repeat(len(KINDS)), ~known.repeat(len(KINDS), axis=0)

    files = [png(copy) for copy in copies]
    planted_vectors = encoded(load_encoder("efficientnet_lite0"), files)

    def bits(pictures: list, hashed: object) -> np.ndarray:
        return np.stack([np.asarray(hashed(image)).ravel() for image in pictures]).astype(np.float32)

    scores = {"imagededup CNN (cosine)": planted_vectors @ vectors.T}
    pictures = [to_rgb(one) for one in stored]
    hashes = {"pHash": lambda i: imagehash.phash(i).hash, "PDQ": lambda i: pdqhash.compute(np.asarray(i))[0]}
    for name, hashed in hashes.items():
        scores[name] = hamming(bits(copies, hashed), bits(pictures, hashed))

    edges = bound([*stored, *files], np.concatenate([vectors, planted_vectors]), n)
    edges = edges[(edges[:, 0] < n) & (edges[:, 1] >= n)]
    original, copy = edges[:, 0], edges[:, 1] - n
    hits = np.isin(np.arange(len(copies)), copy[source[copy] == original])
    wrong = edges[false[copy, original]]
    precision = float(hits.sum() / max(1, hits.sum() + len(wrong)))

    table_rows, figures = [], {}
    found = {name: at_precision(score, false, source) for name, score in scores.items()} | {"ours": (hits, MIN_COSINE)}
    for name, (those, limit) in found.items():
        by_kind = dict(zip(KINDS, those.reshape(-1, len(KINDS)).mean(axis=0).tolist(), strict=True))
        table_rows.append({"method": name, "threshold": limit, "all": float(those.mean()), **by_kind})
        figures[name] = float(those.mean())
    print_table(table_rows)
    by_eye = labelled.ask(given.data, hashes) if (given.data / "images/edges").exists() else {}
    print(f"\n{len(copies)} copies among {n} pictures; ours: precision {precision:.4f}, {len(wrong)} wrong")
    if given.show and len(wrong):
        sheet([(files[other - n], stored[one]) for one, other in wrong.tolist()]).save("image_copies.png")
    best = max(value for name, value in figures.items() if name != "ours")
    result(
        {"recall": figures, "precision_of_ours": precision, "copies": len(copies), "labelled": by_eye},
        {
            "precision of ours 0.97": precision >= PRECISION,
            "recall of ours 0.9": figures["ours"] >= 0.9,
            "recall above every peer": figures["ours"] > best,
        },
    )


if __name__ == "__main__":
    entry(main)
