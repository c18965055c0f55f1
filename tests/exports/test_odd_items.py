"""Odd items: one among many of a document costs itself alone, with its reason; and what is of nobody's words."""

import json

import pytest

from pipeline.exports.posts import of_reddit, plain
from pipeline.exports.sources import document
from tests.exports.test_formats import converted
from tests.exports.test_parts import run
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


LINK = '<a href="https://o.s/9"><span class="invisible">https://</span><span class="ellipsis">o.s</span></a>'


@pytest.mark.parametrize(
    "html",
    [f'<p class="quote-inline">RE: {LINK}</p><p>words</p>',
     f'<p>words<span class="quote-inline"><br/><br/>RE: {LINK}</span></p>',
     f'<p>words</p><p class="quote-inline"><span class="quote-inline"><br>RE: {LINK}</span></p>'],
)  # fmt: skip
def test_the_link_that_stands_for_a_quote_is_not_of_its_author(html):
    assert plain(html) == "words"


def test_gifs_and_emotes_of_reddit_are_no_words_but_its_pictures_in_a_text_are_pictures(tmp_path):
    assert of_reddit("![gif](giphy|abc|downsized) so ![img](emote|t5_2th52|4271)") == "so"
    media = {"p": {"e": "Image", "s": {"u": "https://preview.redd.it/p.jpg?s=1"}}, "giphy|q": {"e": "AnimatedImage"}}
    thing = {"id": "abc", "subreddit": "s", "author": "ann", "created_utc": 1_600_000_000, "title": "see",
             "selftext": 'this\n\n![img](p "a cat")', "media_metadata": media}  # fmt: skip
    (tmp_path / "r.jsonl").write_text(json.dumps(thing))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/p.jpg").write_bytes(b"x")
    _, (post,), *_ = run(tmp_path, tmp_path / "r.jsonl", [tmp_path / "pictures"])
    assert post["text"] == "see\nthis" and post["image"].endswith("p.jpg") and not post["missing_images"]
