"""Stage `clean_text`: clean and lemmatize the texts; find near-duplicates exactly; remove or group them.

Reads   data/corpus/posts      one row per post
        models/stanza          lemmatizer and tagger (text.stanza: bundled)
Writes  data/text/words        one row per kept post that has a word: its cleaned, lemmatized words, and its hashtags
        data/text/duplicates   one row per removed post: the earlier kept post that it is a copy of, and their overlap
        data/text/edges        one row per pair of posts that the split binds: post_id, other_id, kind, overlap
        metrics/text.json      posts in, out, and left out by reason; pairs, groups, words (counts); posts by language,
                               and which rules there are for it; languages that few write are counted alone
"""

import logging
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.common.metrics import FEWEST, write_metrics
from pipeline.running.engines import rest
from pipeline.running.errors import UserError
from pipeline.running.params import load
from pipeline.running.shards import map_shards
from pipeline.tables.corpus import POSTS
from pipeline.tables.table import positions
from pipeline.tables.text import DUPLICATES, TEXT_EDGES, WORDS
from pipeline.text import cleaning as text
from pipeline.text import posts as text_posts
from pipeline.text.languages.by_language import ENGLISH, allowed_languages, in_own_language, languages, rules, splitter
from pipeline.text.languages.inflection import lemmas_of
from pipeline.text.lemmas import Models, lemmatize_sentences, lemmatize_words, models
from stages.runner import resumable, run

POSTS_PATH = Path("data/corpus/posts")
MODELS_PATH = Path("models/stanza")
WORDS_PATH = Path("data/text/words")
DUPLICATES_PATH = Path("data/text/duplicates")
EDGES_PATH = Path("data/text/edges")
METRICS = Path("metrics/text.json")

MUCH_COPIED = 0.1
"""The share of posts left out as copies from which on it is told."""

log = logging.getLogger("clean_text")


def main() -> None:
    params = load("text", "corpus.source", "corpus.synthetic")
    stanza = models(params.text.stanza, MODELS_PATH)
    tagged = partial(lemmatize_sentences, chosen=stanza) if params.text.lemmas == "sentence" else None
    allowed = allowed_languages(params.text.languages, params.corpus.source, params.corpus.synthetic.languages)
    for language in allowed or ():
        if rules(language) == {"lemmas": "none", "stopwords": False}:
            log.warning(
                "text.languages names %s, of which there are neither lemmas nor stopwords here: its words stay as they "
                "are. Is it a code of ISO 639, as ja is of Japanese (docs/words.md)?",
                language,
            )

    with resumable("clean_text") as folder:
        clean = partial(
            text.clean_shard,
            lemmatize=tagged,
            emoji=params.text.emoji == "names",
            guess=allowed is None or len(allowed) > 1,
        )
        counts = map_shards(clean, POSTS.shards(POSTS_PATH), folder, "clean_text")
        tokens = text.TOKENS.shards(folder)
        second = partial(
            in_own_language,
            languages=languages(tokens, allowed),
            splitter=splitter(tokens) if params.text.hashtags == "split" else None,
        )
        map_shards(second, tokens, folder / "words", "words by language")
        rest()  # a worker holds what a shard took, a gigabyte of a million posts, and what follows is memory's peak
        shards = text.CLEANED.shards(folder / "words")
        spelled = text_posts.distinct_words(shards)
        log.info("distinct words: %s", {language: len(words) for language, words in spelled.items()})
        vocabulary = text_posts.Vocabulary.of(
            spelled, {name: lemmas(words, name, None if tagged else stanza) for name, words in spelled.items()}
        )

        posts = text_posts.read(shards, vocabulary)
        check_words(sum(shard["posts"] - shard[text.NO_TEXT] for shard in counts), len(posts.post_id))
        as_written = text_posts.written(tokens, posts.post_id) if params.text.min_written else posts.sets
        copies = text_posts.find_copies(
            posts,
            as_written,
            params.text.min_overlap,
            params.text.min_written,
            same_user=params.text.duplicates == "group",
        )
        with WORDS.writer(WORDS_PATH) as writer:
            for part in text_posts.kept_words(shards, vocabulary, copies):
                writer.write(part)
        DUPLICATES.write(copies.duplicates, DUPLICATES_PATH)
        TEXT_EDGES.write(copies.edges, EDGES_PATH)

    facts = text_posts.facts(counts, vocabulary, posts, copies)
    spoken, few = by_language()
    told = {name: {"posts": number, **rules(name)} for name, number in sorted(spoken.items())}
    write_metrics({**facts, "languages": told, "languages_of_few_users": few}, METRICS)
    log.info("%s; posts by language %s, and %d languages of few", facts, dict(spoken.most_common()), few)
    tell_copies(sum(shard["posts"] for shard in counts), len(copies.duplicates))


def check_words(given: int, with_words: int) -> None:
    """Raise UserError where no post of those `given` a text has a word; say so where most have none."""
    what = "is left once links, mentions, emoji and stopwords are out of them (docs/words.md)"
    helps = "text.emoji: names makes words of emoji"
    if given and not with_words:
        raise UserError(f"of {given} texts none has a word that {what}, and words are what users start from; {helps}.")
    if with_words < given / 2:
        log.warning("%d of %d texts have no word that %s; %s", given - with_words, given, what, helps)


def tell_copies(given: int, removed: int) -> None:
    """Say so where many posts went because their text is a copy of an earlier one."""
    if removed > MUCH_COPIED * given:
        log.warning(
            "%d of %d posts are left out, as their text is that of an earlier post, or nearly; data/text/duplicates "
            "says which. text.duplicates: group keeps those of other users.",
            removed,
            given,
        )


def by_language() -> tuple[Counter[str], int]:
    """Posts by language, of those that FEWEST users write; how many other languages there are, as metrics are in Git:
    what is told of the one who writes Icelandic tells of a person.
    """
    held = POSTS.read(POSTS_PATH, ["post_id", "user_id"])
    written = WORDS.read(WORDS_PATH, ["post_id", "language"])
    user = held["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    author = user[positions(written["post_id"], held["post_id"])]
    language = written["language"].combine_chunks().dictionary_encode()
    spoken, names = language.indices.to_numpy(), language.dictionary.to_pylist()
    posts = np.bincount(spoken, minlength=len(names))
    pairs = np.unique(np.stack([spoken, author]), axis=1)
    writers = np.bincount(pairs[0], minlength=len(names))
    told = {name: int(posts[at]) for at, name in enumerate(names) if writers[at] >= FEWEST}
    return Counter(told), len(names) - len(told)


def lemmas(words: pa.Array, language: str, english: Models | None) -> pa.Array:
    """The lemmas of distinct words of one language; English ones by Stanza, None where they are lemmas already."""
    if language == ENGLISH:
        return words if english is None else lemmatize_words(words, english)
    return lemmas_of(words, language)


if __name__ == "__main__":
    run("clean_text", main)
