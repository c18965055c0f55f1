"""A text as its author saw it: HTML as the text that it shows, entities resolved, double encoding undone.

Some platforms give a post as HTML (Mastodon, WordPress, Tumblr), some exports escape it once more. A text is HTML where
a tag of HTML stands in it as the standard writes one; where it came escaped, only a pair of tags is, since people write
<b> when they mean it. Elements that begin a line part words; others do not: #<span>bridge</span> is a hashtag. Scripts,
styles and comments are not shown. What Slack and Discord write as <#C02ABCDEF9|general>, and VK as [id1|Ann], is a
name, of an emoji, a time or an address too; an address's label stays, and so does what stands between the tags of
forums (BBCode). LinkedIn's hashtag#cats and Weibo's #cats# are #cats, chats' :sunny: is the emoji that they show for
it, and a picture in letters (base64) is no word. What programs escaped tells `pipeline.text.escapes`.
"""

import html
import re

import ftfy
from ftfy.badness import is_bad
from lxml import etree

from pipeline.common.links import NAMED
from pipeline.text.emoji import of_code
from pipeline.text.escapes import unescaped

# Those that every browser knows without their semicolon, too; not within a link's query.
ENTITY = re.compile(
    r"&(?:(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});|(?:amp|quot|nbsp|lt|gt|#\d{2,7})(?![a-z0-9=;]))",
    re.IGNORECASE,
)
_INLINE = "a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|rp|rt|ruby|s|samp|small|span|strike|strong|sub|sup|time|tt|u|var|wbr"  # noqa: E501
_BLOCK = "address|article|aside|audio|blockquote|body|br|button|caption|center|dd|details|div|dl|dt|embed|figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|img|input|label|li|link|main|meta|nav|noscript|object|ol|option|p|param|picture|pre|script|section|select|source|style|summary|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|ul|video"  # noqa: E501
# What may stand in a tag is bounded, so that time stays linear. One that a cut left open at the end has an attribute.
OPENED = rf"<({_INLINE}|{_BLOCK})(?:\s[^<>]{{0,2000}})?/?>"
CLOSED = rf"</({_INLINE}|{_BLOCK})\s*>"
TAG = re.compile(rf"{OPENED}|{CLOSED}|<[a-z]+\s[^<>]{{0,2000}}=[^<>]{{0,2000}}$|<!--|<!doctype ", re.IGNORECASE)
HIDDEN = ("script", "style", "head", "template")
PARTS = re.compile(_BLOCK, re.IGNORECASE)

CHAT = re.compile(
    r"<(?:[@#][!&]?|a?:\w{2,32}:)(?:[A-Z][A-Z0-9]{8,14}|\d{15,22})(?:\|[^<>]{0,80})?>"
    r"|<https?:[^\s<>|]{1,2000}\|(?=[^<>]{1,2000}>)|<t:-?\d{1,13}(?::[tTdDfFR])?>"
    rf"|<!subteam\^[A-Z0-9]{{9,15}}(?:\|[^<>]{{0,80}})?>|</[\w -]{{1,80}}:\d{{15,22}}>|{NAMED.pattern}"
    r"|<!(?:channel|everyone|here)(?:\|[^<>]{0,80})?>|data:image/[\w.+-]{1,20};base64,[A-Za-z0-9+/=]*"
)
LINKEDIN = re.compile(r"\{hashtag\|\\?#\|(\w{1,200})\}|(?<!\w)hashtag#(?=\w)")
FORUM = re.compile(
    r"\[/?(?:b|i|u|s|url|img|quote|code|color|size|font|center|list|spoiler)(?:=[^][]{0,2000})?\]", re.IGNORECASE
)
# Names of emoji as chats write them; 10:30:45 is none.
CODE = re.compile(r":(?<!\w:)[a-z0-9_+-]{2,40}:(?!\w)")
# Weibo and Xiaohongshu close a topic by a second sign.
TOPIC = re.compile(r"#([^#\s]{0,59}\w)#(?=\w)")
CLOSED_TOPIC = re.compile(r"(?<=\w)\[(?:话题|超话)\]#?")
HAN, OTHER_THAN_HAN = re.compile("[\u4e00-\u9fff]"), re.compile("[\u3041-\u30ff\uac00-\ud7af]")
LISTED_TAGS = re.compile(r"(?:#[^#\s]+){3}")


def shown(text: str) -> str:
    """The text that is shown: HTML as its text, entities resolved (twice, where they were escaped twice), and double
    encoding undone.
    """
    text = unescaped(text)
    text = CHAT.sub(" ", text)
    text = LINKEDIN.sub(r"#\1", text)
    if ":" in text:
        text = CODE.sub(lambda found: of_code(found[0]), text)
    if "#" in text and HAN.search(text):
        text = _topics(text)
    if "[/" in text:
        text = FORUM.sub(" ", text)
    if "<" in text and TAG.search(text):
        text = _without_tags(text)
    for _ in range(2):
        if "&" in text:
            text = ENTITY.sub(lambda found: html.unescape(found[0]), text)
            if "<" in text and _has_pair(text):
                text = _without_tags(text)
    # ftfy looks at nothing that does not look broken, but takes ten times as long to say so.
    return ftfy.fix_encoding(text) if not text.isascii() and is_bad(text) else text


def _topics(text: str) -> str:
    """A text with topics of Weibo (#猫#很好) as hashtags.

    Tags that are listed without blanks, as on Instagram, stay. The two look alike; an odd number of signs, three tags
    in a row, or kana and Hangul tell the latter.
    """
    text = CLOSED_TOPIC.sub(" ", text)
    if text.count("#") % 2 or OTHER_THAN_HAN.search(text) or LISTED_TAGS.search(text):
        return text
    return TOPIC.sub(lambda found: f" #{found[1]} " if HAN.search(found[1]) else found[0], text)


def _has_pair(text: str) -> bool:
    opened, closed = ({name.lower() for name in re.findall(tag, text, re.IGNORECASE)} for tag in (OPENED, CLOSED))
    return not opened.isdisjoint(closed | {"br"})


def _without_tags(text: str) -> str:
    """What HTML shows, as a parser for browsers' kind of HTML reads it."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    # A NUL would end the text.
    data = f"<div>{text}</div>".replace("\0", " ").encode()
    root = etree.fromstring(data, parser)
    parts: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        hidden = element.tag in HIDDEN
        if not hidden and PARTS.fullmatch(str(element.tag)):
            parts.append("\n")
        if event == "start":
            parts.append("" if hidden else element.text or "")
        else:
            parts.append(element.tail or "")
    return "".join(parts)
