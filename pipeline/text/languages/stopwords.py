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
CEDILLAS = str.maketrans("şţ", "șț")
"""Romanian letters as they were typed before they had codes of their own, and as stopwords-iso has them."""
_TRADITIONAL = str.maketrans(
    "萬與兩個為臨麼麽烏於僅從們會體餘兒關衝況憑幾別辦單卻嗎後嚇嘔唄噠嘩喲嘍噯噓處寧對將爾盡豈並開歸當總據無舊時極樣"
    "沒點猶獨著確離種稱簡類緊縱經結給繼綜罷雖見讓許論設誠話該說請諸誰賊賴趕較邊達過還這進連裡裏鑒針問間隨難順齊換",
    "万与两个为临么么乌于仅从们会体余儿关冲况凭几别办单却吗后吓呕呗哒哗哟喽嗳嘘处宁对将尔尽岂并开归当总据无旧时极样"
    "没点犹独着确离种称简类紧纵经结给继综罢虽见让许论设诚话该说请诸谁贼赖赶较边达过还这进连里里鉴针问间随难顺齐换",
)
"""The letters of Chinese stopwords, of which stopwords-iso has the simplified ones."""


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
    if language == "el":
        letters = unicodedata.normalize("NFD", word)
        return unicodedata.normalize("NFC", letters.replace("\u0301", ""))
    if language == "zh":
        return word.translate(_TRADITIONAL)
    return word.translate(CEDILLAS) if language == "ro" else word
