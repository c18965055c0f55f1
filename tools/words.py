"""Ten posts in ten languages and the words made of them, as docs/words.md shows: `python -m tools.words`."""

import sys

import numpy as np

from pipeline.tables.table import strings
from pipeline.text.by_language import ENGLISH, rules
from pipeline.text.cleaning import stretches
from pipeline.text.inflection import lemmas_of, words_of
from pipeline.text.languages import Guesses, decide

POSTS = (
    "RT @ann: Two dogs on the beach! https://t.co/AbC1 #SunSet 😀",
    "L'école d'été était belle, merci @luc https://t.co/x",
    "Die schönsten Häuser der Stadt #Wien",
    "Los niños juegan en las playas de Cádiz",
    "Dell'arte e della musica nelle città italiane",
    "Москва: новые дома и старые улицы https://t.…",
    "今日は@kuma_9さんと公園を散歩した、https://t.co/AbC",
    "我喜欢在公园里散步看书example.com",
    "วันนี้อากาศดีมาก ไปเที่ยวทะเล",
    "İstanbul'da güzel evler",
)


def main() -> int:
    """Print a table in Markdown. English words stand as they are before Stanza's lemmas."""
    found = [stretches(post, emoji=True) for post in POSTS]
    tokens = [[token for stretch in post for token in stretch.tokens] for post in found]
    languages = decide(Guesses.of(tokens), np.arange(len(POSTS)), None).to_pylist()
    sys.stdout.write("| post | language | words | lemmas |\n|---|---|---|---|\n")
    for post, stretched, spelled, language in zip(POSTS, found, tokens, languages, strict=True):
        words = [word for stretch in stretched for word in stretch.words]
        if language != ENGLISH:
            words = lemmas_of(strings(words_of(spelled, language)), language).to_pylist()
        sys.stdout.write(f"| {post} | {language} | {' '.join(words)} | {rules(language)['lemmas']} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
