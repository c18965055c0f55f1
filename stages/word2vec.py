"""Stage `word2vec`: vocabulary, word vectors and users' initial vectors, from the posts that may be fitted on alone.

Reads   data/split/fit          a post of the train side (all posts under split.fit_on: all): user_id, words
        data/text/words         with words.subwords, how the words of all posts are spelled
Writes  data/words/vocabulary   a word that occurs at least words.min_count times: word, count, vector; with
                                words.subwords also any other word of the corpus that has a known part
        data/words/parts        with words.subwords, the parts (n-grams) of words: part, vector
        data/words/users        a user with such a word: id, the mean vector of all of the user's words; with
                                words.usage, both vectors with what tells who uses which words behind
        metrics/words.json      posts and words in; distinct words in, kept, too rare, and, with words.subwords,
                                known by their parts; share of words known; users
"""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.common.recipe import by_recipe
from pipeline.running.params import load
from pipeline.tables.embedding import EMBEDDINGS, PARTS, VOCABULARY
from pipeline.tables.split import CONTENT
from pipeline.tables.table import vectors
from pipeline.tables.text import WORDS
from pipeline.words.vectors import distinct, join, learn, mean_by_user, mean_length, occurrences, usage
from stages.runner import resumable, run

FIT = Path("data/split/fit")
SPELLED = Path("data/text/words")
VOCABULARY_PATH = Path("data/words/vocabulary")
PARTS_PATH = Path("data/words/parts")
USERS_PATH = Path("data/words/users")
METRICS = Path("metrics/words.json")

log = logging.getLogger("word2vec")


def main() -> None:
    params = by_recipe(load("seed", "recipe", "best.min_count", "best.window", "best.usage", "words"))

    with resumable("word2vec") as folder:
        learned = learn(
            (posts["words"] for posts in CONTENT.batches(FIT, ["words"])), params.words, params.seed, folder
        )
    if params.words.subwords:
        spelled = distinct(posts["words"] for posts in WORDS.batches(SPELLED, ["words"]))
        learned = learned.with_spelled(spelled, (posts["words"] for posts in CONTENT.batches(FIT, ["words"])))
    users, counts = occurrences(CONTENT.batches(FIT, ["user_id", "words"]), learned.words)
    word, start, parts = learned.vectors, mean_by_user(counts, learned.vectors), learned.parts
    if params.words.usage:
        words_usage, users_usage = usage(counts, params.words.usage)
        word, start = join(word, words_usage, start, users_usage)
        # A part says how a word is used by nobody.
        parts = parts.scaled(1 / mean_length(learned.vectors), word.shape[1])

    VOCABULARY.write(
        pa.table({"word": learned.words, "count": learned.counts, "vector": vectors(word)}), VOCABULARY_PATH
    )
    PARTS.write(pa.table({"part": pa.array(parts.ngrams, pa.string()), "vector": vectors(parts.vectors)}), PARTS_PATH)
    EMBEDDINGS.write(pa.table({"id": users, "vector": vectors(start)}), USERS_PATH)

    fit = CONTENT.read(FIT, ["user_id", "words"])
    words = pc.list_flatten(fit["words"])
    kept = int((learned.counts >= params.words.min_count).sum())
    by_parts = {"from_parts": len(learned.words) - kept} if params.words.subwords else {}
    known = int(counts.sum())
    different, authors = pc.count_distinct(words).as_py(), pc.count_distinct(fit["user_id"]).as_py()
    write_metrics(
        {
            "posts": fit.num_rows,
            "words": {"in": len(words), "known": known, "known_share": known / max(1, len(words))},
            "distinct_words": {"in": different, "kept": kept, "too_rare": different - kept, **by_parts},
            "users": {"in": authors, "with_vector": len(users), "without_known_word": authors - len(users)},
        },
        METRICS,
    )
    log.info("%d words known of %d, %d users of %d", len(learned.words), different, len(users), authors)


if __name__ == "__main__":
    run("word2vec", main)
