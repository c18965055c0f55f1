"""Stage `clean_text`: clean and lemmatize the texts; find near-duplicates exactly; remove or group them.

Reads   data/corpus/posts      one row per post
        models/stanza          lemmatizer and tagger (text.stanza: bundled)
Writes  data/text/words        one row per kept post that has a word: its cleaned, lemmatized words, and its hashtags
        data/text/duplicates   one row per removed post: the earlier kept post that it is a copy of, and their overlap
        data/text/groups       one row per post with a near-copy, removed ones included: its group, by its first post_id
        metrics/text.json      posts in, out, and left out by reason; pairs, groups, words (counts)
"""

import logging
from functools import partial
from pathlib import Path

from pipeline.common.metrics import write_metrics
from pipeline.running.params import load
from pipeline.running.shards import map_shards
from pipeline.tables.corpus import POSTS
from pipeline.tables.text import DUPLICATES, TEXT_GROUPS, WORDS
from pipeline.text import cleaning as text
from pipeline.text import posts as text_posts
from pipeline.text.lemmas import lemmatize_sentences, lemmatize_words, models
from stages.runner import resumable, run

POSTS_PATH = Path("data/corpus/posts")
MODELS_PATH = Path("models/stanza")
WORDS_PATH = Path("data/text/words")
DUPLICATES_PATH = Path("data/text/duplicates")
GROUPS_PATH = Path("data/text/groups")
METRICS = Path("metrics/text.json")

log = logging.getLogger("clean_text")


def main() -> None:
    params = load("text")
    stanza = models(params.text.stanza, MODELS_PATH)
    tagged = partial(lemmatize_sentences, chosen=stanza) if params.text.lemmas == "sentence" else None

    with resumable("clean_text") as folder:
        clean = partial(text.clean_shard, lemmatize=tagged)
        counts = map_shards(clean, POSTS.shards(POSTS_PATH), folder, "clean_text")
        shards = text.CLEANED.shards(folder)
        spelled = text_posts.distinct_words(shards)
        log.info("%d distinct words", len(spelled))
        lemmas = spelled if tagged else lemmatize_words(spelled, stanza)
        vocabulary = text_posts.Vocabulary.of(spelled, lemmas)

        posts = text_posts.read(shards, vocabulary)
        copies = text_posts.find_copies(posts, params.text.min_overlap, same_user=params.text.duplicates == "group")
        with WORDS.writer(WORDS_PATH) as writer:
            for part in text_posts.kept_words(shards, vocabulary, copies):
                writer.write(part)
        DUPLICATES.write(copies.duplicates, DUPLICATES_PATH)
        TEXT_GROUPS.write(copies.groups, GROUPS_PATH)

    facts = text_posts.facts(counts, vocabulary, posts, copies)
    write_metrics(facts, METRICS)
    log.info("%s", facts)


if __name__ == "__main__":
    run("clean_text", main)
