"""Tables of exports as people have them: what stands above the header, how it is written, what lies beside."""

import io
import re
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.reading.files import read
from pipeline.exports.columns import Mapped
from pipeline.exports.separated import HEAD, layout, table
from pipeline.running.errors import UserError
from tests.exports.test_parts import run

HEADER = "id,text,author_id,created_at"
ROWS = [f"{n},words {n},7,2020-09-13T12:26:40Z" for n in range(1, 5)]
TABLE = "\n".join([HEADER, *ROWS]) + "\n"


def texts(tmp_path, data, name="p.csv", **settings):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    _, posts, _, rejected = run(tmp_path, path, **settings)
    return [post["text"] for post in posts], [row["detail"] for row in rejected]


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        f"Mentions of a brand\n\n\nFrom:,1 May 2024\n{TABLE}",
        f"\ufeff# collected by ann\n# on 1 May\n{TABLE}",
        f'"A report, in\ntwo lines",,,\n{TABLE}',
        f"sep=;\r\n{TABLE}".replace(",", ";"),
        TABLE.replace(",", "|"),
        f"A title; with this\n{TABLE}".replace(",", "\t"),
        f"A title\r{TABLE}".replace("\n", "\r"),
    ],
)
def test_the_header_is_found_whatever_stands_above_it_and_separates(tmp_path, data):
    assert texts(tmp_path, data) == ([f"words {n}" for n in range(1, 5)], [])


def test_a_table_that_is_described_is_found_below_a_title_too(tmp_path):
    own = Mapped(post_id="number", user_id="who", text="what")
    found, left = texts(tmp_path, "My report,,\nfrom,2020,\nnumber,who,what\n1,ann,words\n", columns=own)
    assert found == ["words"] and not left


def test_quotes_behind_backslashes_are_quotes_where_else_rows_would_break(tmp_path):
    found, _ = texts(tmp_path, f'{HEADER}\n1,"say \\"hi\\", you",7,2020-09-13\n2,"C:\\\\new",7,2020-09-13\n')
    assert found == ['say "hi", you', "C:\\new"]
    found, _ = texts(tmp_path, f'{HEADER}\n1,"ends in \\",7,2020-09-13\n2,"and ""more"" of\\",7,2020-09-13\n')
    assert found == ["ends in \\", 'and "more" of\\']


def test_tables_that_were_joined_repeat_their_header_and_mark(tmp_path):
    found, left = texts(tmp_path, f"\ufeff{TABLE}\ufeff{HEADER}\n5,words 5,7,2020-09-13\n")
    assert found == [f"words {n}" for n in range(1, 6)] and [why.endswith("the header again") for why in left] == [True]


def test_rows_are_numbered_as_a_spreadsheet_does_below_a_title_too():
    data = f"A title\n\n{HEADER}\n{ROWS[0]}\n\nbroken\n".encode()
    how = layout(data, lambda names: "author_id" in names)
    rows = list(table(io.BytesIO(data), how))
    assert [number for number, _ in rows] == [4, 6] and str(rows[1][1]) == "1 columns, expected 4"


def test_what_spark_leaves_beside_the_parts_of_a_table_is_nothing(tmp_path):
    for year in (2020, 2021):
        part = tmp_path / f"posts/year={year}/part-0.parquet"
        part.parent.mkdir(parents=True)
        pq.write_table(pa.table({"post_id": [f"{year}"], "user_id": ["u"], "text": ["x"], "image": ["a"]}), part)
    for beside in ("_SUCCESS", "_metadata", "_committed_123"):
        (tmp_path / "posts" / beside).write_bytes(b"PAR1" if beside == "_metadata" else b"")
    _, posts, _, rejected = run(tmp_path, tmp_path / "posts")
    assert [post["post_id"] for post in posts] == ["2020", "2021"] and not rejected


def test_columns_of_parquet_are_read_that_stand_behind_another_name_for_the_same_and_bytes_may_be_text(tmp_path):
    columns = {
        "id": pa.array([1_234_567_890_123_456_789]).cast(pa.decimal128(38, 0)),
        "text": pa.array(["words"], pa.large_string()).dictionary_encode(),
        "author_id": pa.array([b"7"]),
        "created_at": ["2020-09-13"],
        "media": [[{"type": "photo", "url": "https://x/m/p%201.jpg?name=large"}]],  # of attachments.media|media
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/p 1.jpg").write_bytes(b"x")
    _, (post,), _, _ = run(tmp_path, tmp_path / "p.parquet", [tmp_path / "pictures"])
    assert (post["post_id"], post["user_id"]) == ("1234567890123456789", "7")
    assert post["image"].endswith("p 1.jpg")


def zipped(path, **files):
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"your_activity/posts_1.html": "<html>", "a.jpg": "x"},
            "web pages, such as your_activity/posts_1.html.*as JSON",
        ),
        ({"ChatExport/messages.html": "<html>"}, "web pages, such as ChatExport/messages.html"),
        ({"inner.zip": "PK"}, r"inner\.zip is a zip within a zip, and damaged: unpack p\.zip, and name the folder"),
        ({"c.csv": "AuthorID,Author,Date,Content,Attachments,Reactions\n"}, "has no ids of messages; export as JSON"),
        ({"s.csv": "From User,Conversation Stream,snTypeColumn\n"}, "say by corpus.columns what holds what"),
    ],
)
def test_what_is_not_read_says_which_form_would_be(tmp_path, files, told):
    with pytest.raises(UserError, match=told):
        run(tmp_path, zipped(tmp_path / "p.zip", **files))


def test_a_zip_with_a_password_is_told_with_what_to_do(tmp_path):
    data = bytearray(zipped(tmp_path / "p.zip", **{"a.jsonl": "{}"}).read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1
    (tmp_path / "p.zip").write_bytes(data)
    _, posts, _, (left,) = run(tmp_path, tmp_path / "p.zip")
    assert not posts and re.search(
        r"a\.jsonl cannot be unpacked .*password.*: unpack all into a folder", left["detail"]
    )


TWEET = '{"id": "%s", "text": "words", "author_id": "7", "created_at": "2020-09-13T12:26:40Z"}'


@pytest.mark.parametrize(
    ("name", "data"),
    [("b.json", b""), ("b.json", b"{not JSON"), ("b.parquet", b"PAR1xxxx"), ("b.jsonl.gz", b"\x1f\x8b damaged")],
)
def test_one_damaged_file_of_a_folder_costs_itself_alone(tmp_path, name, data):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a.jsonl").write_text(TWEET % 1)
    (tmp_path / "f" / name).write_bytes(data)
    _, posts, _, rejected = run(tmp_path, tmp_path / "f")
    assert [post["post_id"] for post in posts] == ["1"] and all(row["reason"] == "unreadable row" for row in rejected)


def test_a_damaged_file_of_a_zip_is_told_and_the_others_are_read(tmp_path):
    data = bytearray(zipped(tmp_path / "p.zip", **{"a.jsonl": TWEET % 1, "b.jsonl": TWEET % 2}).read_bytes())
    data[data.rindex(b"words")] ^= 1
    (tmp_path / "p.zip").write_bytes(data)
    _, posts, _, (left,) = run(tmp_path, tmp_path / "p.zip")
    assert [post["post_id"] for post in posts] == ["1"] and "b.jsonl: damaged, Bad CRC" in left["detail"]


def test_names_of_windows_in_a_zip_are_paths(tmp_path):
    account = 'window.YTD.account.part0 = [{"account": {"accountId": "7", "username": "ann"}}]'
    media = '{"media": [{"type": "photo", "media_url_https": "https://p/E.jpg", "media_url": "http://p/E.jpg"}]}'
    tweet = f'{{"id_str": "1", "full_text": "words", "created_at": "2020-09-13", "extended_entities": {media}}}'
    files = {"account.js": account, "tweets.js": f'window.YTD.tweets.part0 = [{{"tweet": {tweet}}}]'}
    zipped(
        tmp_path / "p.zip",
        **{f"data\\{name}": text for name, text in files.items()},
        **{"data\\tweets_media\\1-E.jpg": "x"},
    )
    _, (post,), _, _ = run(tmp_path, tmp_path / "p.zip")
    assert post["user_id"] == "7" and post["image"].endswith("data/tweets_media/1-E.jpg")
    (tmp_path / "tweets.js").write_text(files["tweets.js"])
    with pytest.raises(UserError, match=r"a file of X's archive: name the zip, or the folder that data is in"):
        run(tmp_path, tmp_path / "tweets.js")


@pytest.mark.parametrize(
    "data",
    [
        f"{HEADER}\n" + "".join(f"{row},\n" for row in ROWS),  # a separator behind each row
        '"' + HEADER.replace(",", '","') + '"\n' + "".join(f'"{n}",{row}\n' for n, row in enumerate(ROWS)),  # by R
        HEADER.replace(",", ", ") + "\n" + "\n".join(ROWS),
    ],
)
def test_columns_without_a_name_and_blanks_around_names(tmp_path, data):
    assert texts(tmp_path, data) == ([f"words {n}" for n in range(1, 5)], [])


def test_what_stands_behind_the_last_separator_is_not_cut_short_in_silence(tmp_path):
    many = "".join(f"{n},words {n},7,2020-09-13,\n" for n in range(60))
    found, left = texts(tmp_path, f"{HEADER}\n{many}60,words, with more,7,2020-09-13\n")
    assert len(found) == 60 and [why.partition(": ")[2] for why in left] == ["5 columns, expected 4"]


def test_a_quote_that_is_never_closed_is_told(tmp_path):
    _, (left,) = texts(tmp_path, f'{HEADER}\n9,"words,7,2020-09-13\n' + "\n".join(ROWS))
    assert left.endswith("2 columns, expected 4, over 5 lines: is a quote never closed?")


def test_ids_are_what_pandas_and_spreadsheets_made_of_them_where_nothing_was_lost(tmp_path):
    rows = '"=""12345678901234567""",words,100001.0,\n2,words,100001,\n3,words,nan,\n4,nan,5,\n5,nan bread,5,\n'
    (tmp_path / "p.csv").write_text(f"{HEADER}\n{rows}")
    _, posts, _, rejected = run(tmp_path, tmp_path / "p.csv")
    assert [(p["post_id"], p["user_id"], p["text"]) for p in posts] == [
        ("12345678901234567", "100001", "words"), ("2", "100001", "words"), ("5", "5", "nan bread")]  # fmt: skip
    assert [row["reason"] for row in rejected] == ["author unknown", "no text and no picture"]


def test_the_first_answers_of_an_api_may_hold_no_post(tmp_path):
    wall = '{"response": {"items": [{"id": 5, "from_id": 7, "owner_id": -9, "date": 1600000000, "text": "x"}]}}'
    (tmp_path / "p.jsonl").write_text(
        f'{{"error": {{"code": 6}}}}\n{{"response": {{"count": 0, "items": []}}}}\n{wall}\n'
    )
    _, (post,), _, rejected = run(tmp_path, tmp_path / "p.jsonl")
    assert post["post_id"] == "-9_5" and len(rejected) == 2


def test_structs_of_parquet_are_recognised_as_objects_of_json_are(tmp_path):
    row = {"type": "tweet", "id": "1", "text": "words", "createdAt": "2020-09-13T12:26:40Z", "likeCount": 4,
           "author": {"userName": "ann", "id": "7"}, "isRetweet": False}  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "p.parquet")
    _, (post,), _, _ = run(tmp_path, tmp_path / "p.parquet")
    assert (post["user_id"], post["likes"]) == ("7", 4)


def test_quotes_are_letters_in_a_table_with_tabs_where_rows_would_hang_together_by_them(tmp_path):
    rows = ['1\t"begins and never ends\t7\t2020-01-01', "2\tplain\t7\t2020-01-01", '3\t5" wide\t7\t2020-01-01']
    data = "\n".join([HEADER.replace(",", "\t"), *rows]) + "\n"
    assert texts(tmp_path, data)[0] == ['"begins and never ends', "plain", '5" wide']
    quoted = data.replace("never ends", 'never ends"\t7\t2020-01-01\n4\t"in\ttabs"')
    assert texts(tmp_path, quoted)[0][0] == "begins and never ends"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_without_a_header_is_separated_by_what_makes_its_columns(tmp_path, mark):
    own = Mapped(post_id="number", user_id="who", text="what", header=["number", "who", "what"])
    found, left = texts(tmp_path, f'1{mark}ann{mark}words\n2{mark}bob{mark}"more{mark} and more"\n', columns=own)
    assert found == ["words", f"more{mark} and more"] and not left


def test_of_columns_of_one_name_the_first_counts(tmp_path):
    found, _ = texts(tmp_path, f"{HEADER},text\n1,words,7,2020-09-13,\n")
    assert found == ["words"]


def test_true_is_true_however_it_is_written(tmp_path):
    head = "id,thread_id,body,author,author_id,timestamp,unix_timestamp,is_retweet,images,language_guess"
    written = ("no", "FALSCH", "TRUE", "t", "VRAI")
    rows = [f"{n},1,words,a,7,2020-09-13,1600000000,{said},,en" for n, said in enumerate(written)]
    (tmp_path / "p.csv").write_text("\n".join([head, *rows]))
    _, posts, _, rejected = run(tmp_path, tmp_path / "p.csv")
    assert [post["post_id"] for post in posts] == ["0", "1"] and [row["reason"] for row in rejected] == ["repost"] * 3


def test_nan_of_python_is_none_and_a_time_that_may_be_two_says_which_are_read(tmp_path):
    lines = [TWEET % 1, (TWEET % 2).replace('"7"', "NaN"), (TWEET % 3).replace('"words"', "NaN")]
    (tmp_path / "p.jsonl").write_text("\n".join([*lines, (TWEET % 4).replace("2020-09-13T", "9/13/2020 ")]))
    _, posts, _, rejected = run(tmp_path, tmp_path / "p.jsonl")
    assert [post["post_id"] for post in posts] == ["1"]
    assert [row["reason"] for row in rejected] == ["author unknown", "no text and no picture", "unreadable row"]
    assert "ISO 8601 and Unix time are, and figures alone with the year first" in rejected[-1]["detail"]


BY_BOTH = {
    "one row is shorter, where all others have a cell more": f"{HEADER}\n" + "".join(
        f"{row},\n" for row in ROWS) + "odd\n5,words 5,7,2020-09-13T12:26:40Z,\n",
    "names of rows with blanks, and a row that is longer": '"' + HEADER.replace(",", '","') + '"\n'
    + "".join(f'" {n} ",{row}\n' for n, row in enumerate(ROWS)) + '"9",9,words,"7",2020-09-13T12:26:40Z,,\n',
    "letters behind a quote": HEADER.replace(",", "\t") + "\n" + "".join(
        f'{n}\t"words" {n}\t7\t2020-09-13T12:26:40Z\n' for n in range(1, 5)),
    "lines in cells between tabs": HEADER.replace(",", "\t") + "\n" + "".join(
        f'{n}\t"words\n{n}"\t7\t2020-09-13T12:26:40Z\n' for n in range(1, 5)),
    "backslashes below a title": f'A title,,,\n{HEADER}\n1,"say \\"hi\\", you",7,2020-09-13\n'
    '2,"C:\\\\new",7,2020-09-13\n',
}  # fmt: skip


@pytest.mark.parametrize("data", BY_BOTH.values(), ids=BY_BOTH)
def test_a_table_is_read_alike_whether_it_is_one_s_own_or_an_export(tmp_path, data):
    found, left = texts(tmp_path, data)
    own = list(read(tmp_path / "p.csv", HEADER.split(","), ()))
    assert [cell.decode() for rows, _ in own for cell in rows["text"].to_pylist()] == found
    assert len(found) >= 2 and sum(refused.num_rows for _, refused in own) == len(left)


def test_a_cell_that_goes_on_behind_what_is_looked_at_keeps_its_quotes():
    whole = "id\tauthor_id\tcreated_at\ttext\n" + "1\t7\t2020-09-13\twords\n" * 2000
    long = '2\t7\t2020-09-13\t"' + "a\n" * 30
    for seen in range(1, len(long)):
        head = whole[:-1].ljust(HEAD - seen - 1, "x") + "\n" + long[:seen]
        assert layout(head.encode(), lambda names: "author_id" in names).quotes, seen


@pytest.mark.parametrize("end", ["", ","])
def test_half_of_an_emoji_is_nothing_and_costs_nothing_else(tmp_path, end):
    said = r'"one \ud83d two \ude00, \ud83d\ude00 and \\ud83d"'
    (tmp_path / "p.jsonl").write_text((TWEET % 1).replace('"words"', said) + end)
    _, (post,), _, rejected = run(tmp_path, tmp_path / "p.jsonl")
    assert post["text"] == "one  two , \N{GRINNING FACE} and \\ud83d" and not rejected


def test_a_line_that_is_nested_without_end_costs_itself_alone(tmp_path):
    (tmp_path / "p.jsonl").write_text("\n".join([TWEET % 1, '{"a":' * 100_000, "[" * 100_000, TWEET % 2]))
    _, posts, _, rejected = run(tmp_path, tmp_path / "p.jsonl")
    assert [post["post_id"] for post in posts] == ["1", "2"]
    assert [row["reason"] for row in rejected] == ["unreadable row"] * 2


def test_tables_called_text_are_read_beside_notes_and_what_is_hidden_is_not(tmp_path):
    files = {
        "posts.txt": TABLE.replace(",", "\t"),
        "lines.txt": TWEET % 9,
        "notes.txt": "[to do] ask ann, and bob",
        "of windows.txt": "more notes".encode("utf-16"),
        ".ipynb_checkpoints/old.jsonl": TWEET % 10,
    }
    (tmp_path / "f").mkdir()
    for name, text in files.items():
        (tmp_path / "f" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "f" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for place in (tmp_path / "f", zipped(tmp_path / "p.zip", **files)):
        _, posts, _, rejected = run(tmp_path, place)
        assert sorted(post["post_id"] for post in posts) == ["1", "2", "3", "4", "9"] and not rejected
