r"""Letters as programs leave them that could not print or store them, read as what was meant.

- JSON escaped once more: where a text has backslashes of JSON alone (`caf\u00e9`, `\n`), and emoji that lost these
  (`ud83dude02`);
- bytes that Python printed, `\xc3\xa9`, in `b'…'` or not, and its `\U0001f600`; JavaScript's `\u{1f600}`;
- what R prints of letters that its locale lacks: `<U+00E9>`, and bytes, `<c3><a9>`;
- backslashes before quotes, as PHP's addslashes and MySQL have them (`don\'t`);
- letters of UTF-8 as bytes of addresses, of mail and of C: `caf%C3%A9`, `caf=C3=A9`, `caf\303\251`;
- subjects of mail (`=?UTF-8?…`), what was quoted for an address as a whole (`a%20b`), carriage returns of workbooks
  (`_x000D_`), colours of terminals.
"""

import contextlib
import re
import sys
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

_CONTROLS = re.compile(r"_x00[01][0-9A-Fa-f]_|\x1b\[[0-9;]{0,12}m")
# Of JSON, and what is hardly: so a text with a path of Windows or with LaTeX is mostly left alone.
_JSON = re.compile(r"((?:\\u[0-9a-fA-F]{4})+)|\\[nr]")
_NO_JSON = re.compile(r"\\(?!u[0-9a-fA-F]{4}|[nr\"/\\])")
_BARE_EMOJI = re.compile(r"(?:ud83[c-e]ud[c-f][0-9a-f]{2})+")
_BYTES = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_UTF8 = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f]){2,}|(?:=[89A-F][0-9A-F]){2,}|(?:\\[23][0-7]{2}){2,}")
_STRETCH = re.compile(r"\S+")
_PRINTED_BYTES = re.compile(r"""\s*b(["'])(.*)\1\s*""", re.DOTALL)
_LONG = re.compile(r"\\U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})|\\u\{([0-9a-fA-F]{1,5})\}")
_OF_R = re.compile(r"(?:<(?:U\+[0-9A-Fa-f]{4,8}|[89a-f][0-9a-f])>)+")
_CODE_OF_R = re.compile(r"<(U\+)?(\w+)>")
_SLASHED = re.compile(r"""\\+(?=["'])""")
_MAIL = re.compile(r"(?:=\?[\w-]{2,20}\?[bq]\?[!->@-~]{0,400}\?=\s*)+", re.IGNORECASE)
_QUOTED = re.compile(r"\S*%20\S*")


def unescaped(text: str) -> str:
    """The text with its letters, as the module's top tells."""
    if "<" in text:
        text = _OF_R.sub(lambda found: _of_r(found[0]), text)
    if printed := _PRINTED_BYTES.fullmatch(text):
        text = printed[2]
    if "=?" in text:
        text = _MAIL.sub(lambda found: _of_mail(found[0]), text)
    if ("%" in text or "=" in text or "\\" in text) and _UTF8.search(text):  # in links they are part of these
        text = _STRETCH.sub(lambda found: found[0] if "/" in found[0] else _UTF8.sub(_of_utf8, found[0]), text)
    if "\\" in text:
        text = _without_backslashes(text)
    if "ud83" in text:
        text = _BARE_EMOJI.sub(lambda found: _of_json(found[0].replace("u", "")), text)
    if "%20" in text and "://" not in text and _QUOTED.fullmatch(text.strip()):
        text = unquote(text)
    return _CONTROLS.sub(" ", text) if "_x00" in text or "\x1b" in text else text


def _without_backslashes(text: str) -> str:
    text = _BYTES.sub(lambda found: _of_bytes(found[0].replace("\\x", "")), text)
    text = _SLASHED.sub("", _LONG.sub(lambda found: _joined(_letter(found[1] or found[2])), text))
    if _NO_JSON.search(text):
        return text
    return _JSON.sub(lambda found: _of_json(found[1]) if found[1] else " ", text)


def _of_json(escaped: str) -> str:
    """What stands for letters in JSON; half of an emoji is none."""
    return bytes.fromhex(escaped.replace("\\u", "")).decode("utf-16-be", "ignore")


def _of_r(printed: str) -> str:
    """The letters of a run of <U+00E9>, or of bytes as <c3><a9>; one byte alone may be a tag of HTML, and stays."""
    codes = _CODE_OF_R.findall(printed)
    if not all(named for named, _ in codes):
        return _of_bytes("".join(code[-2:] for _, code in codes)) if len(codes) > 1 else printed
    return _joined("".join(_letter(code) for _, code in codes))


def _letter(code: str) -> str:
    number = int(code, 16)
    return chr(number) if number <= sys.maxunicode else " "


def _of_bytes(digits: str) -> str:
    """What bytes, two hexadecimal digits each, are in UTF-8, less what was cut off; one alone is of Latin-1."""
    data = bytes.fromhex(digits)
    if len(data) == 1:
        return data.decode("latin-1")
    try:
        return _joined(data.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return data.decode("utf-8", "ignore")


def _of_utf8(found: re.Match[str]) -> str:
    """The letters that bytes are in UTF-8; what is none as it was."""
    octal = found[0].startswith("\\")
    data = (
        bytes(int(one, 8) for one in found[0][1:].split("\\"))
        if octal
        else bytes.fromhex(found[0][1:].replace(found[0][0], ""))
    )
    try:
        return data.decode()
    except UnicodeDecodeError:
        return found[0]


def _joined(text: str) -> str:
    """A text with halves of emoji put together; a half alone is none."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _of_mail(encoded: str) -> str:
    """What a header of mail says in letters that it has none for; as it is where that cannot be told."""
    with contextlib.suppress(HeaderParseError, LookupError, ValueError):
        return f"{make_header(decode_header(encoded))} "
    return encoded
