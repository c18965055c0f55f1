"""Tables as they come out of other programs' hands: in a zip, as Arrow, in MongoDB's JSON, not fetched by Git LFS."""

import io
import json
import zipfile

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from pipeline.running.errors import UserError
from tests.corpus.test_table import read

ROWS = [{"post_id": f"p{n}", "user_id": "u", "text": f"x {n}", "image": None} for n in range(4)]
CSV = "post_id,user_id,text,image\n" + "".join(f"p{n},u,x {n},\n" for n in range(4))


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name.replace("_", ".", 1), content)
    return path


def ids(path):
    rows, refused = read(path)
    assert not refused
    return [row["post_id"] for row in rows.values()]


@pytest.mark.parametrize("name", ["p.zip", "p.csv.zip", "p.csv", "P.ZIP"])
def test_the_one_table_in_a_zip_is_read_whatever_the_zip_is_called(tmp_path, name):
    path = zipped(tmp_path / name, posts_csv=CSV, readme_md="about")
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("__MACOSX/._posts.csv", b"\0\5\x16")
    assert ids(path) == ["p0", "p1", "p2", "p3"]


def test_lines_of_json_in_a_zip(tmp_path):
    assert len(ids(zipped(tmp_path / "p.zip", posts_jsonl="\n".join(map(json.dumps, ROWS))))) == 4


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a_csv": CSV, "b_csv": CSV}, r"p\.zip holds several tables, a\.csv, b\.csv: unpack it, and name one"),
        (
            {"xl/workbook_xml": "<x/>"},
            r"p\.zip is a zip without a table in it .*spreadsheet: unpack it, or save it as CSV",
        ),
        ({"a_parquet": "PAR1"}, r"p\.zip is a zip without a table in it"),
    ],
)
def test_a_zip_that_holds_not_one_table_says_what_to_do(tmp_path, files, told):
    with pytest.raises(UserError, match=told):
        read(zipped(tmp_path / "p.zip", **files))


def test_a_zip_with_a_password_and_one_that_is_cut_off_are_told(tmp_path):
    data = bytearray(zipped(tmp_path / "p.zip", posts_csv=CSV).read_bytes())
    (tmp_path / "cut.zip").write_bytes(data[:-40])
    with pytest.raises(UserError, match=r"cut\.zip is a zip that cannot be read"):
        read(tmp_path / "cut.zip")
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    with pytest.raises(UserError, match=r"locked\.zip has a password"):
        read(tmp_path / "locked.zip")


@pytest.mark.parametrize("kind", ["stream", "file", "feather"])
def test_arrow_gives_the_rows_of_the_csv(tmp_path, kind):
    table = pa.Table.from_pylist(ROWS)
    path = tmp_path / ("p.feather" if kind == "feather" else "p.arrow")
    if kind == "feather":
        pyarrow.feather.write_feather(table, path, compression="zstd")
    else:
        make = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with make(str(path), table.schema) as writer:
            for batch in table.to_batches(max_chunksize=3):
                writer.write_batch(batch)
    rows, refused = read(path)
    assert [(number, row["post_id"]) for number, row in rows.items()] == [(1, "p0"), (2, "p1"), (3, "p2"), (4, "p3")]
    assert not refused


def test_arrow_that_lacks_a_column_or_is_damaged_is_told(tmp_path):
    pyarrow.feather.write_feather(pa.table({"post_id": ["a"]}), tmp_path / "p.feather")
    with pytest.raises(UserError, match=r"p\.feather: no column user_id; columns found: post_id"):
        read(tmp_path / "p.feather")
    (tmp_path / "q.arrow").write_bytes((tmp_path / "p.feather").read_bytes()[:100])
    with pytest.raises(UserError, match=r"q\.arrow cannot be read as Arrow"):
        read(tmp_path / "q.arrow")


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "p.jsonl", "p.arrow"])
def test_what_git_lfs_did_not_fetch_is_told(tmp_path, name):
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(UserError, match="Git LFS has in the place of the file: get that by `git lfs pull`"):
        read(tmp_path / name)


def test_unicode_text_of_excel(tmp_path):
    (tmp_path / "p.txt").write_bytes(CSV.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"))
    assert len(ids(tmp_path / "p.txt")) == 4


def test_kinds_of_mongodb_are_what_is_in_them(tmp_path):
    lines = io.StringIO()
    for number, row in enumerate(ROWS):
        at = (
            {"$date": {"$numberLong": str(1714557600000 + number)}} if number % 2 else {"$date": "2024-05-01T10:00:00Z"}
        )
        long = {
            "_id": {"$oid": "65"},
            **row,
            "post_id": {"$numberLong": f"12345678901234567{number}"},
            "created_at": at,
        }
        lines.write(json.dumps(long) + "\n")
    (tmp_path / "p.json").write_text(lines.getvalue())
    rows, refused = read(tmp_path / "p.json")
    assert [row["post_id"] for row in rows.values()] == [f"12345678901234567{n}" for n in range(4)] and not refused
    assert {str(row["created_at"])[:19] for row in rows.values()} == {"2024-05-01 10:00:00"}


def test_rows_are_found_within_objects_that_hold_them(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps({"meta": {"n": 4}, "data": {"users": [{"id": 1}], "posts": ROWS}}))
    assert len(ids(tmp_path / "p.json")) == 4


@pytest.mark.parametrize(
    "held",
    [
        {str(n): row for n, row in enumerate(ROWS)},  # pandas, orient="index"
        {name: [row[name] for row in ROWS] for name in ROWS[0]},  # R, dataframe="columns"
        {"schema": {"fields": []}, "data": ROWS},  # pandas, orient="table"
    ],
)
def test_rows_and_columns_by_their_names(tmp_path, held):
    (tmp_path / "p.json").write_text(json.dumps(held))
    assert ids(tmp_path / "p.json") == ["p0", "p1", "p2", "p3"]


@pytest.mark.parametrize("name", ["p.tar.gz", "p.tgz", "p.tar", "p.7z"])
def test_archives_of_files_are_to_be_unpacked(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match="is an archive of files: unpack it, and name the table in it"):
        read(tmp_path / name)


@pytest.mark.parametrize("kind", ["list", "large", "fixed"])
def test_pictures_in_lists_of_parquet(tmp_path, kind):
    made = {"list": pa.list_(pa.string()), "large": pa.large_list(pa.string()), "fixed": pa.list_(pa.string(), 2)}[kind]
    columns = {name: [row[name] for row in ROWS] for name in ("post_id", "user_id", "text")}
    lists = pa.array([["a.png", "b.png"]] * 4, made)
    pq.write_table(pa.table({**columns, "image": lists}), tmp_path / "p.parquet")
    pq.write_table(pa.table({**columns, "image": ["a.png"] * 4, "more_images": lists}), tmp_path / "q.parquet")
    for name, more in (("p.parquet", ["b.png"]), ("q.parquet", ["a.png", "b.png"])):
        rows, refused = read(tmp_path / name)
        assert [(row["image"], row["more_images"]) for row in rows.values()] == [("a.png", more)] * 4 and not refused


def test_rows_of_separators_alone_are_blank_lines(tmp_path):
    (tmp_path / "p.csv").write_text(f"{CSV},,,\n,,,\n,u,x,\n")
    rows, refused = read(tmp_path / "p.csv")
    assert list(rows) == [2, 3, 4, 5, 8] and not refused


def test_times_in_decimals(tmp_path):
    table = pa.table({"post_id": ["a"], "user_id": ["u"], "text": ["x"], "image": [None], "created_at": [1714557600]})
    pq.write_table(
        table.set_column(4, "created_at", table["created_at"].cast(pa.decimal128(20, 0))), tmp_path / "p.parquet"
    )
    assert str(read(tmp_path / "p.parquet")[0][1]["created_at"]) == "2024-05-01 10:00:00"
