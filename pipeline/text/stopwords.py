"""Stopwords: words that bind a sentence together and say nothing of its topic.

English ones are listed here; those of 56 other languages are stopwords-iso's (stopwordsiso, MIT licence).

Origin of the English ones: the list of wordcloud 1.9.6 (`wordcloud/stopwords`, MIT licence, Andreas Mueller and
contributors), less its contractions, which the cleaning knows by their endings (`cleaning`), and less `com`, `http` and
`www`, as links are gone before words are looked at. The last paragraph is ours: auxiliaries that the list has as
contractions alone, contractions typed without their apostrophe where that spells no other word, and Twitter's mark of a
retweet.
"""

import unicodedata
from functools import cache

STOPWORDS = frozenset(
    """
    a about above after again against all also am an and any are as at be because been before being below between both
    but by can cannot could did do does doing down during each else ever few for from further get had has have having
    he hence her here hers herself him himself his how however i if in into is it its itself just k let like me more
    most my myself no nor not of off on once only or other otherwise ought our ours ourselves out over own r same
    shall she should since so some such than that the their theirs them themselves then there therefore these they this
    those through to too under until up very was we were what when where which while who whom why with would you your
    yours yourself yourselves

    will must aint arent cant couldnt didnt doesnt dont hadnt hasnt havent im isnt ive mustnt shouldnt theyre theyve
    thats wasnt werent whats wont wouldnt youd youll youre youve rt
    """.split()  # noqa: SIM905
)


_MORE = {
    "he": "ב ה ו כ ל מ ש",  # prefixes, where a hyphen parts them from their word
    "ja": "ます まし ました ません です でし でした だっ した しか する てる てい ない なかっ たい たく "
    "さん ちゃん くん",
    "ko": "님 씨",
}
"""What stopwords-iso has not: prefixes, the pieces that ICU splits verbs' endings into, and what follows a name."""


@cache
def stopwords(language: str) -> frozenset[str]:
    """The stopwords of a language, by its two letters, as `folded`; of one without a list, a retweet's mark alone."""
    if language == "en":
        return STOPWORDS
    import stopwordsiso

    listed = stopwordsiso.stopwords(language) if stopwordsiso.has_lang(language) else ()
    words = {word.lower().replace("'", "").replace("’", "") for word in (*listed, *_MORE.get(language, "").split())}
    return frozenset({"rt", *words, *(folded(word, language) for word in words)})


def folded(word: str, language: str) -> str:
    """A word as stopwords are compared: Greek without its accents, which its list has only now and then."""
    if language != "el":
        return word
    letters = unicodedata.normalize("NFD", word)
    return unicodedata.normalize("NFC", letters.replace("\u0301", ""))
