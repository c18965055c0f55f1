"""Pairs of a held-out picture and another by votes of corners: what the features of whole pictures do not bring near.

A panel of a collage, a captioned picture, a post on a screenshot has corners of its source, whatever else it shows. The
corners of held-out pictures, and of their mirror images, stand in an index over their bits (FAISS, an inverted file by
Hamming distance); each corner of the others votes for the pictures of its NEIGHBOURS nearest within NEAR bits, and of
each held-out picture those with most votes are looked at. So pairs grow as the held-out pictures, and the index holds
these alone; the others pass by in stretches.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.running.checkpoints import Keep, made
from pipeline.running.machine import cores
from pipeline.running.progress import bar
from pipeline.split.sketches import Rows, Sketches

VOTERS = 200
"""Corners of a picture that vote, or are voted for."""
NEIGHBOURS, NEAR = 4, 32
"""A corner votes for the pictures of so many nearest ones, of those within so many of 256 bits."""
MIN_VOTES, MOST = 4, 3
"""Of each held-out picture so many others are proposed, which have so many votes at least."""
PROBES, SAMPLE, ROUNDS = 2, 39, 4
"""Cells searched; corners a cell that cells are learnt from, and rounds of that."""
STRETCH = 1024
"""Pictures whose corners vote at a time."""


def voted(sketches: Sketches, held_out: Rows, others: Rows, seed: int, keep: Keep = made) -> tuple[Rows, Rows, int]:
    """Places (p,) in `held_out` and in `others`, rows of `sketches`, of the proposed pairs; how many MOST cut off."""
    best, beyond = np.empty((0, 3), np.int64), 0
    picture, bits = map(np.concatenate, zip(*(sketches.bits(held_out, face, VOTERS) for face in (0, 1)), strict=True))
    if not len(picture):
        return best[:, 0], best[:, 1], 0
    index = _index(bits, seed)
    faiss.omp_set_num_threads(cores())
    with bar("image audit, votes", "images", total=len(others)) as shown:
        for begin in range(0, len(others), STRETCH):
            rows = others[begin : begin + STRETCH]
            (tally,) = keep(f"votes-{begin:012}", lambda r=rows: (_tally(index, picture, sketches, r),))  # type: ignore[misc]
            best = np.concatenate([best, tally + np.array([0, begin, 0])])
            order = np.lexsort((best[:, 1], -best[:, 2], best[:, 0]))
            best = best[order]
            place = np.arange(len(best)) - np.searchsorted(best[:, 0], best[:, 0])
            beyond += int((place >= MOST).sum())
            best = best[place < MOST]
            shown.update(len(rows))
    return best[:, 0], best[:, 1], beyond


def _index(bits: NDArray[np.uint8], seed: int) -> Any:
    """An index of corners (c, 32) by their bits."""
    cells = int(np.clip(np.sqrt(len(bits)), 1, max(1, len(bits) // SAMPLE)))
    index: Any = faiss.index_binary_factory(256, f"BIVF{cells}")
    index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = seed % 2**31, ROUNDS, SAMPLE
    drawn = np.arange(len(bits), dtype=np.int32)
    if len(bits) > SAMPLE * cells:  # the draw that FAISS would make itself, which first makes floats of all bits
        library: Any = faiss
        library.rand_perm(library.swig_ptr(drawn), len(bits), index.cp.seed)
    index.train(bits[drawn[: SAMPLE * cells]])
    index.nprobe = PROBES
    index.add(bits)
    return index


def _tally(index: Any, picture: Rows, sketches: Sketches, rows: Rows) -> NDArray[np.int64]:
    """Held-out picture, place in `rows`, votes (v, 3) of those with MIN_VOTES."""
    voter, bits = sketches.bits(rows, 0, VOTERS)
    if not len(voter):
        return np.empty((0, 3), np.int64)
    apart, near = index.search(bits, NEIGHBOURS)
    corner, choice = np.nonzero((near >= 0) & (apart <= NEAR))
    once = np.unique(np.column_stack([corner, picture[near[corner, choice]]]), axis=0)  # one vote for a picture
    pair, votes = np.unique(once[:, 1] * len(rows) + voter[once[:, 0]], return_counts=True)
    enough = votes >= MIN_VOTES
    held_out, other = np.divmod(pair[enough], len(rows))
    return np.column_stack([held_out, other, votes[enough]])
