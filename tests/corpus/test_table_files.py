"""Tables as other programs write them: what can be read without loss is, all else is refused with its reason."""

import bz2
import csv
import gzip
import json
import lzma

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.corpus.reading import files, packing
from pipeline.corpus.sources.table import TableCorpus
from pipeline.running.errors import UserError
from tests.corpus.tables import HEADER, PLAIN, read, table_of, written

PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress, "": bytes}


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("kind", [".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json"])
def test_kinds_of_files_packed_or_not(tmp_path, kind, packed):
    given = [{"post_id": str(n), "user_id": "u", "text": f"é, {n}\nmore", "image": None} for n in range(300)]
    if "js" in kind:
        content = json.dumps(given) if kind == ".json" else "\n".join(map(json.dumps, given))
    else:
        content = pd.DataFrame(given).to_csv(index=False, sep="," if kind == ".csv" else "\t")
    rows, refused = read(written(tmp_path / f"Posts.v2{kind.upper()}{packed}", PACKERS[packed](content.encode())))
    assert [row["text"] for row in rows] == [row["text"] for row in given] and not refused


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["", "sep={}\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_separators_and_encodings_are_found_out(tmp_path, separator, first, encoding):
    rows = [["p1", "u,1;|", 'a "word"\nmore', ""], ["p2", "u2", "x\ty", "b.png"]]
    with (tmp_path / "p.csv").open("w", newline="", encoding=encoding) as stream:
        stream.write(first.format(separator))
        writer = csv.writer(stream, delimiter=separator)
        writer.writerows([[" post_id", "user_id ", "text", "image", "other"], *([*row, "z"] for row in rows)])
    found, refused = read(tmp_path / "p.csv")
    assert [[row[name] or "" for name in ("post_id", "user_id", "text", "image")] for row in found] == rows
    assert [row["row"] for row in found] == [2, 3] and not refused


def spark(rows):
    """CSV as Spark writes it: a quote within a quoted cell stands behind a backslash, a backslash alone stays."""
    quoted = ('"' + cell.replace('"', '\\"') + '"' if set(cell) & set('",\n') else cell for row in rows for cell in row)
    cells = list(quoted)
    return "".join(",".join(cells[at : at + 4]) + "\n" for at in range(0, len(cells), 4))


@pytest.mark.parametrize(
    "texts",
    [
        ['vinyl 12"', 'vinyl 7"', "plain", 'more 12"'],
        ['the "song"', "plain", 'and "fine, thanks" said', "a, b"],
        ['C:\\temp "x"', "C:\\new", 'a "b"', 'over\ntwo "lines"'],
    ],
)
def test_backslashes_before_quotes_are_read_as_spark_means_them(tmp_path, texts):
    rows = [(f"p{n:02}", "u", texts[n % 4], f"{n}.png") for n in range(40)]
    found, refused = read(written(tmp_path / "p.csv", HEADER + spark(rows)))
    assert [row["text"] for row in found] == [row[2] for row in rows] and not refused


def test_what_a_block_cuts_is_read_whole(tmp_path, monkeypatch):
    texts = ["ends in \\\\", 'a "b" c', "one\rtwo", '12"', "x" * 7]
    lines = [
        f'p{n:03},u,"{texts[n % 5]}",'.replace('b"', 'b\\"').replace('a "', 'a \\"').replace('2""', '2\\""')
        for n in range(300)
    ]
    path = written(tmp_path / "p.csv", HEADER.replace("\n", "\r\n") + "\r\n".join(lines) + "\r\n")
    whole = [row["text"] for row in read(path)[0]]
    assert whole == [["ends in \\", 'a "b" c', "one two", '12"', "x" * 7][n % 5] for n in range(300)]
    for block in (499, 500, 501, 502, 503):
        monkeypatch.setattr(packing, "BLOCK", block)
        assert [row["text"] for row in read(path)[0]] == whole


@pytest.mark.parametrize(
    "texts", [['"C:\\"', "plain"], ['a \\" b', 'it "is"'], ["ends in \\", 'a "b"'], ['{\\"a\\": 1}']]
)
def test_doubled_quotes_beside_backslashes_stay_what_they_are(tmp_path, texts):
    rows = [(f"p{n}", "u", texts[n % len(texts)], "") for n in range(20)]
    with (tmp_path / "p.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([HEADER.strip().split(","), *rows])
    assert [row["text"] for row in read(tmp_path / "p.csv")[0]] == [row[2] for row in rows]


def test_a_carriage_return_alone_is_part_of_a_text_but_where_all_rows_end_in_one(tmp_path):
    lines = [f"p{n},u,one\rtwo {n}," for n in range(9)]
    rows, refused = read(written(tmp_path / "p.csv", HEADER + "\n".join(lines)))
    assert [row["text"] for row in rows] == [f"one two {n}" for n in range(9)] and not refused
    windows = HEADER.strip() + "\r\n" + "\r\n".join(lines) + "\r\n"
    assert [row["text"] for row in read(written(tmp_path / "w.csv", windows))[0]] == [r["text"] for r in rows]
    mac = (HEADER + "p1,u,x,\np2,u,y,\n").replace("\n", "\r")
    assert [row["text"] for row in read(written(tmp_path / "m.csv", mac))[0]] == ["x", "y"]


@pytest.mark.parametrize("kind", ["repeated", "listed", "compressed", ".jsonl"])
def test_a_small_file_of_much_text_is_never_held_as_a_whole(tmp_path, monkeypatch, kind):
    """100 MB of text out of less than 2 MB."""
    monkeypatch.setattr(files, "PIECE_BYTES", 2 << 20)
    count, text = 1000, "word " * 20_000
    path = tmp_path / ("p.jsonl.gz" if kind == ".jsonl" else "p.parquet")
    if kind == ".jsonl":
        row = json.dumps({"user_id": "u", "image": None, "text": text})
        with gzip.open(path, "wt", 1) as stream:
            stream.writelines(f'{{"post_id": {i}, {row[1:]}\n' for i in range(count))
    else:
        columns = {"post_id": pa.array(range(count)), "user_id": ["u"] * count, "image": pa.nulls(count)}
        texts = pa.array([[text] if kind == "listed" else text]).take(pa.array([0] * count))
        columns |= {"more_images": texts, "text": ["x"] * count} if kind == "listed" else {"text": texts}
        del texts
        small_pages = {"compression": "zstd", "write_batch_size": 8}
        pq.write_table(pa.table(columns), path, use_dictionary=kind != "compressed", **small_pages)
        del columns
    assert path.stat().st_size < 2 << 20
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        rows = [row for good, _ in TableCorpus(path, tmp_path, tmp_path).rows() for row in good["row"].to_pylist()]
    finally:
        pa.set_memory_pool(before)
    assert rows == list(range(1, count + 1))
    assert pool.max_memory() < 40 << 20


def test_a_header_within_the_rows_is_no_post(tmp_path):
    rows, refused = read(written(tmp_path / "p.csv", f"{HEADER}p1,u,x,\n{HEADER}p2,u,x,\n"))
    assert [row["post_id"] for row in rows] == ["p1", "p2"] and list(refused) == ["post_id"]


def test_blank_lines_before_the_header_do_not_count(tmp_path):
    assert [row["row"] for row in read(written(tmp_path / "p.csv", f"\n\r\n{HEADER}p1,u,x,\n"))[0]] == [2]


def test_first_bytes_tell_how_a_file_is_packed_and_names_do_not(tmp_path):
    content = f"{HEADER}p1,u,x,\n".encode()
    for name, data in (
        ("p.csv", gzip.compress(content)),
        ("q.csv.gz", content),
        ("r.csv.bz2", zstandard.compress(content)),
    ):
        assert [row["post_id"] for row in read(written(tmp_path / name, data))[0]] == ["p1"]
    for data, told in ((b"PAR1xxxx", "Parquet: let its name end"), (b"PK\3\4xxxx", "save it as CSV UTF-8")):
        with pytest.raises(UserError, match=rf"s\.csv is .*{told}"):
            read(written(tmp_path / "s.csv", data))
    for kind in ("csv", "parquet"):
        (tmp_path / f"t.{kind}").mkdir()
        with pytest.raises(UserError, match=f"t.{kind} is a folder; expected one file"):
            read(tmp_path / f"t.{kind}")


@pytest.mark.parametrize(
    "head",
    [
        "My posts,,,\npost_id,user_id,text,image",
        "# by a tool, of 2024\n# rows: 9\n\npost_id,user_id,text,image",
        '"Report:","all, of it"\n"From:","2024"\npost_id,user_id,text,image',
        "\ufeffsep=,\nTitle\npost_id,user_id,text,image",
    ],
)
def test_the_header_may_stand_below_titles_and_comments(tmp_path, head):
    rows, refused = read(table_of(tmp_path / "p.csv", head, [*PLAIN, ["p9", "u"]]))
    assert [row["post_id"] for row in rows] == [row[0] for row in PLAIN]
    above = sum(bool(line) and not line.startswith("\ufeff") for line in head.split("\n")[:-1])
    assert rows[0]["row"] == above + 2 and list(refused) == [f"row {above + 11} of p.csv"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_rows_one_cell_longer_than_the_header_as_r_and_separators_at_ends_make_them(tmp_path, mark):
    head = mark.join(f'"{name}"' for name in HEADER.strip().split(","))
    of_r = [[f'"{n}"', *(f'"{cell}"' for cell in row)] for n, row in enumerate(PLAIN, start=1)]
    for lines in (of_r, [[*row, ""] for row in PLAIN]):
        rows, refused = read(table_of(tmp_path / "p.csv", head, [*lines[:8], ["p9"], lines[8]], mark))
        assert [row["text"] for row in rows] == [row[2] for row in PLAIN]
        assert [row["row"] for row in rows] == [*range(2, 10), 11] and list(refused) == ["row 10 of p.csv"]
    _, refused = read(table_of(tmp_path / "p.csv", head, [[*row, "y"] for row in PLAIN], mark))
    assert len(refused) == 9  # what stands there is something
    # More rows than are looked at: a later one with something behind its last separator is not cut short in silence.
    many = [[*row[:2], f"{row[2]} {n}", *row[3:], ""] for n, row in enumerate(PLAIN * 8)]
    many[50][-1] = "y"
    rows, refused = read(table_of(tmp_path / "p.csv", head, many, mark))
    assert len(rows) == len(many) - 1 and many[50][2] not in {row["text"] for row in rows}
    assert refused == {"row 52 of p.csv": ("unreadable row", "row 52 of p.csv: 5 columns, expected 4")}
    commas = [[str(n), "u", "x", f"y {n}", "z.png"] for n in range(9)]
    assert len(read(table_of(tmp_path / "p.csv", HEADER.strip(), commas))[1]) == 9


def test_of_tabs_quotes_may_be_letters_and_backslashes_those_of_databases(tmp_path):
    def of_tabs(rows):
        return read(table_of(tmp_path / "p.tsv", HEADER.strip().replace(",", "\t"), rows, "\t"))

    def of_texts(texts):
        return of_tabs([[*r[:2], t, r[3]] for r, t in zip(PLAIN, texts, strict=True)])

    texts = ['"begins', 'an inch: 5"', 'he said "hi" there', "plain", *("x",) * 5]
    rows, refused = of_texts(texts)
    assert [row["text"] for row in rows] == texts and not refused
    told = [r"one\ntwo", r"a\tb", r"C:\\new", r"\N", *("x",) * 5]
    rows, refused = of_texts(told)
    assert [row["text"] for row in rows][:4] == ["one\ntwo", "a\tb", r"C:\new", None] and not refused
    told[4] = r"C:\Users\new"  # no database writes this
    rows, _ = of_texts(told)
    assert [row["text"] for row in rows][:2] == told[:2]
    rows, _ = of_tabs([['"p1"', '"u"', '"a\tb\nc"', ""], ['"p2"', '"u"', '"he said "hi" there"', ""]])
    assert rows[0]["text"] == "a\tb\nc"


def test_a_file_in_another_code_page_is_refused_as_a_whole_and_a_few_rows_cost_themselves(tmp_path, caplog):
    rows = [[f"p{n}", "u", "café" if n % 3 else "tea", ""] for n in range(30)]
    path = table_of(tmp_path / "p.csv", HEADER.strip(), rows)
    other = path.read_text().encode("cp1252")
    with pytest.raises(
        UserError, match=r"is not UTF-8 in 20 of 31 lines\. .*iconv -f WINDOWS-1252 .*reads well: 'p1,u,café,'"
    ):
        read(written(path, other))
    lines = table_of(tmp_path / "q.csv", HEADER.strip(), rows).read_bytes().split(b"\n")
    lines[2] = lines[2].decode().encode("cp1252")
    found, refused = read(written(path, b"\n".join(lines)))
    assert len(found) == 29 and list(refused) == ["p1"]
    read(written(path, "\n".join([HEADER.strip(), *(["a,u,tea,"] * 30)]).encode() + b"\nb,u,caf\xe9,\n"))
    assert "is not UTF-8 in 1 of 32 lines, which are left out" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("p.csv", "id,author,body\n1,u,x\n", r"no column post_id; .*set corpus\.source to export"),
        ("p.csv", "post_id,user_id,image\n1,u,x\n", r"no column text; .*titles, descriptions or alt texts"),
        ("p.csv", "", "The file is empty"),
        ("p.csv", '"post_id,user_id,text,image"\n"1,u,""a, b"",a.png"\n', "Each row stands in a single cell"),
        ("p.csv", "post_id，user_id，text，image\n1，u，x，\n", "Each row stands in a single cell"),
        ("p.csv", "post_id\x01user_id\x01text\x01image\n1\x01u\x01x\x01\n", r"parts them seems to be '\\x01'"),
        ("p.csv", "post_id^user_id^text^image\n1^u^x^\n", r"parts them seems to be '\^'"),
        ("p.csv", "<!DOCTYPE html><html>log in</html>", "is a web page or XML"),
        ("p.json", "<html>", "is a web page or XML"),
        ("p.csv", "%PDF-1.7", "is a PDF"),
        ("p.csv", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(99), "is a workbook of Excel: save its sheet as CSV UTF-8"),
        ("p.csv", b"SQLite format 3\0" + bytes(99), "is a database of SQLite"),
        ("p.feather", b"FEA1" + bytes(99), "is Feather of the first version"),
        ("p.json", '{"post_id ":1,"user_id":2,"text":"x","image":""}', "columns found: 'post_id ', user_id"),
    ],
)
def test_what_is_no_table_of_posts_is_told_with_what_to_do(tmp_path, name, content, told):
    with pytest.raises(UserError, match=told):
        read(written(tmp_path / name, content))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("post_id,user_id,text,image", "the header again"),
        ("Post ID,User ID,What did you post?,Image", "the header again"),
        (":--,:--:,---,---", "a line drawn below the header"),
        ("-------,-----------,---,---", "a line drawn below the header"),
    ],
)
def test_what_stands_below_a_header_and_is_no_post_is_told(tmp_path, row, why):
    rows, refused = read(written(tmp_path / "p.csv", f"{HEADER}{row}\n-,--,a post,\n"))
    assert [one["post_id"] for one in rows] == ["-"]
    ((reason, detail),) = refused.values()
    assert reason == "no post" and why in detail


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("head", ["{0}", "post_id,user_id,text,image,other", "Title\n{0}"])
def test_blanks_before_quotes_are_part_of_no_cell(tmp_path, mark, head, monkeypatch):
    def row(*cells):
        return f"{mark}  ".join('"' + cell.replace('"', '""') + '"' for cell in cells)

    texts = ['said, "hi', 'a; | b "c", ', "over\ntwo", "x"] * 3
    names = row("post_id", "user_id", "text", "image", "other")
    lines = [row(f"p{n}", "ann", text, f"{n}.png", "") for n, text in enumerate(texts)]
    above = head.format(names) if "{" in head else head.replace(",", mark)
    path = written(tmp_path / "p.csv", "\n".join([above, *lines]))
    for block in (packing.BLOCK, *range(150, 156)):  # which cut blanks in two
        monkeypatch.setattr(packing, "BLOCK", block)
        rows, refused = read(path)
        found = [(row["user_id"], row["text"].rstrip(), row["image"]) for row in rows]
        assert found == [("ann", text.rstrip(), f"{n}.png") for n, text in enumerate(texts)] and not refused


def test_quotes_behind_blanks_within_texts_open_no_cell(tmp_path):
    texts = ['one, "two" three', 'he said, "yes"', 'plain, ""', '"all", "of it"']
    with (tmp_path / "p.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([HEADER.strip().split(","), *([f"p{n}", "u", t, ""] for n, t in enumerate(texts))])
    assert [row["text"] for row in read(tmp_path / "p.csv")[0]] == texts


@pytest.mark.parametrize(
    "again", ["post_id,text,user_id,image", "post_id,user_id,text,url", "user_id,post_id,text,image"]
)
def test_tables_that_were_joined_but_differ_are_refused(tmp_path, again):
    path = written(tmp_path / "p.csv", f"{HEADER}1,ann,red sea,\n{again}\n2,blue sky,bob,\n")
    with pytest.raises(UserError, match=f"row 3 is a header again, with {again.replace(',', ', ')} where post_id"):
        read(path)


@pytest.mark.parametrize("kind", ["struct", "bytes"])
def test_pictures_that_stand_in_the_table_are_told_with_what_reads_them(tmp_path, kind):
    data = b"\x89PNG\r\n"
    image = pa.array([data if kind == "bytes" else {"bytes": data, "path": None}])
    table = pa.table({"post_id": ["a"], "user_id": ["u"], "text": ["x"], "image": image})
    pq.write_table(table, tmp_path / "p.parquet")
    if kind == "bytes":
        _, refused = read(tmp_path / "p.parquet")
        assert "set corpus.source to export" in refused["a"][1]
    else:
        with pytest.raises(UserError, match=r"set corpus\.source to export"):
            read(tmp_path / "p.parquet")
