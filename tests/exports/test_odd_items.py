"""One odd item among many of a document costs itself alone: the others come, and it has its reason."""

import json

import pytest

from pipeline.exports.sources import document
from tests.exports.test_formats import converted
from tests.exports.truth import truth
from tests.exports.writers import appview, redcaps, telegram, twarc_pages


def spoil(place, change):
    """Apply `change` to the first JSON document below `place` that it knows; True where it did."""
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.suffix in (".json", ".jsonl"))
    for path in files:
        lines = path.read_text().split("\n") if path.suffix == ".jsonl" else [path.read_text()]
        for at, line in enumerate(lines):
            held = document(line.encode(), path.name) if line.strip() else None
            if held is not None and change(held):
                lines[at] = json.dumps(held)
                path.write_text("\n".join(lines))
                return True
    return False


def of_feed(held):
    held["feed"][2]["post"]["author"] = None
    return True


def of_page(held):
    if len(held.get("data", [])) < 2:
        return False
    held["data"][1] = {"id": "7", "text": None, "created_at": "not a time", "author_id": "1"}
    return True


def of_chat(held):
    messages = held["chats"]["list"][0]["messages"] if "chats" in held else held["messages"]
    message = next(m for m in messages if m.get("type") == "message")
    message.update(date="not a time", date_unixtime="not a time")
    return True


def of_annotations(held):
    held["annotations"][1]["created_utc"] = "not a time"
    return True


@pytest.mark.parametrize(
    ("writer", "change"),
    [(appview, of_feed), (twarc_pages, of_page), (telegram, of_chat), (redcaps, of_annotations)],
    ids=lambda one: one.__name__,
)
def test_an_odd_item_costs_itself_alone(writer, change, tmp_path):
    posts, tables = truth(), []
    for folder in (tmp_path / "whole", tmp_path / "odd"):
        (folder / "export").mkdir(parents=True)
        written = writer(folder / "export", posts)
        if folder.name == "odd":
            assert spoil(written.posts, change)
        tables.append(converted(folder, written)[1])
    whole, odd = ({row["post_id"] for row in held["posts"]} for held in tables)
    assert odd <= whole and len(whole - odd) <= 1 and len(odd) > 10
    unreadable = [[r for r in held["rejected"] if r["reason"] == "unreadable row"] for held in tables]
    assert len(unreadable[1]) == len(unreadable[0]) + 1
