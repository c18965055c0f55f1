"""What people export of their own: chats of WhatsApp, in the forms of phones and languages, and TikTok's download."""

import json
import zipfile
from datetime import UTC, datetime

import pytest

from pipeline.exports.platforms.whatsapp import KIND, WITHOUT_TIMES, chat
from pipeline.exports.posts import Post
from tests.exports.test_parts import run

MARK, NARROW = "\u200e", "\u202f"


def said(*lines):
    """Kind, and (author, text, time) of each message of a chat."""
    kind, found = chat("\n".join(lines).encode(), "_chat.txt")
    posts = [one for one in found if isinstance(one, Post)]
    at = [
        None if p.created_at is None else datetime.fromtimestamp(p.created_at / 1e6, UTC).isoformat()[:19]
        for p in posts
    ]
    return kind, [(p.handle, p.text, when) for p, when in zip(posts, at, strict=True)]


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("12/24/19, 11:23 - {}", "2019-12-24T11:23:00"),
        (f"2/14/23, 10:35{NARROW}PM - {{}}", "2023-02-14T22:35:00"),
        (f"{MARK}[14/10/2021, 12:34:09{NARROW}AM] {{}}", "2021-10-14T00:34:09"),
        ("20/6/2017 8:28 p.\u00a0m. - {}", "2017-06-20T20:28:00"),
        ("22.08.18, 14:42 - {}", "2018-08-22T14:42:00"),
        ("[07.03.26, 21:22:39] {}", "2026-03-07T21:22:39"),
        ("[12.3.2022 klo 14.08.18] {}", "2022-03-12T14:08:18"),
        ("30/08/25 18.00 - {}", "2025-08-30T18:00:00"),
        ("[2020-05-01, 12:00:01] {}", "2020-05-01T12:00:01"),
        ("[2020/5/1 下午3:04:05] {}", "2020-05-01T15:04:05"),
        ("2020. 5. 1. 오후 3:04 - {}", "2020-05-01T15:04:00"),
        ("20. 5. 31. 오전 12:04 - {}", "2020-05-31T00:04:00"),
        ("\u200f٣١\u200f/١٢\u200f/٢٠٢٠, ١٢:٠٠ م - {}", "2020-12-31T12:00:00"),
        ("31/5/2563 13:00 - {}", "2020-05-31T13:00:00"),
        ("24.12.2016, 13:59:59: {}", "2016-12-24T13:59:59"),
        ("13.03.21 г., 9:45 ч. - {}", "2021-03-13T09:45:00"),  # Bulgarian
        ("13. 3. 21 09:45 - {}", "2021-03-13T09:45:00"),  # Slovenian: behind a year of two figures stands no dot
        ("[9:45 pm, 13/3/2021] {}", "2021-03-13T21:45:00"),  # copied out of WhatsApp's page
        ("09:45, 13/03/2021 - {}", "2021-03-13T09:45:00"),  # Vietnamese
    ],
)
def test_a_time_is_read_as_the_phone_wrote_it(line, when):
    assert said(line.format("Ann B: words: more"), "of them") == (KIND, [("Ann_B", "words: more\nof them", when)])


def test_day_and_month_are_told_apart_by_the_whole_chat_or_not_at_all():
    first, second = "3/4/24, 10:00 - Ann: a", "5/4/24, 10:00 - Ann: b"
    assert said(first, second) == (WITHOUT_TIMES, [("Ann", "a", None), ("Ann", "b", None)])
    day, month = "13/4/24, 10:00 - Ann: c", "5/13/24, 10:00 - Ann: c"
    assert [when[:10] for *_, when in said(first, second, day)[1]] == ["2024-04-03", "2024-04-05", "2024-04-13"]
    assert [when[:10] for *_, when in said(first, second, month)[1]] == ["2024-03-04", "2024-05-04", "2024-05-13"]
    # Or by their order: the first of October is after the tenth of September, but the tenth of January before it.
    assert [when[:10] for *_, when in said("9/10/22, 10:00 - A: a", "10/1/22, 10:00 - A: b")[1]] == [
        "2022-09-10", "2022-10-01"]  # fmt: skip
    assert said("3.4.24, 10:00 - Ann: a")[1][0][2][:10] == "2024-04-03"  # with dots the day is always first


def test_what_is_whatsapps_own_is_no_text():
    _, posts = said(
        "12/24/19, 11:23 - Messages and calls are end-to-end encrypted. Tap to learn more.",
        '12/24/19, 11:23 - +12 345 5781 created group "Group: name"',
        "12/24/19, 11:23 - Ann changed the subject from “A” to “B: C”",
        "12/24/19, 11:24 - Ann: <Media omitted>",
        "12/24/19, 11:24 - Ann: <Medien ausgeschlossen>",
        "12/24/19, 11:24 - Ann: Se eliminó este mensaje.", "12/24/19, 11:24 - Ann: Essa mensagem foi apagada",
        "12/24/19, 11:24 - Ann: null",
        "12/24/19, 11:24 - Ann: Location: https://maps.google.com/?q=51.5,-0.09",
        "12/24/19, 11:25 - Ann: POLL:", "Which day?", "OPTION: Monday (1 vote)", "OPTION: Sunday (2 votes)",
        "12/24/19, 11:26 - Ann: [10/05/20, 12:03] Bob: pasted",
        "12/24/19, 11:26 - Ann: I <3 this <This message was edited>",
        "12/24/19, 11:26 - Ann: so <Diese Nachricht wurde bearbeitet.>",
        "12/24/19, 11:27 - Ann: an image omitted by hand",
        "12/24/19, 11:28 - Ann: see <the old house>", "there",
    )  # fmt: skip
    assert [text for _, text, _ in posts] == [
        "Which day?", "[10/05/20, 12:03] Bob: pasted", "I <3 this", "so", "an image omitted by hand",
        "see <the old house>\nthere"]  # fmt: skip
    _, posts = said(
        f"[24.12.19, 11:23:01] Family: {MARK}Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt.",
        f"{MARK}[24.12.19, 11:23:02] Ann: {MARK}Bild weggelassen",
        "[24.12.19, 11:23:03] \u202a+49\u00a0151\u00a02345678\u202c: to @\u2068Ann Bo\u2069",
        f"[24.12.19, 11:23:04] ~{NARROW}Cy: so {MARK}<Diese Nachricht wurde bearbeitet>",
    )
    assert [post[:2] for post in posts] == [("491512345678", "to @Ann_Bo"), ("Cy", "so")]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part", [" ", "<", "(1 ", "end-to-end encrypted ", "\n\u200e", "a.b (", "1/1/20, 1:2 - ", "@\u2068"]
)
def test_a_hostile_message_costs_no_more_than_others_of_its_length(part):
    begin = "12/24/19, 11:23 - Ann: POLL:\nx\nab: "
    for text in (part * (200_000 // len(part)), begin + part * (200_000 // len(part))):
        said("12/24/19, 11:22 - Ann: a", f"12/24/19, 11:23 - Ann: {text}", "12/24/19, 11:24 - Ann: b")


def test_chats_come_with_their_pictures_and_once(tmp_path):
    day = "24/12/19, 11:"
    android = [f"{day}23 - Ann B: IMG-1.jpg (Datei angehängt)", "below the picture",
               f"{day}23 - Bo: VID-2.mp4 (Datei angehängt)", f"{day}24 - Bo: IMG-9.jpg (Datei angehängt)",
               f"{day}24 - Bo: STK-3.webp (Datei angehängt)", f"{day}24 - Bo: ok", f"{day}24 - Bo: ok",
               f"{day}25 - Bo: later"]  # fmt: skip
    ios = [f"[12/24/19, 11:23:00{NARROW}AM] Ann B: before it {MARK}<attached: 0001-PHOTO-2019.jpg>",
           f"{MARK}[12/24/19, 11:23:05{NARROW}AM] Ann B: {MARK}<attached: 0002-AUDIO-2019.opus>"]  # fmt: skip
    folder = tmp_path / "donations"
    folder.mkdir()
    chats = {"a": android, "again": [*android, f"{day}26 - Bo: new"], "b": ios}
    for name, rows in chats.items():
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as packed:
            packed.writestr("_chat.txt" if rows is ios else "WhatsApp Chat mit Bo.txt", "\r\n".join(rows))
            for file in ("0001-PHOTO-2019.jpg",) if rows is ios else ("IMG-1.jpg", "VID-2.mp4", "STK-3.webp"):
                packed.writestr(file, name)
    (folder / "notes.txt").write_text("not a chat")
    metrics, posts, users, rejected = run(tmp_path, folder)
    assert metrics["recognised"] == {KIND: 3} and metrics["users_known_by_name_alone"] == 2
    assert sorted((p["user_id"], p["text"], (p["image"] or "").rpartition("!/")[2]) for p in posts) == [
        ("ann_b", "before it", "0001-PHOTO-2019.jpg"), ("ann_b", "below the picture", "IMG-1.jpg"),
        ("bo", "later", ""), ("bo", "new", ""), ("bo", "ok", ""), ("bo", "ok", "")]  # fmt: skip
    assert metrics["rows_in"] == len(posts) + len(rejected) and [u["name"] for u in users] == ["Ann_B", "Bo"]
    assert "WhatsApp" not in json.dumps([p["post_id"] for p in posts])  # whose chat it was stands in no id


def test_a_chat_alone_beside_its_pictures(tmp_path):
    (tmp_path / "WhatsApp Chat with Bo.txt").write_text("1/31/20, 1:23 - Bo: IMG-1.jpg (file attached)\n")
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "IMG-1.jpg").write_bytes(b"x")
    _, (post,), _, _ = run(tmp_path, tmp_path / "WhatsApp Chat with Bo.txt", [tmp_path / "media"])
    assert post["image"].endswith("IMG-1.jpg") and post["created_at"].isoformat() == "2020-01-31T01:23:00"


def test_a_download_of_tiktok_gives_its_public_titles_and_comments(tmp_path):
    video = {"Date": "2024-01-02 03:04:05", "Likes": "12", "Title": "my title", "WhoCanView": "Public"}
    shown = {**video, "Date": "2024-01-03 03:04:05", "WhoCanView": "Friends"}
    named = {"Profile Info": {"ProfileMap": {"userName": "ann"}}, "Following": {"Following": [{"UserName": "bo"}]}}
    said = [{"date": "2024-02-02 00:00:00", "comment": "so true", "url": "N/A"}, {"date": "2024-02-03 00:00:00"}]
    secret = {"Direct Messages": {"ChatHistory": {"Chat with bo:": [{"Content": "secret"}]}}}
    new = {"Your Activity": {}, "Profile And Settings": named, "Post": {"Posts": {"VideoList": [video, shown]}},
           "Comment": {"Comments": {"CommentsList": said}}, "Direct Message": secret}  # fmt: skip
    once = {"Date": "2021-01-02 03:04:05", "Link": "l", "Likes": "0"}
    old = {"Activity": {}, "Profile": {"Profile Information": {"ProfileMap": {"userName": "cy"}}},
           "Video": {"Videos": {"VideoList": [once]}},
           "Comment": {"Comments": {"CommentsList": [{"Date": "2021-02-02 00:00:00", "Comment": "x"}]}}}  # fmt: skip
    folder = tmp_path / "in"
    folder.mkdir()
    for name, held in (("user_data_tiktok.json", new), ("user_data.json", old)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as packed:
            packed.writestr(name, json.dumps(held))
    brands = tmp_path / "brands.csv"
    brands.write_text("target,interest\nbo,sports\n")
    metrics, posts, _, rejected = run(tmp_path, folder, brands=brands)
    assert metrics["recognised"] == {"TikTok, a person's download": 2} and metrics["edges"] == {"follow": 1}
    assert [(p["user_id"], p["text"], p["likes"]) for p in sorted(posts, key=lambda p: p["created_at"])] == [
        ("cy", "x", None), ("ann", "my title", 12), ("ann", "so true", None)]  # fmt: skip
    assert sorted(row["reason"] for row in rejected) == ["no text and no picture", "not a post", "private"]
    assert "secret" not in json.dumps([*posts, *rejected], default=str)
