"""Lemmas of 100,000 posts: each distinct word once, against Stanza's own tokenize + pos + lemma in batches.

Posts have 5 to 25 words with a natural (Zipf-Mandelbrot) distribution over 150,000: the forms in Stanza's dictionary,
which stand there by frequency in the treebank, and behind them made-up ones, of which as many end in -s, -ed or -ing as
of its words outside the dictionary. 25,000 words of it have 5,400 distinct ones, as in the treebank; beyond, new ones
come faster. Ours starts from the texts and ends with lists of lemmas: cleaning, distinct words, lemmas with a
cold cache, mapping back. Stanza is timed on the first 2,000 of the same posts, in calls of 1,000; its rate does not
depend on how many there are. Both have their models loaded.

    python -m benchmarks.texts.lemmas [--posts 100000] [--treebank PATH]

With `--treebank`, also the share of right lemmas on EWT's test set, in both modes, and how often the two agree.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import ROOT, options, print_table, result
from pipeline.running.utf8 import entry
from pipeline.tables.table import strings
from pipeline.text import cleaning as text
from pipeline.text.lemmas import lemmatize_sentences, lemmatize_words, models
from pipeline.text.lemmatizer import Lemmatizer
from pipeline.text.posts import Vocabulary

MODELS = models("bundled", ROOT / "models" / "stanza")
VOCABULARY = 150_000
INFLECTED_SHARE = 0.25
PEER_POSTS, PEER_BATCH = 2_000, 1_000
REPEATS = 3


def corpus(posts: int) -> list[str]:
    """Posts, as raw text."""
    generator = np.random.default_rng(1)
    known = [form for form in Lemmatizer.load(MODELS.lemmatizer).dictionary if form.isalpha()]
    syllables = np.array("ba ke mi lo nu tra ple sho vi gan der fin lor quo sta wex ya zil cho pu".split())  # noqa: SIM905
    made: dict[str, None] = {}
    while len(made) < VOCABULARY - len(known):
        stem = "".join(generator.choice(syllables, generator.integers(2, 5)))
        inflected = generator.random() < INFLECTED_SHARE
        made[stem + (generator.choice(["s", "s", "s", "ed", "ing"]) if inflected else "")] = None
    words = np.array([*known, *made], object)
    share = np.cumsum(1 / (np.arange(len(words)) + 2.7) ** 1.2)
    sizes = generator.integers(5, 26, posts)
    drawn = words[np.searchsorted(share / share[-1], generator.random(sizes.sum()))]
    return [" ".join(post) for post in np.split(drawn, np.cumsum(sizes)[:-1])]


def ours(posts: pa.Array) -> tuple[pa.ListArray, int]:
    """Lemmas of each post, and the number of distinct words that were asked about."""
    cleaned = text.clean(posts)
    spelled = pc.unique(cleaned.words.flatten())
    vocabulary = Vocabulary.of({"en": spelled}, {"en": lemmatize_words(spelled, MODELS)})
    offsets, codes = vocabulary.encode(cleaned.words, pa.repeat("en", len(posts)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), vocabulary.lemmas.take(pa.array(codes))), len(
        spelled
    )


def cold(posts: pa.Array) -> float:
    """Seconds of `ours` with nothing kept from before."""
    text._kept.cache_clear()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DU2MCE_CACHE"] = folder
        begun = time.perf_counter()
        ours(posts)
        return time.perf_counter() - begun


def peer() -> object:
    import stanza

    return stanza.Pipeline(
        "en",
        dir=str(MODELS.folder),
        package=None,
        processors={"tokenize": "ewt", "mwt": "ewt_dict", "pos": "ewt_upos", "lemma": "ewt"},
        tokenize_no_ssplit=True,
        download_method=None,
        use_gpu=False,
        verbose=False,
    )


def stanza_seconds(nlp, posts: list[str]) -> float:
    begun = time.perf_counter()
    for at in range(0, len(posts), PEER_BATCH):
        found = nlp("\n\n".join(posts[at : at + PEER_BATCH]))
        assert [word.lemma for sentence in found.sentences for word in sentence.words]
    return time.perf_counter() - begun


def accuracy(treebank: Path) -> dict[str, float]:
    """Share of right lemmas on EWT's test set, case and punctuation aside, and agreement of the modes."""
    sentences: list[list[list[str]]] = [[]]
    for line in (treebank / "en_ewt-ud-test.conllu").read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if not line:
            sentences.append([])
        elif len(fields) == 10 and fields[0].isdigit():
            sentences[-1].append(fields)
    forms = [[fields[1] for fields in sentence] for sentence in sentences]
    distinct = strings(sorted({form.lower() for sentence in forms for form in sentence}))
    by_word = dict(zip(distinct.to_pylist(), lemmatize_words(distinct, MODELS).to_pylist(), strict=True))
    tagged = lemmatize_sentences(forms, MODELS)
    rows = [
        (fields[2].lower(), by_word[fields[1].lower()], lemma)
        for sentence, lemmas in zip(sentences, tagged, strict=True)
        for fields, lemma in zip(sentence, lemmas, strict=True)
        if fields[3] != "PUNCT"
    ]
    return {
        "ewt_word_mode": round(statistics.mean(gold == word for gold, word, _ in rows), 4),
        "ewt_sentence_mode": round(statistics.mean(gold == lemma for gold, _, lemma in rows), 4),
        "ewt_modes_agree": round(statistics.mean(word == lemma for _, word, lemma in rows), 4),
    }


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--treebank", type=Path)
    given = parser.parse_args()

    posts = corpus(given.posts)
    column = strings(posts)
    nlp = peer()
    few = posts[:PEER_POSTS]
    cold(column.slice(0, 1000))
    stanza_seconds(nlp, few[:200])
    # In turns, so that whatever else the machine does falls on both.
    seconds, peer_seconds = zip(*[(cold(column), stanza_seconds(nlp, few)) for _ in range(REPEATS)], strict=True)
    rate, peer_rate = len(posts) / statistics.median(seconds), len(few) / statistics.median(peer_seconds)
    ratio = statistics.median(
        (len(posts) / mine) / (len(few) / other) for mine, other in zip(seconds, peer_seconds, strict=True)
    )
    figures = {
        "posts": len(posts),
        "distinct_words": ours(column)[1],
        "posts_per_second": round(rate),
        "stanza_posts": len(few),
        "stanza_posts_per_second": round(peer_rate, 1),
        "times_stanza": round(ratio, 1),
        **(accuracy(given.treebank) if given.treebank else {}),
    }
    print_table(
        [
            {"lemmas": "this project, cold cache", "posts": len(posts), "posts per second": rate},
            {"lemmas": "Stanza: tokenize, mwt, pos, lemma", "posts": len(few), "posts per second": peer_rate},
        ]
    )
    bounds = {"at_least_50_times_stanza": ratio >= 50}
    if given.treebank:
        bounds["word_mode_at_least_970"] = figures["ewt_word_mode"] >= 0.970
    result(figures, bounds)


if __name__ == "__main__":
    entry(main)
