r"""Links, e-mail addresses and @mentions, wherever they stand: also beside letters of another script, and cut off.

Where a script writes no spaces, or a particle is glued to a name (@kuma_9さん), neither white space nor \w says
where the name ends. A link, a host and a handle are made of Latin letters, so they begin and end where these
do; what follows `/` or `=` in a link may be of another script (…/wiki/Москва), but not of one without spaces,
as nothing tells where it would end. A host or a handle of another script (@вася) begins beside no letter.

What a platform leaves of a name that it cut (https://t.…, pic.twitter.…) goes too.

Each pattern looks from a place once and not far, so that time stays linear in the text, however hostile.
Source of the rules for mentions: twitter-text (what stands before one, RT@name); for the rest ours.
"""

import re

SPACELESS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese, Shan
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana, 々
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"  # Han, half-width kana
)
"""Ranges, as within a character class, of the letters of scripts that write no spaces between words."""
_GLUED = SPACELESS + "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
# With Hangul, whose particles follow a name without a space.
_LETTERS = r"0-9a-z\u00c0-\u024f\u0300-\u036f"
_LATIN = f"_{_LETTERS}"
_OTHER = rf"[^\W{_LATIN}{_GLUED}]"
"""A letter of any other script."""
_LABEL = rf"(?:(?<![{_LATIN}-])[{_LATIN}-]{{1,63}}|(?<![\w-]){_OTHER}{{1,63}})"
_HOST = rf"{_LABEL}(?:\.(?:[{_LATIN}-]{{1,63}}|{_OTHER}{{1,63}})){{0,4}}"
_REST = rf"(?:[!-~\u00c0-\u024f\u0300-\u036f…]|(?<=[!-/:-@\[-`{{-~]){_OTHER}+)*"
"""The rest of a link: ASCII, Latin letters and the mark of a cut; behind a sign, letters of other scripts."""

_SCHEMES = (
    r"(?:at|file|ftps|sftp|ssh|git|s3|gs|wss?|ircs?|ipfs|ipns|tg|whatsapp|steam|intent|market|xmpp|matrix)://|magnet:\?"
    r"|spotify:(?:track|album|artist|playlist|episode|show|user):"
)
"""How addresses begin that are of no web page: of Bluesky's records, chats, files, songs."""
LINK = re.compile(
    rf"(?:h(?:tt|xx)ps?|ftp):/*{_REST}|www\.{_REST}"
    rf"|(?<![{_LATIN}])(?:{_SCHEMES}){_REST}"
    rf"|(?<![{_LATIN}.+-])(?:mailto:)?[{_LATIN}.+-]{{1,64}}@[{_LATIN}-]+(?:\.[{_LATIN}-]+)+"
    rf"|(?<![\w.+-]){_OTHER}{{1,64}}@[\w-]+(?:\.[\w-]+)+"
    rf"|{_HOST}\.[a-z]{{2,24}}(?::\d{{2,5}})?/{_REST}"  # pic.twitter.com/abc, bit.ly/abc, localhost.dev:8000/abc
    # example.com: by endings that are no word where the space after a full stop is missing
    rf"|{_HOST}\.(?:com|org|net|edu|gov|info|biz|io|ly|tv|co\.[a-z]{{2}}|cn|jp|kr|tw|fr|uk|ru|ua|br)(?![{_LATIN}])"
    rf"|{_HOST}\.(?:рф|укр|бел|срб)(?:/{_REST})?(?!\w)"
    r"|(?<!\w)nostr:n(?:pub|profile|event|addr|ote)1[02-9ac-hj-np-z]{50,}"
    r"|(?<![\w.])(?:pic\.twit[a-z]*(?:\.[a-z]*)?|t\.(?:co?)?)(?:…|\.\.\.+)",
    re.IGNORECASE,
)
"""One pattern for links and addresses, so that neither leaves a part of the other."""
MENTION = re.compile(
    rf"(?:(?<![{_LETTERS}@])|(?<=(?<![{_LATIN}])rt))@+(?:[{_LATIN}]+(?:[.@-][{_LATIN}]+)*|\w+(?:[.@-]\w+)*)",
    re.IGNORECASE,
)
"""A handle of Latin letters ends where they do; one of other letters, where letters do. It may have dots and hyphens,
as on Mastodon, Bluesky and Reddit. Where Markdown is, _ stands before one (_@ann_)."""
NAMED = re.compile(
    r"\[(?:id|club|public|event)(\d+)\|[^][]{0,80}\]|@\[(\d{1,20}):(?:\d{1,9}:)?[^][]{1,80}\]"
    r"|@\[[^][]{1,80}\]\((urn:li:[\w:-]{1,200})\)"
)
"""A mention by id and name: of VK `[id1|Ann]`, Facebook `@[1:2048:Ann]` and LinkedIn `@[Ann](urn:li:person:1)`."""
_WITH_ENDING = re.compile(rf"(?:{MENTION.pattern})(?:['’]s(?![{_LATIN}]))?", re.IGNORECASE)
CUT = re.compile(
    rf"(?<![{_LATIN}])(?:ht?|htt|https?)(?:…|\.\.\.+)|(?<![{_LATIN}.:/@'’-])htt\s*$"
    r"|&(?:am?|qu?|quo|lt?|gt?|nb?|nbs|#x?[0-9a-f]*)(?:…|\.\.\.+)|&(?:am|quo|nbs?|#x?[0-9a-f]*)\s*$",
    re.IGNORECASE,
)
"""What a platform leaves of a link or an HTML entity that it cut; without its mark, at the end of a text alone."""


def without_names(part: str) -> str:
    """A stretch of a text without links, e-mail addresses and mentions, of these with an English ending."""
    if "." in part or ":" in part:
        part = LINK.sub(" ", part)
    return _WITH_ENDING.sub(" ", part) if "@" in part else part
