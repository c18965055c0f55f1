"""Brands and edges as people have them, and a table of users beside an export."""

import csv
import json

import pyarrow as pa
import pytest

from pipeline.corpus.sources.exported import ExportedCorpus
from pipeline.exports.interests import Interests, key
from pipeline.running.errors import UserError
from tests.exports.test_parts import run


def tweets(folder):
    rows = [{"id_str": str(k), "full_text": f"words {k}", "created_at": "Sun Sep 13 12:26:40 +0000 2020",
             "user": {"id_str": f"u{k % 3}", "screen_name": f"Name{k % 3}"}} for k in range(6)]  # fmt: skip
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "t.jsonl"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("https://www.instagram.com/Nike/", "nike"),
        ("x.com/nike?lang=en", "nike"),
        ("https://www.tiktok.com/@nike", "nike"),
        *(
            (one, "nike")
            for one in ("HTTPS://X.COM/Nike#top", "https://vk.com/nike", "https://t.me/nike", "Ｎike\u200b")
        ),
        ("https://bsky.app/profile/nike.com", "nike.com"),
        *((one, "just-do") for one in ("https://www.youtube.com/@just-do", "https://www.reddit.com/user/just-do/")),
        *(
            (one, one)
            for one in (
                "https://example.social/users/nike",
                "did:plc:abc",
                "https://x.com/nike/status/1",
                "https://www.youtube.com/watch",
            )
        ),
    ],
)
def test_the_address_of_a_profile_is_its_name_where_names_are_the_same_everywhere(name, meant):
    assert key(name) == meant


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("table", ["target;interest\nnike;Käse\n", 'My brands\n\n"target"\t"interest"\nnike\tKäse\n'])
def test_tables_of_brands_as_spreadsheets_write_them(table, encoding, tmp_path):
    (tmp_path / "brands.csv").write_text(table, encoding)
    (tmp_path / "edges.csv").write_text("user_id,target\nu1,https://www.instagram.com/nike/\nu2,@NIKE\n")
    _, _, users, _ = run(tmp_path, tweets(tmp_path), brands=tmp_path / "brands.csv", edges=tmp_path / "edges.csv")
    assert [user["interests"] for user in users] == [[], ["Käse"], ["Käse"]]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("brands.xlsx", b"PK\3\4\xff", "is a spreadsheet's own file: save its sheet as CSV"),
        ("brands.csv", "target,interest\nmüller,Käse\n".encode("cp1252"), "row 2: not UTF-8; save the file as UTF-8"),
        ("brands.csv", b"brand,category\nnike,sport\n", "no column target; columns found: brand, category"),
        ("brands.csv", b"target,interest\nnike,sport,shoes\n", "row 2: 3 columns, expected 2"),
    ],
)
def test_tables_of_brands_that_cannot_be_read_are_told(name, data, told, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=told):
        run(tmp_path, tweets(tmp_path), brands=tmp_path / name)


def test_a_table_of_users_beside_an_export_names_them_by_id_or_name(tmp_path):
    (tmp_path / "brands.csv").write_text("target,interest\nnike,sport\n")
    (tmp_path / "edges.csv").write_text("user_id,target\nu1,nike\n")
    _, posts, _, _ = run(tmp_path, tweets(tmp_path), brands=tmp_path / "brands.csv", edges=tmp_path / "edges.csv")
    (tmp_path / "own.csv").write_text("user_id,interests,brand\nu0,art;sea,\nName1,art,yes\nnobody,art,\n")
    source = ExportedCorpus(tmp_path / "out", None, tmp_path / "own.csv")
    kept = pa.table({name: [post[name] for post in posts] for name in ("post_id", "user_id")})
    users, refused = source.users(kept)
    assert [tuple(row.values()) for row in users.to_pylist()] == [
        ("u0", ["art", "sea"], False), ("u1", ["art", "sport"], True), ("u2", [], False)]  # fmt: skip
    assert refused["id"].to_pylist() == ["nobody"]


@pytest.mark.parametrize(
    ("cell", "interests"),
    [
        *(("sport;shoes", ["shoes", "sport"]), ("sport | shoes", ["shoes", "sport"]), ("R&amp;B", ["R&B"])),
        *(('["sport", "shoes", null]', ["shoes", "sport"]), ("[sport", ["[sport"]), ("food, drink", ["food, drink"])),
        *(("nan", []), ("N/A", []), (";", [])),
    ],
)
def test_a_brand_may_have_several_interests_in_a_cell(cell, interests, tmp_path):
    with (tmp_path / "brands.csv").open("w") as file:
        csv.writer(file).writerows([("target", "interest"), ("nike", cell)])
    (tmp_path / "edges.csv").write_text("user_id,target\nu1,nike\n")
    told = Interests(tmp_path / "brands.csv")
    told.read(tmp_path / "edges.csv")
    assert told.of("u1") == interests
