"""Posts in sixteen languages and the words made of them, as docs/words.md shows: `python -m tools.words`."""

import sys

import numpy as np

from pipeline.running.utf8 import entry
from pipeline.tables.table import strings
from pipeline.text.cleaning import lists, stretches
from pipeline.text.languages.by_language import ENGLISH, rules
from pipeline.text.languages.detection import Guesses, decide
from pipeline.text.languages.inflection import lemmas_of, words_of

POSTS = (
    "RT @ann: Two dogs on the beach! https://t.co/AbC1 #SunSet 👍🏽",
    "L’école d'été était belle &amp; calme, merci @luc https://t.co/x",
    "Die schönsten Häuser der Ärzt*innen #Wien",
    "Москва: новые дома, зелёные ёлки и старые улицы https://t.…",
    "Σήμερα ο καιρός είναι υπέροχος στις πόλεις",
    "İstanbul'da güzel evler, IŞIK",
    "\u200fذهبنا إلى المَدْرَسَة والبيوت القديمة ١٢، مـــرحبا",
    'שָׁלוֹם לכולם! הילדים וצה"ל משחקים ב-2024',
    "बच्चे किताबें पढ़ रहे हैं क्\u200dयोंकि परीक्षा है",
    "오늘 친구와 공원에서 산책 ㅋㅋㅋㅋ @minsu_k님",
    "今日は@kuma_9さんと映画を見ました、すごーーーい ＡＢＣ https://t.co/AbC",
    "我们昨天去了北京的公园散步看书example.com",
    "วันนี้ไปเที่ยวทะเลกับเพื่อนๆ ปี2567 สนุกมากกกกก",
    "ខ្ញុំចូលចិត្តញ៉ាំបាយនៅភ្នំពេញ @sokha",
    "Maşini şi oraşe, în orașe și mașini vechi",
    "我們昨天去了臺灣的公園散步，還有圖書館",
    "Ho\u0302m nay tro\u031b\u0300i \u0111e\u0323p qua\u0301, di cho\u031bi o\u031b\u0309 Ha\u0300 No\u0323\u0302i",
)


def main() -> int:
    """Print a table in Markdown. English words stand as they are before Stanza's lemmas."""
    found = [stretches(post, emoji=True) for post in POSTS]
    tokens = [[token for stretch in post for token in stretch.tokens] for post in found]
    languages = decide(Guesses.of(lists(tokens)), np.arange(len(POSTS)), None).to_pylist()
    sys.stdout.write("| post | language | words | lemmas |\n|---|---|---|---|\n")
    for post, stretched, spelled, language in zip(POSTS, found, tokens, languages, strict=True):
        words = [word for stretch in stretched for word in stretch.words]
        if language != ENGLISH:
            words = lemmas_of(strings(words_of(spelled, language)), language).to_pylist()
        sys.stdout.write(f"| {post} | {language} | {' '.join(words)} | {rules(language)['lemmas']} |\n")
    return 0


if __name__ == "__main__":
    entry(main)
