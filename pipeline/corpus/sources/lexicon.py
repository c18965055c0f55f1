"""The words of the synthetic corpus: real English where lemmas are to matter, made-up words for the long tail."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.corpus.sources.drawing import THINGS
from pipeline.corpus.sources.translated import SPACELESS, translated

# Of each thing that pictures show: nouns | verbs that are inflected by rule.
_ABOUT = {
    "house": "house roof garden kitchen wall room floor cottage neighbour carpenter | build paint furnish repair rent",
    "fish": "fish river pond salmon trout angler lake fin reef shrimp | swim catch cook float drown",
    "flower": "flower rose tulip petal bouquet gardener lily orchid meadow daisy | bloom plant water pick smell",
    "car": "car engine wheel driver road motor truck garage brake tyre | drive park race steer repair",
    "tree": "tree forest leaf oak pine branch wood root acorn ranger | climb plant chop hike camp",
    "star": "star galaxy planet telescope comet rocket astronaut orbit meteor | launch explore shine observe scan",
    "boat": "boat harbour sailor anchor captain island deck wave ferry lighthouse | sail row anchor dock cruise",
    "cup": "cup coffee tea barista bean mug saucer espresso bakery spoon | brew roast sip pour taste",
    "heart": "heart doctor nurse pulse clinic patient vein hospital surgeon medicine | heal treat examine cure rest",
    "moon": "moon night owl dream pillow lantern bat shadow candle blanket | sleep dream yawn snore whisper",
    "sun": "sun beach summer holiday towel sand desert umbrella lemonade tourist | tan relax travel sweat surf",
    "mountain": "mountain glacier summit valley climber cliff ridge tent slope | climb ski trek ascend rappel",
    "bird": "bird nest feather sparrow eagle beak wing parrot robin swallow | chirp perch soar hatch migrate",
    "key": "key lock door safe burglar password alarm detective chain vault | open close guard secure hack",
    "gift": "gift birthday party ribbon cake balloon guest surprise wedding card | celebrate wrap invite dance thank",
    "mushroom": "mushroom soup recipe chef pepper onion garlic sauce oven pasta | bake fry chop stir season",
}
_COMMON = (
    "day time friend people year week morning evening city street shop song film game book story photo picture phone "
    "minute moment family brother sister mother father child team place world life idea question answer problem job "
    "school teacher student office weekend news money price number letter word colour corner window table chair bag "
    "shoe shirt hat dog cat horse lunch dinner breakfast apple bread train station ticket plane weather winter spring "
    "| look want need start finish call talk walk wait help show ask turn watch play work learn listen visit remember "
    "share post follow like laugh smile cry enjoy hope miss happen change stay move pass reach carry push pull clean"
)
_STOPWORDS = "the of and a to in is you that it he was for on are with as I his they be at one have this from"
EMOJI = ("😀", "😂", "❤️", "🔥", "👍", "🎉", "☀️", "🌙", "🐟", "🌸", "🚗", "🌲", "⭐", "⛵", "☕", "🏠")
_FOREIGN = {
    "es": "casa perro niño mañana tiempo amigo ciudad corazón también siempre trabajo año señor música playa",
    "de": "straße schön freund morgen küche haus wetter glück mädchen arbeit zeit größe bücher wald müde",
    "hi": "नमस्ते दोस्त घर समय दिन शहर किताब पानी सुंदर काम गाना खाना बच्चे सुबह रात",
    "ar": "بيت صديق وقت يوم مدينة كتاب ماء جميل عمل أغنية طعام صباح ليل شمس قلب",
    "ja": "今日 友達 時間 天気 学校 音楽 写真 電車 映画 仕事 料理 海 山 花 猫",
}
_ONSETS = "b br d dr f fl g gl gr h j k kr l m n p pl pr r s sk st t tr v w z"
_CODAS = ",l,m,n,nd,nk,r,rd,rt,sk,st,x"
MADE_UP_COMMON, MADE_UP_TOPIC = 3000, 150


class Tongue(NamedTuple):
    """A language's groups of lemma numbers, the most frequent first; whether it sets spaces between words."""

    common: np.ndarray
    stop: np.ndarray
    colours: np.ndarray
    topics: list[np.ndarray]
    spaces: bool = True


class Lexicon:
    """Lemmas by what they are used for, and the forms each occurs in.

    `forms`: all written forms; lemma i has those from `first[i]`, `count[i]` of them. Groups of lemma numbers, the most
    frequent first: `common`, `stop`, `foreign` (by language), `colours` (by colour), `topics` (by topic), of English;
    `tongues` has them of each of `languages`.
    """

    def __init__(self, topics: int, colours: list[str], seed: int, languages: Sequence[str] = ("en",)) -> None:
        self.forms: list[str] = []
        self._first: list[int] = []
        self._count: list[int] = []
        chance = np.random.default_rng([seed, 0])
        made_up = _made_up(MADE_UP_COMMON + topics * MADE_UP_TOPIC, chance)
        self.colours = np.array([self._add([name]) for name in colours])
        self.stop = np.array([self._add([word]) for word in _STOPWORDS.split()])
        self.common = self._group(_COMMON, made_up[:MADE_UP_COMMON])
        self.foreign = [np.array([self._add([word]) for word in words.split()]) for words in _FOREIGN.values()]
        things = list(THINGS)
        self.topics = []
        for topic in range(topics):
            begin = MADE_UP_COMMON + topic * MADE_UP_TOPIC
            about = _ABOUT[things[topic]] if topic < len(things) else ""
            self.topics.append(self._group(about, made_up[begin : begin + MADE_UP_TOPIC]))
        english = Tongue(self.common, self.stop, self.colours, self.topics)
        self.tongues = [english if name == "en" else self._translated(name, topics, colours) for name in languages]
        self.first, self.count = np.array(self._first), np.array(self._count)

    def _translated(self, language: str, topics: int, colours: list[str]) -> Tongue:
        words = translated(language, topics, colours)
        common, stop, of_colour = (
            np.array([self._add(forms) for forms in group]) for group in (words.common, words.stop, words.colours)
        )
        of_topic = [np.array([self._add(forms) for forms in about]) for about in words.topics]
        return Tongue(common, stop, of_colour, of_topic, language not in SPACELESS)

    def _group(self, about: str, made_up: list[str]) -> np.ndarray:
        nouns, _, verbs = about.partition("|")
        lemmas = [self._add(_noun(word)) for word in nouns.split()] + [self._add(_verb(word)) for word in verbs.split()]
        # Nouns and verbs take turns in frequency; the made-up ones are the tail.
        turns = np.argsort([*range(len(nouns.split())), *range(len(verbs.split()))], kind="stable")
        tail = [self._add(_noun(word)) for word in made_up]
        return np.array([lemmas[i] for i in turns] + tail)

    def _add(self, forms: list[str]) -> int:
        self._first.append(len(self.forms))
        self._count.append(len(forms))
        self.forms += forms
        return len(self._first) - 1


def _noun(word: str) -> list[str]:
    if word.endswith(("s", "sh", "ch", "x")):
        return [word, word + "es"]
    if word == "leaf":
        return [word, "leaves"]
    return [word, word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeou" else word + "s"]


def _verb(word: str) -> list[str]:
    third = _noun(word)[1]
    doubled = {"swim", "chop", "sip", "hug", "tan", "scan", "wrap", "stir"}
    stem = word + word[-1] if word in doubled else word.removesuffix("e")
    past = {"swim": "swam", "drive": "drove", "catch": "caught", "sleep": "slept", "build": "built", "shine": "shone"}
    regular = word[:-1] + "ied" if word.endswith("y") and word[-2] not in "aeou" else stem + "ed"
    return [word, third, past.get(word, regular), (word if word.endswith("y") else stem) + "ing"]


def _made_up(count: int, chance: np.random.Generator) -> list[str]:
    """Distinct words of two or three syllables that could be names."""
    onsets, codas = _ONSETS.split(), _CODAS.split(",")
    words: dict[str, None] = {}
    while len(words) < count:
        drawn = chance.integers(0, [len(onsets), 5] * 3 + [len(codas), 2], (2 * count, 8))
        for a, b, c, d, e, f, coda, longer in drawn.tolist():
            third = onsets[e] + "aeiou"[f] if longer else ""
            words[onsets[a] + "aeiou"[b] + onsets[c] + "aeiou"[d] + third + codas[coda]] = None
    return list(words)[:count]
