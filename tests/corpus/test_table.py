"""One's own tables: the three formats agree, and every broken row or file is told with its place."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.listing import listing
from pipeline.corpus.reading import packing
from pipeline.corpus.rows import ALL_STRANGERS, STRANGER, WRITTEN_OTHERWISE
from pipeline.corpus.sources.table import TableCorpus
from pipeline.pictures.reading import Rejected
from pipeline.running.errors import UserError
from pipeline.running.params import validate

HEADER = "post_id,user_id,text,image,created_at"


def read(path, tmp_path=None):
    """All rows of the posts in `path` as dicts by row number, and the rejected as (id, reason, detail)."""
    rows, refused = {}, []
    for good, bad in TableCorpus(path, path.parent / "images", path.parent / "users.csv").rows():
        rows |= {row.pop("row"): row for row in good.to_pylist()}
        refused += [tuple(row.values()) for row in bad.to_pylist()]
    return rows, refused


def users_of(path, ids):
    posts = pa.table({"post_id": [str(i) for i in range(len(ids))], "user_id": ids})
    users, refused = TableCorpus(path, path, path).users(posts)
    return users.to_pylist(), [tuple(row.values()) for row in refused.to_pylist()]


@pytest.fixture
def csv_file(tmp_path):
    def write(text, name="posts.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


VALUES = [
    {"post_id": "1", "user_id": "null", "text": 'a "word", and\nmore', "image": "a/b.png", "created_at": "2024-05-01"},
    {"post_id": "2", "user_id": "NA", "text": "déjà 👋", "image": None, "created_at": "2024-05-01T10:00:00+02:00"},
    {"post_id": "3", "user_id": "7", "text": None, "image": "c.png", "created_at": None},
]


def test_the_three_formats_give_the_same_rows(tmp_path):
    def quoted(value):
        return "" if value is None else '"' + value.replace('"', '""') + '"'

    lines = [HEADER + ",other", *(",".join(map(quoted, [*row.values(), "x"])) for row in VALUES)]
    (tmp_path / "p.csv").write_text("\ufeff" + "\r\n".join(lines) + "\r\n")  # as spreadsheets write it
    (tmp_path / "p.jsonl").write_text("\n\n".join(json.dumps(row | {"other": [1]}) for row in VALUES))
    numbers = [row | {"post_id": int(row["post_id"])} for row in VALUES]
    pq.write_table(pa.Table.from_pylist(numbers), tmp_path / "p.parquet")

    made = [list(read(tmp_path / name)[0].values()) for name in ("p.csv", "p.jsonl", "p.parquet")]
    assert made[0] == made[1] == made[2]
    # No word stands for a missing value: there are people called Null. And time without a zone is UTC.
    assert [row["user_id"] for row in made[0]] == ["null", "NA", "7"]
    assert [row["created_at"] for row in made[0]] == [datetime(2024, 5, 1), datetime(2024, 5, 1, 8), None]
    assert [row["text"] for row in made[0]] == [row["text"] for row in VALUES]


def test_rows_of_a_csv_with_too_few_or_many_columns_are_rejected_and_the_others_keep_their_numbers(csv_file):
    path = csv_file("post_id,user_id,text,image\na,u,x,\nb,u\nc,u,y,\n\nd,u,z,,,\n" + 'e,u,"over\ntwo",,\nf,u,w,\n')
    rows, refused = read(path)
    assert {number: row["post_id"] for number, row in rows.items()} == {2: "a", 4: "c", 7: "f"}
    assert refused == [
        ("row 3 of posts.csv", "unreadable row", "row 3 of posts.csv: 2 columns, expected 4"),
        ("row 5 of posts.csv", "unreadable row", "row 5 of posts.csv: 6 columns, expected 4"),
        ("row 6 of posts.csv", "unreadable row", "row 6 of posts.csv: 5 columns, expected 4, over 2 lines"),
    ]


def test_a_stray_quote_that_swallows_no_row_costs_its_row_alone(csv_file):
    rows, refused = read(
        csv_file('post_id,user_id,text,image\na,u,5" disk,"x\ny",z\nb,u,"6"" disk\n",\nc,u,7" disk,\n')
    )
    assert [row["text"] for row in rows.values()] == ['6" disk\n', '7" disk']
    assert [row_id for row_id, *_ in refused] == ["row 2 of posts.csv"]


def test_numbers_of_rows_hold_over_blocks(csv_file, monkeypatch):
    monkeypatch.setattr(packing, "BLOCK", 1 << 12)
    bad = set(np.random.default_rng(2).choice(np.arange(2, 4000), 700, replace=False))
    lines = [f"p{number}" if number in bad else f'p{number},u,"a\ntext",' for number in range(2, 4000)]
    rows, refused = read(csv_file("post_id,user_id,text,image\n" + "\n".join(lines)))
    assert all(row["post_id"] == f"p{number}" for number, row in rows.items())
    assert {f"row {number} of posts.csv" for number in bad} == {row_id for row_id, *_ in refused}
    assert len(rows) + len(refused) == 3998


def test_bytes_that_are_not_utf8_cost_their_row_alone(csv_file, tmp_path):
    rows, refused = read(csv_file(b"post_id,user_id,text,image\na,u,caf\xe9,\nb,u,x,\n\xff,u,x,\n"))
    assert list(rows) == [3]
    assert refused == [
        ("a", "unreadable row", "row 2 of posts.csv: text is not UTF-8"),
        ("row 4 of posts.csv", "unreadable row", "row 4 of posts.csv: post_id is not UTF-8"),
    ]
    column = {"post_id": ["a", "b"], "user_id": ["u", "u"], "image": ["", ""]}
    text = pa.array([b"caf\xe9", b"x"]).cast(pa.binary())
    unchecked = pa.StringArray.from_buffers(
        2, text.buffers()[1], text.buffers()[2]
    )  # Parquet is not checked by readers
    pq.write_table(pa.table(column | {"text": unchecked}), tmp_path / "p.parquet")
    assert [row_id for row_id, *_ in read(tmp_path / "p.parquet")[1]] == ["a"]


def test_lines_of_jsonl_that_are_not_what_they_should_be_are_rejected(csv_file):
    good = '{"post_id": 1, "user_id": "u", "text": "x", "image": null}'
    lines = [
        *(good, "{", "[1]", good.replace("1", "1.5e+17"), good.replace('"u"', "true"), good.replace('"x"', '["x",1]')),
        *(good.replace('"x"', '"x \\ud83d"'), b"\xff".decode("latin1"), "", "9" * 5000, "[" * 100_000, good),
        good.replace('"u"', '"\\ud83d"'),
    ]
    rows, refused = read(
        csv_file("\n".join(lines).replace("\xff", "\udcff").encode(errors="surrogateescape"), "p.jsonl")
    )
    assert {number: row["post_id"] for number, row in rows.items()} == {1: "1", 7: "1", 12: "1"}
    assert rows[7]["text"] == "x "  # half of an emoji costs itself alone
    told = {row_id: (reason, detail) for row_id, reason, detail in refused}
    assert set(told) == {f"row {n} of p.jsonl" for n in (2, 3, 4, 5, 6, 8, 10, 11, 13)}
    assert told.pop("row 4 of p.jsonl")[0] == "id rounded by a spreadsheet"
    assert {reason for reason, _ in told.values()} == {"unreadable row"}
    assert told["row 5 of p.jsonl"][1] == "row 5 of p.jsonl: user_id is of the kind bool"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-02-29", datetime(2024, 2, 29)),
        ("2024-02-29T23:30", datetime(2024, 2, 29, 23, 30)),
        ("2024-02-29 23:30:15Z", datetime(2024, 2, 29, 23, 30, 15)),
        ("2024-02-29T23:30:15.123456789", datetime(2024, 2, 29, 23, 30, 15, 123456)),
        ("2024-02-29T23:30:15-0130", datetime(2024, 3, 1, 1, 0, 15)),
        ("2024-02-29T23:30:15.5+02", datetime(2024, 2, 29, 21, 30, 15, 500000)),
        (" 1969-12-31T23:59:59Z ", datetime(1969, 12, 31, 23, 59, 59)),
        ("", None),
        ("2023-02-29", Rejected),
        ("2024-13-01T00:00", Rejected),
        ("Wed Aug 27 13:08:45 +0000 2008", datetime(2008, 8, 27, 13, 8, 45)),
        ("Wed, 27 Aug 2008 13:08:45 +0200", datetime(2008, 8, 27, 11, 8, 45)),
        ("27 Aug 2008 13:08:45 GMT", datetime(2008, 8, 27, 13, 8, 45)),
        ("2024-05-01 10:00:00 UTC", datetime(2024, 5, 1, 10)),
        ("1714557600", datetime(2024, 5, 1, 10)),
        ("1714557600.25", datetime(2024, 5, 1, 10, 0, 0, 250_000)),
        ("1714557600123", datetime(2024, 5, 1, 10, 0, 0, 123_000)),
        ("1714557600123456", datetime(2024, 5, 1, 10, 0, 0, 123_456)),
        ("1714557600123456789", datetime(2024, 5, 1, 10, 0, 0, 123_456)),
        ("1.71456E+09", Rejected),
        ("45413", Rejected),
        ("NaN", None),
        ("2024-02-29T23", Rejected),
        ("20240501100000", datetime(2024, 5, 1, 10)),
        ("202405011000", datetime(2024, 5, 1, 10)),  # no milliseconds of 1976
        ("Wed May 01 2024 10:00:00 GMT+0200 (CEST)", datetime(2024, 5, 1, 8)),
        ("Wed May 01 2024 10:00:00 GMT", datetime(2024, 5, 1, 10)),
        ("0001-01-01T00:00:00", None),
        ("2567-05-01", Rejected),
        ("99999999999", Rejected),
        ("today", Rejected),
        ("now", Rejected),
        ("yesterday", Rejected),
    ],
)
@pytest.mark.parametrize("beside", ["2024-01-01", "2024-02-30"])  # what a date means hangs on no other
def test_times_are_read_as_platforms_write_them(csv_file, written, meant, beside):
    rows, refused = read(csv_file(f'{HEADER}\na,u,x,,"{written}"\nb,u,x,,{beside}\n'))
    if meant is Rejected:
        assert ("a", "created_at is no time", f"row 2 of posts.csv: {written}") in refused and 2 not in rows
    else:
        assert rows[2]["created_at"] == meant
    assert (3 in rows) == (beside == "2024-01-01")


def test_dates_of_parquet_are_taken_as_they_are(tmp_path):
    moment = datetime(2024, 5, 1, 12, 0, 0, 5)
    columns = {"post_id": ["a"], "user_id": ["u"], "text": ["x"], "image": [None]}
    for kind, value, meant in (
        (pa.timestamp("ns", "Europe/Berlin"), moment.replace(tzinfo=UTC), moment),
        (pa.timestamp("ms"), moment.replace(microsecond=0), moment.replace(microsecond=0)),
        (pa.date32(), date(2024, 5, 1), datetime(2024, 5, 1)),
        (pa.timestamp("us"), datetime(1, 1, 1), None),  # of C#
    ):
        pq.write_table(pa.table(columns | {"created_at": pa.array([value], kind)}), tmp_path / "p.parquet")
        assert read(tmp_path / "p.parquet")[0][1]["created_at"] == meant
    for number in (1714557600, 1714557600.0, 1714557600000):
        pq.write_table(pa.table(columns | {"created_at": [number]}), tmp_path / "p.parquet")
        assert read(tmp_path / "p.parquet")[0][1]["created_at"] == datetime(2024, 5, 1, 10)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("p.csv", "post_id,text,image\na,b,c\n", r"p\.csv: no column user_id; columns found: post_id, text, image\."),
        ("p.csv", "", r"p\.csv: no column post_id; columns found: none\."),
        ("p.csv", "post_id,user_id,text,image,text\n", "several columns text"),
        ("p.csv", 'post_id,user_id,text,image\na,u,x,\nb,u,"x,\nc,u,y,\n', "a quote is opened in row 3 and"),
        ("p.csv", 'post_id,user_id,text,image\na,u,x,\nb,u,x,"y\nc,u,y,\n', "a quote is opened in row 3 and"),
        ("p.csv", b"\xff\xfep\0", r"no column post_id; columns found: p\."),
        ("p.csv", b"caf\xe9,user_id\n", "no header of a CSV in UTF-8"),
        ("p.csv.gz", b"\x1f\x8b no gzip", r"p\.csv\.gz cannot be unpacked"),
        ("p.jsonl.zst", b"\x28\xb5\x2f\xfd no zstandard", r"p\.jsonl\.zst cannot be unpacked"),
        ("p.jsonl", '{"post_id": 1, "text": "x"}\n', r"p\.jsonl: no column user_id; columns found: post_id, text\."),
        ("p.parquet", "PAR1 no", r"p\.parquet cannot be read as Parquet"),
        ("p.db", "", r"p\.db: expected a file that ends in \.parquet, \.arrow, \.feather, \.csv"),
        ("p.XLSX", "", r"p\.XLSX is a spreadsheet's own file: save its sheet as CSV UTF-8, with ids as text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(csv_file, name, content, told):
    with pytest.raises(UserError, match=told):
        read(csv_file(content, name))


def test_a_row_longer_than_a_block_is_told(csv_file, monkeypatch):
    monkeypatch.setattr(packing, "BLOCK", 1 << 12)
    with pytest.raises(UserError, match="a row after row 2 is longer than 0 MB; is a quote not closed there"):
        read(csv_file("post_id,user_id,text,image\na,u,x,\n" + 'b,u,"' + "x,\n" * 9999))


def test_a_column_of_parquet_of_the_wrong_type_is_told(tmp_path):
    columns = {"post_id": ["a"], "user_id": [True], "text": ["x"], "image": [None]}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(UserError, match="column user_id is of the type bool; expected text or whole numbers"):
        read(tmp_path / "p.parquet")
    columns["user_id"] = pa.array(["u"]).dictionary_encode()
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    assert read(tmp_path / "p.parquet")[0][1]["user_id"] == "u"


def test_a_header_without_rows_is_no_rows(csv_file):
    for ending in ("", "\n", "\r\n", "\n\n"):
        assert read(csv_file(HEADER + ending)) == ({}, [])


def test_users_have_the_interests_and_brand_that_the_table_gives_else_none(csv_file, tmp_path):
    text = "user_id,interests,brand\nb, art;music; art;;,TRUE\nc,,nein\n d ,x,0\n,x,\nb,x,\nstranger,x,\ne,x,maybe\n"
    users, refused = users_of(csv_file(text, "users.csv"), ["e", "d", "c", "b", "a", "b"])
    assert users == [
        {"user_id": "a", "interests": [], "brand": False},
        {"user_id": "b", "interests": ["art", "music"], "brand": True},
        {"user_id": "c", "interests": [], "brand": False},
        {"user_id": "d", "interests": ["x"], "brand": False},
        {"user_id": "e", "interests": [], "brand": False},
    ]
    assert {(row_id, reason) for row_id, reason, _ in refused} == {
        ("row 5 of users.csv", "missing user_id"),
        ("b", "duplicate user_id"),
        ("stranger", "user without a post that is kept"),
        ("e", "brand is not true or false"),
    }
    refused = users_of(csv_file("user_id,interests,brand\n7.0x,,\n", "users.csv"), ["7"])[1]
    assert [(row_id, reason) for row_id, reason, _ in refused] == [("7.0x", ALL_STRANGERS)]


@pytest.mark.parametrize(("posts", "users"), [("ann", "ANN"), ("ann", "@ann"), ("0123", "123"), ("ann", "\uff41nn")])
def test_a_user_whose_id_is_written_otherwise_than_in_the_posts_is_told_from_a_stranger(csv_file, posts, users):
    path = csv_file(f"user_id,interests\n{users},sea\nbob,sea\nBob,sea\ncarl,sea\n", "users.csv")
    refused = users_of(path, [posts, "bob"])[1]
    assert {row_id: reason for row_id, reason, _ in refused} == {
        users: WRITTEN_OTHERWISE, "Bob": STRANGER, "carl": STRANGER
    }  # fmt: skip


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_blank_name_of_a_picture_in_json_and_parquet_is_none(tmp_path, blank):
    rows = [{"post_id": "a", "user_id": "u", "text": "x", "image": blank}]
    (tmp_path / "p.jsonl").write_text(json.dumps(rows[0]))
    pq.write_table(
        pa.table({name: pa.array([value], pa.string()) for name, value in rows[0].items()}), tmp_path / "p.parquet"
    )
    for path in (tmp_path / "p.jsonl", tmp_path / "p.parquet"):
        assert listing(TableCorpus(path, None, None))["pictures_named"] == 0


def test_the_three_formats_give_the_same_users(csv_file, tmp_path):
    rows = [{"user_id": "a", "interests": ["x", "y"], "brand": True}, {"user_id": "b", "interests": [], "brand": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "u.parquet")
    json_lines = csv_file("\n".join(map(json.dumps, rows)), "u.jsonl")
    table = csv_file("user_id,interests,brand\na,y;x,true\nb,,\n", "u.csv")
    made = [users_of(path, ["a", "b"]) for path in (table, json_lines, tmp_path / "u.parquet")]
    assert made[0] == made[1] == made[2] and made[0][1] == []


def test_users_are_those_named_those_beside_the_posts_or_nobody_s(tmp_path):
    def own(users):
        corpus = validate(Path(__file__).parents[2] / "params.yaml").corpus
        return TableCorpus.of(corpus.model_copy(update={"posts": str(tmp_path / "posts.csv"), "users": users}))

    posts = pa.table({"post_id": ["1", "2"], "user_id": ["ann", "bob"]})
    users, refused = own(None).users(posts)
    assert [row["interests"] for row in users.to_pylist()] == [[], []] and refused.num_rows == 0
    (tmp_path / "users.csv").write_text("user_id,interests,brand\nann,sea,false\n")
    (tmp_path / "others.csv").write_text("user_id,interests,brand\nann,roads,false\n")
    for named, interest in ((None, "sea"), (str(tmp_path / "others.csv"), "roads")):
        assert own(named).users(posts)[0].to_pylist()[0]["interests"] == [interest]


def test_the_listing_tells_of_each_table_whatever_its_file_is_called(tmp_path):
    tables = [tmp_path / "posts/data.csv", tmp_path / "users/data.csv"]
    for table, text in zip(
        tables, (HEADER + "\n1,ann,first,,\n", "user_id,interests,brand\nann,sea,false\n"), strict=True
    ):
        table.parent.mkdir()
        table.write_text(text)
    seen = [listing(TableCorpus(tables[0], tmp_path, tables[1]))]
    for table in tables:
        table.write_text(table.read_text().replace("ann", "eve"))
        seen.append(listing(TableCorpus(tables[0], tmp_path, tables[1])))
    assert seen[0] != seen[1] != seen[2] != seen[0]


@pytest.mark.parametrize(("kind", "exact"), [(pa.float32(), 2**24), (pa.float64(), 2**53)])
def test_floats_are_ids_as_far_as_their_kind_tells_whole_numbers_apart(tmp_path, kind, exact):
    ids = pa.array([7.0, exact - 1, exact, None, 0.5], pa.float64()).cast(kind)
    columns = {"post_id": list("abcde"), "user_id": ids, "text": ["x"] * 5, "image": [None] * 5}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    rows, refused = read(tmp_path / "p.parquet")
    assert [row["user_id"] for row in rows.values()] == ["7", str(exact - 1), None]
    assert [(row_id, reason) for row_id, reason, _ in refused] == [
        ("c", "id rounded by a spreadsheet"),
        ("e", "id rounded by a spreadsheet"),
    ]


GONE = (
    "[removed]",
    "[ Removed by Reddit ]",
    "[ Removed by reddit on account of violating the [content policy](/help). ]",
)
NOTHING = ("nan", "NaN", "<NA>", "\\N", "None", "null", "NULL")


@pytest.mark.parametrize("written", [*GONE, *NOTHING])
def test_what_stands_in_the_place_of_a_text_is_none(tmp_path, written):
    texts = [written, f" {written}\n", f"{written} of it", written.lower()]
    columns = {"post_id": list("abcd"), "user_id": ["u"] * 4, "text": texts, "image": [None] * 4}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    rows, refused = read(tmp_path / "p.parquet")
    assert [row["text"] for row in rows.values()][:3] == [None, None, f"{written} of it"] and not refused


def test_null_of_databases_is_nobody_and_people_called_null_are(tmp_path):
    names = ["\\N", "NaN", "[ Removed by Reddit ]", "Null", "None", "N"]
    columns = {"post_id": list("abcdef"), "user_id": names, "text": ["x"] * 6, "image": [None] * 6}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    rows, _ = read(tmp_path / "p.parquet")
    assert [row["user_id"] for row in rows.values()] == [None, None, None, "Null", "None", "N"]


def test_what_is_deleted_is_nobody_s_and_no_text(csv_file):
    rows, _ = read(csv_file("post_id,user_id,text,image\na,[deleted],x,\nb,u,[removed],c.png\nd,deleted,[x],\n"))
    assert [(row["user_id"], row["text"]) for row in rows.values()] == [(None, "x"), ("u", None), ("deleted", "[x]")]


def test_a_list_of_pictures_in_json_is_the_post_s_pictures(csv_file):
    rows = [
        {"post_id": n, "user_id": "u", "text": "x", "image": held} for n, held in enumerate((["a", "b"], ["c"], []))
    ]
    found, refused = read(csv_file("\n".join(map(json.dumps, rows)), "p.jsonl"))
    assert [(row["image"], row["more_images"]) for row in found.values()] == [("a", ["b"]), ("c", None), (None, None)]
    assert refused == []


def test_false_in_json_is_no_text_and_no_picture(csv_file):
    rows = [{"text": "x", "image": False, "more_images": False}, {"text": False, "image": "a"}]
    lines = [json.dumps({"post_id": n, "user_id": "u", **row}) for n, row in enumerate(rows)]
    found, refused = read(csv_file("\n".join(lines), "p.jsonl"))
    assert [(row["text"], row["image"]) for row in found.values()] == [("x", None), (None, "a")] and refused == []


def test_names_of_columns_have_nothing_unseen_around_them(csv_file):
    rows, _ = read(csv_file("\ufeff\ufeffpost_id, user_id\u00a0,\u200btext,image\na,u,x,\n"))
    assert [row["text"] for row in rows.values()] == ["x"]


@pytest.mark.parametrize("name", ["Created_At", "createdAt", "created at", "CREATED-AT", "date", "Timestamp"])
def test_a_column_that_is_not_read_for_how_its_name_is_written_is_told(csv_file, caplog, name):
    as_json = json.dumps({"post_id": "a", "user_id": "u", "text": "x", "image": "", name: "2024-05-01"})
    for path in (csv_file(f"post_id,user_id,text,image,{name}\na,u,x,,2024-05-01\n"), csv_file(as_json, "p.jsonl")):
        caplog.clear()
        rows, _ = read(path)
        assert rows and all(row["created_at"] is None for row in rows.values())
        assert caplog.messages == [f"{path}: the column {name} is not read: if it is created_at, call it so"]
    read(csv_file(f"{HEADER},{name},likeness\na,u,x,,2024-05-01,,\n"))
    assert len(caplog.messages) == 1
    path = csv_file(f"{HEADER},image.1,image_2\na,u,x,a.png,b.png,c.png\n")
    read(path)
    assert caplog.messages[1:] == [f"{path}: the columns image.1, image_2 are not read, as there is a column image"]
