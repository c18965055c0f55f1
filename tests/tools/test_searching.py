"""What is searched for is found wherever it stands, however many names there are."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tools import searching
from tools.searching import Search

NAME = "Ærøskøbing Ånna"


def of_letters(letters, length, rng):
    return "".join(rng.choice(list(letters), length))


@pytest.mark.parametrize("letters", ["ab", "0123456789abcdef", "etaoin shrdlu"])
def test_every_form_is_found_as_by_looking_for_each(letters, monkeypatch):
    """Of all lengths, in windows so small that what is found lies across their ends."""
    monkeypatch.setattr(searching, "_WINDOW", 64)
    rng = np.random.default_rng(7)
    for _ in range(30):
        data = of_letters(letters, int(rng.integers(1, 900)), rng)
        names = [of_letters(letters, int(rng.integers(1, 20)), rng) for _ in range(40)]
        begins = rng.integers(0, len(data), 40)
        names += [data[begin : begin + int(rng.integers(1, 500))] for begin in begins]
        names += [name[:-1] + "#" for name in names]
        search = Search(names)
        search.text(data, "it")
        assert {hit.name for hit in search.end().hits} == {at for at, name in enumerate(names) if name in data}


def test_of_many_names_that_are_not_there_few_are_looked_for_one_by_one():
    """Words of a text in another order: time goes by the bytes searched, not by the number of names."""
    rng = np.random.default_rng(7)
    words = [of_letters("etaoinshrdlu", int(rng.integers(2, 9)), rng) for _ in range(2_000)]
    window = " ".join(rng.choice(words, 60_000))[: searching._WINDOW].encode()
    texts = [" ".join(rng.choice(words, 20)).encode() for _ in range(1_000)]
    names = [of_letters("etaoinshrdlu", 8, rng).encode() for _ in range(1_000)]
    digits = [of_letters("0123456789abcdef", 64, rng) for _ in range(5_000)]
    for forms, where in ((texts, window), (names, window), ([d.encode() for d in digits[:900]], "".join(digits[900:]))):
        passed = searching._Sieve.of(8, forms).passed(where if isinstance(where, bytes) else where.encode())
        assert len(passed) == len(forms) and passed.mean() < 0.1


@pytest.mark.parametrize("before", range(50, 66, 3))
def test_a_name_that_lies_across_two_pieces_of_a_file_is_found(before, tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "_PIECE", 64)
    (tmp_path / "page.txt").write_bytes(b"." * before + NAME.encode() + b"." * 200)
    search = Search([NAME])
    search.file(tmp_path / "page.txt")
    assert {hit.name for hit in search.end().hits} == {0}


def zipped(data):
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", data)
    return kept.getvalue()


def in_parquet(data, **options):
    kept = io.BytesIO()
    text = data.decode()
    table = pa.table({"n": [1, 2], "s": [{"l": ["other"]}, {"l": ["x", text]}], "b": [None, gzip.compress(data)]})
    pq.write_table(table, kept, **options)
    return kept.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        bytes,
        lambda data: json.dumps(data.decode()).encode(),
        lambda data: data.decode().encode("utf-16-le"),
        lambda data: data.decode().upper().encode(),
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda data: zstandard.compress(b"first") + zstandard.compress(data),
        zipped,
        lambda data: zipped(gzip.compress(zipped(data))),
        lambda data: in_parquet(data, compression="zstd"),
        lambda data: in_parquet(data, compression="snappy", use_dictionary=False),
        lambda data: zipped(in_parquet(data, compression="zstd")),
    ],
)  # fmt: skip
def test_a_name_is_found_as_it_is_written_and_packed(packed, tmp_path):
    place = tmp_path / "it"
    for said, expected in ((f"they met {NAME} there", {1}), ("they met nobody at all there", set())):
        place.write_bytes(packed(" ".join(f"{n} {said}" for n in range(50)).encode()))  # else zstd stores it as it is
        search = Search(["another name", NAME])
        search.folder(tmp_path)
        found = search.end()
        assert {hit.name for hit in found.hits} == expected and not found.unread
