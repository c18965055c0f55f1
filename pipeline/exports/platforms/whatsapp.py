"""WhatsApp: an exported chat, a text file with the media beside it, as Android and iOS write it in any language.

A message begins with its time, which is written as the phone writes times; what else a line says is a further line of
the message. The order of day and month is that in which all dates of the file exist, or else in which they follow each
other; if it remains open, the messages have no time. Who wrote is a name in somebody's address book, or a number.

The export says nothing of a message but this. Its id is therefore a hash of who wrote what and when, so that two
exports of one chat give a message once.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from pipeline.exports.posts import NOT_A_POST, Found, Left, Post, Shown
from pipeline.exports.resolving import ENDINGS
from pipeline.exports.sources import Tree

_MARKS = "\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
"""Signs of direction; U+200E is also what WhatsApp for iOS puts before its own words."""
_S = rf"[\s{_MARKS}]*"
_WORD = r"[^\W\d_][^\d\[\]:]{0,11}?"
"""What stands beside a time: the half of the day, or a word (klo, um)."""
_BEGIN = re.compile(
    rf"[{_MARKS}]*(?P<opened>\[?){_S}(?P<a>\d{{1,4}}){_S}(?P<mark>[./\-年년] ?){_S}(?P<b>\d{{1,2}}){_S}[./\-月월]{_S}"
    rf"(?P<c>\d{{1,4}}){_S}(?P<dot>[.日일])?(?:{_S}г\.)?{_S}[,،]?{_S}(?P<word>{_WORD})?{_S}(?P<hour>\d{{1,2}})[:.](?P<minute>\d\d)"
    rf"(?:[:.](?P<second>\d\d))?(?:{_S}(?P<half>{_WORD}))?{_S}"
    rf"(?P<closed>\]|[ {_MARKS}][-–][ {_MARKS}]|:(?=[ {_MARKS}]))[ {_MARKS}]?(?P<rest>.*)",
    re.DOTALL,
)
_TIME_FIRST = re.compile(
    r"^(\[?)(\d{1,2}:\d\d(?:\s?[ap]\.?\s?m\.?)?), (\d{1,4}[./-]\d{1,2}[./-]\d{1,4})(?=\] | - )",
    re.MULTILINE | re.IGNORECASE,
)
"""`[9:45 am, 13/3/2021]`: what is copied out of WhatsApp's page, and the order of Vietnamese."""
_AUTHOR = re.compile(r"([^\n]{1,100}?):(?:\s|$)(.*)", re.DOTALL)
_MORNING = "am a vorm 上午 午前 凌晨 清晨 早上 오전 ص قظ πμ öö sa pg fm पूर्वाह्न"
_AFTERNOON = "pm p nachm 下午 午後 中午 晚上 오후 م بظ μμ ös ch ptg em अपराह्न"
_HALVES = dict.fromkeys(_MORNING.split(" "), 0) | dict.fromkeys(_AFTERNOON.split(" "), 12)
"""The halves of the day, without dots and blanks, and what they add to an hour."""
_HOURS = {"ч", "h", "uhr"}
"""What is written behind a time and says only that it is one."""
_QUOTED = re.compile(r"[\"“”„«»「『]")
"""In what would be an author: `Ann changed the subject to “a: b”` has none."""
_NUMBER = re.compile(r"\+?[\d_().-]{7,}")
_ATTACHED = (
    re.compile(rf"(?P<text>.*?)[{_MARKS}]*<[^<>:\n]{{2,30}}:{_S}(?P<file>[^<>\n]+\.\w{{2,5}})>{_S}", re.DOTALL),  # iOS
    re.compile(rf"[{_MARKS}]*(?P<file>[^\n]{{1,200}}?\.\w{{2,5}}) \([^()\n]{{3,40}}\)(?P<text>(?:\n.*)?)", re.DOTALL),
)
_STICKER = re.compile(r"STK-|.*-STICKER-")
_VIDEOS = (".mp4", ".mov", ".3gp", ".webm")
_LEFT_OUT = re.compile(rf"\A[{_MARKS}]*<[^<>:.\n]{{4,40}}>{_S}(?:\n|$)")
"""`<Media omitted>`, in whatever language: Android's export without media; what was written below a picture follows."""
_EDITED = re.compile(
    r"\u200e<[^<>:\n]{1,80}>$"
    r"|<[^<>:\n]{0,40}(?:was edited|bearbeitet|editó|editad[oa]|modifié|modificato|bewerkt|изменено|düzenlendi)\.?>$"
)
_POLL = re.compile(
    rf"[{_MARKS}]*[^\W\d_]{{3,14}}:\n(?P<text>[^\n]+)(?:\n[{_MARKS}]*[^\W\d_]{{3,14}}: [^\n]*\(\d+ [^\n]+\))+"
)
_PLACE = re.compile(r"[^\n]{0,300}https://(?:maps\.google\.com/\?q=|foursquare\.com/v/)\S+")
_OWN_WORDS = re.compile(
    r"null|waiting for this message.*|.*end-to-end encrypted.*whatsapp.*|(?:missed )?(?:voice|video) call.*"
    r"|(?:image|video|audio|gif|sticker|document|contact card) omitted"
    r"|(?:bild|video|audio|gif|sticker|dokument|kontaktkarte) (?:weggelassen|ausgelassen)"
    r"|(?:imagen|video|audio|gif|sticker|documento|tarjeta de contacto) omitid[oa]"
    r"|(?:image|vidéo|audio|gif|sticker|document|fiche contact) (?:absente?|omise?|retirée?|manquante?)"
    r"|(?:immagine|video|audio|gif|sticker|documento|scheda contatto) (?:omess[oa]|esclusa|non inclus[oa])"
    r"|(?:imagem|vídeo|áudio|gif|figurinha|documento|cartão do contato) ocultad?[oa]"
    r"|(?:this message was|you) deleted(?: this message)?|(?:diese nachricht wurde|du hast diese nachricht) gelöscht"
    r"|(?:se eliminó|eliminaste) este mensaje|ce message a été supprimé|vous avez supprimé ce message"
    r"|(?:questo messaggio è stato eliminato|hai eliminato questo messaggio)"
    r"|(?:es[st]a mensagem foi apagada|mensagem apagada|você apagou es[st]a mensagem)"
    r"|bu mesaj silindi|bu mesajı sildiniz|pesan ini (?:telah )?dihapus|anda (?:telah )?menghapus pesan ini"
    r"|(?:dit bericht is verwijderd|u hebt dit bericht verwijderd|je hebt dit bericht verwijderd)"
    r"|данное сообщение удалено|вы удалили данное сообщение",
    re.IGNORECASE | re.DOTALL,
)
"""Words of WhatsApp's own that stand without its sign before them, in the languages that are known here."""
_LONG = 2000
"""Letters from which on a message is a person's."""
_MENTION = re.compile(r"@\u2068([^\u2069\n]{1,60})\u2069")
_LATE = timedelta(days=2)
"""By how much a message may stand after a later one, as a phone had no network."""
Day = Callable[[int, int, int], tuple[int, int, int]]
_ORDERS: dict[str, Day] = {
    "day first": lambda a, b, c: (c, b, a),
    "month first": lambda a, b, c: (c, a, b),
    "year first": lambda a, b, c: (a, b, c),
}
BEGINNING = 400
"""Bytes of a file that tell whether it is a chat."""
KIND, WITHOUT_TIMES = "WhatsApp, a chat", "WhatsApp, a chat whose days and months cannot be told apart: without times"


class _Message(NamedTuple):
    begin: re.Match[str]
    rest: str
    row: int


def is_chat(head: bytes) -> bool:
    """Whether a file begins with a message."""
    return bool(_BEGIN.match(_date_first(head[:BEGINNING].decode("utf-8", "replace"))))


def _date_first(text: str) -> str:
    """A chat with each date before its time."""
    return _TIME_FIRST.sub(r"\1\3, \2", text)


def chat(data: bytes, path: str, tree: Tree | None = None, folder: str = "") -> tuple[str, Found]:
    """What the file at `path` is, and its messages; its media lie in `folder` of `tree`, or elsewhere."""
    messages = list(_messages(_date_first(data.decode("utf-8-sig", "replace"))))
    order = _order([one.begin for one in messages])
    kind = KIND if order or not messages else WITHOUT_TIMES
    return kind, _posts(messages, order, path, tree, folder)


def _messages(text: str) -> Iterator[_Message]:
    """The messages of a chat; what looks like the beginning of one, but otherwise than the first, was pasted."""
    begin, rest, row, style = None, [""], 0, None
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        found = _BEGIN.match(line)
        seen = (found["opened"], found["closed"].strip(" " + "\u200e\u200f"), found["mark"]) if found else None
        if found and seen == (style := style or seen) and _exists(found):
            if begin:
                yield _Message(begin, "\n".join(rest), row)
            begin, rest, row = found, [found["rest"]], number
        else:
            rest.append(line)
    if begin:
        yield _Message(begin, "\n".join(rest), row)


def _numbers(begin: re.Match[str]) -> tuple[int, int, int]:
    return int(begin["a"]), int(begin["b"]), int(begin["c"])


def _moment(begin: re.Match[str], order: Day) -> datetime | None:
    """The time of a message; None where there is no such day."""
    year, month, day = order(*_numbers(begin))
    year += 2000 if year < 100 else -543 if 2550 < year < 2650 else 0  # the Buddhist era
    hour = int(begin["hour"])
    for side in ("word", "half"):
        mark = re.sub(r"[\s._]", "", _without_marks(begin[side] or "")).lower()
        if mark in _HALVES:
            hour = hour % 12 + _HALVES[mark]
        elif mark and side == "half" and mark not in _HOURS:
            return None
    if not 2009 <= year < 2100:
        return None
    try:
        return datetime(year, month, day, hour, int(begin["minute"]), int(begin["second"] or 0), tzinfo=UTC)
    except ValueError:
        return None


def _exists(begin: re.Match[str]) -> bool:
    return any(_moment(begin, order) for order in _ORDERS.values())


def _order(begins: list[re.Match[str]]) -> Day | None:
    """How the dates of a file are written, or None where that may be more than one way."""
    begun, ended = (max((len(one[part]) for one in begins), default=0) for part in "ac")
    names = ["year first"] if begun == 4 else ["day first", "month first"]
    if begins and begins[0]["mark"] == ". " and begins[0]["dot"] and ended < 4:  # 20. 5. 1., in Korea
        names = ["year first"] if begins[0]["word"] in ("오전", "오후") else [*names, "year first"]
    read = {name: [_moment(one, _ORDERS[name]) for one in begins] for name in names}
    fits = {name: tuple(one for one in times if one) for name, times in read.items() if times and all(times)}
    if len(set(fits.values())) > 1:
        fits = {name: times for name, times in fits.items() if _steady(times)} or fits
    if len(set(fits.values())) > 1 and begins[0]["mark"][0] in ".-":
        fits.pop("month first", None)  # which is written with a slash
    return _ORDERS[next(iter(fits))] if len(set(fits.values())) == 1 else None


def _steady(times: Sequence[datetime]) -> bool:
    """Whether messages follow each other, but for those that came late."""
    return all(later >= earlier - _LATE for earlier, later in pairwise(times))


def _posts(messages: list[_Message], order: Day | None, path: str, tree: Tree | None, folder: str) -> Found:
    same: Counter[str] = Counter()
    for begin, rest, row in messages:
        place = f"row {row} of {path}"
        found = _AUTHOR.fullmatch(rest)
        name = _name(found[1]) if found else ""
        if not found or not name or _QUOTED.search(name):
            yield Left(place, NOT_A_POST, "a notice")
            continue
        when = _moment(begin, order) if order else None
        said = str(when) if when else "-".join(map(str, _numbers(begin)))
        told = hashlib.sha256(f"{name}|{said}|{begin['hour']}:{begin['minute']}|{found[2]}".encode()).hexdigest()[:20]
        same[told] += 1
        post_id = f"{told}-{same[told]}" if same[told] > 1 else told
        text, files = _parts(found[2])
        shown = tuple(
            Shown((tree.picture(folder + file),) if tree else (file,), file.lower().endswith(_VIDEOS))
            for file in files
            if file.lower().endswith(ENDINGS + _VIDEOS) and not _STICKER.match(file)
        )
        if not text and not shown:
            yield Left(post_id, NOT_A_POST, f"{place}: a {'file' if files else 'notice, or media left out'}")
            continue
        number = re.sub(r"\D", "", name) if _NUMBER.fullmatch(name) else None
        created = int(when.timestamp()) * 1_000_000 if when else None
        yield Post(post_id, number, number or name, text, created, shown)


def _name(written: str) -> str:
    """A name as one word, so that a mention of it is one, too; `~` stands before a name that the person chose."""
    return "_".join(_without_marks(written).replace("~", " ").split())


def _parts(said: str) -> tuple[str | None, list[str]]:
    """The text of a message and the files that it has; what is WhatsApp's own is no text."""
    said = _LEFT_OUT.sub("", _EDITED.sub("", said.rstrip()))
    for pattern in _ATTACHED:
        if found := pattern.fullmatch(said):
            return _written(found["text"]), [_without_marks(found["file"]).strip()]
    if len(said) > _LONG:  # WhatsApp's own words are short, and so is a poll
        return _written(said), []
    if poll := _POLL.fullmatch(said):
        return _written(poll["text"]), []
    bare = _without_marks(said).strip()
    if said.startswith("\u200e") or _OWN_WORDS.fullmatch(bare.rstrip(".")) or _PLACE.fullmatch(bare):
        return None, []
    return _written(said), []


def _written(text: str) -> str | None:
    return _without_marks(_MENTION.sub(lambda one: f"@{_name(one[1])}", text)).strip() or None


def _without_marks(text: str) -> str:
    return re.sub(f"[{_MARKS}]", "", text)
