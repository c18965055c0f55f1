"""Lemmas by Stanza: by default each distinct word once, outside its sentence.

Stanza's lemmatizer looks at a word and its part of speech, not at the sentence, and does nearly as well without the
part of speech (models/README.md). A word then has one lemma wherever it stands: each distinct lower-cased word is
looked up once, in few large calls, and the cost grows with the vocabulary, not with the corpus. Mode `sentence` runs
tagger and lemmatizer on whole posts.

Lemmas are lower-cased. A word passes as it is where it has anything but the letters a to z and apostrophes (the English
model makes niño of niños; digits are the user's own spelling), more than 40 letters, or one (the dictionary reads b and
w as billion and with). A word that the dictionary does not hold is spelled anew by the model's network, letter by
letter, and sometimes wrongly (throwbackhursdays, miam): the network is asked only about words with an ending of
inflection, -s, -ed or -ing, and its answer counts only where it keeps the first three letters, and all but the last
four. On EWT this is more accurate than all its answers, and it asks for a quarter of the words.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.files import atomic_file
from pipeline.machine import cache_folder
from pipeline.progress import bar

LETTERS = r"^[a-z']{2,40}$"
INFLECTED = r"(?:s|ed|ing)$"
ENDING, BEGINNING = 4, 3
"""The network may change at most the last 4 letters of a word, and none of the first 3."""
WORDS_PER_CALL = 100_000
SENTENCE = 100
"""Longer posts are tagged in pieces of this many words, which bounds the tagger's memory."""

_CACHED = pa.schema([("word", pa.string()), ("lemma", pa.string())])


class Models(NamedTuple):
    """Where Stanza's models lie, and which packages of them to load, by processor."""

    folder: Path
    packages: tuple[tuple[str, str], ...]

    @property
    def lemmatizer(self) -> Path:
        """The file of the lemmatizer."""
        return self.folder / "en" / "lemma" / f"{dict(self.packages)['lemma']}.pt"


def models(source: Literal["bundled", "download"], bundled: Path) -> Models:
    """The models in the folder `bundled`, or Stanza's own, downloaded once into the cache.

    Raises UserError where a download is needed and there is no connection.
    """
    if source == "bundled":
        return Models(bundled, (("tokenize", "ewt"), ("pos", "ewt_upos"), ("lemma", "ewt")))
    import stanza

    folder = cache_folder("stanza")
    packages = {"tokenize": "combined", "pos": "combined_charlm", "lemma": "combined_nocharlm"}
    if not all((folder / "en" / name / f"{package}.pt").exists() for name, package in packages.items()):
        try:
            stanza.download("en", model_dir=str(folder), package=None, processors=packages, verbose=False)
        except OSError as error:
            raise UserError(
                "text.stanza is 'download', and Stanza's models could not be fetched "
                f"({type(error).__name__}); connect to the network, or set text.stanza: bundled."
            ) from error
    return Models(folder, tuple(packages.items()))


def lemmatize_words(words: pa.Array, chosen: Models) -> pa.Array:
    """The lemma of each of n distinct lower-cased words, outside any sentence.

    Answers are kept in the cache, under the hash of the model and of these rules, and asked for once.
    """
    kept = cache_folder("lemmas") / f"{_hash(chosen.lemmatizer)}.parquet"
    known = pq.read_table(kept, schema=_CACHED) if kept.exists() else _CACHED.empty_table()
    asked = words.filter(pc.match_substring_regex(words, LETTERS))
    new = asked.filter(pc.invert(pc.is_in(asked, value_set=known["word"])))
    if len(new):
        known = pa.concat_tables([known, _ask(new, chosen)]).combine_chunks()
        with atomic_file(kept) as temporary:
            pq.write_table(known, temporary, compression="zstd")
    return pc.coalesce(known["lemma"].take(pc.index_in(words, value_set=known["word"])), words).combine_chunks()


def lemmatize_apart(sentences: Sequence[Sequence[str]], chosen: Models) -> list[list[str]]:
    """The lemma of each word of each sentence, in any case, as `lemmatize_words` gives it: for a few texts."""
    spelled = sorted({word.lower() for words in sentences for word in words})
    lemmas = dict(zip(spelled, lemmatize_words(pa.array(spelled, pa.string()), chosen).to_pylist(), strict=True))
    return [[lemmas[word.lower()] for word in words] for words in sentences]


def lemmatize_sentences(sentences: Sequence[Sequence[str]], chosen: Models) -> list[list[str]]:
    """The lower-cased lemma of each word of each sentence, by its part of speech there; words in any case."""
    nlp = _pipeline(chosen, tagger=True)
    pieces = [list(words[at : at + SENTENCE]) for words in sentences for at in range(0, len(words), SENTENCE)]
    found = iter(_lemmas(nlp, pieces))
    return [[lemma for _ in range(0, len(words), SENTENCE) for lemma in next(found)] for words in sentences]


def _ask(words: pa.Array, chosen: Models) -> pa.Table:
    nlp = _pipeline(chosen, tagger=False)
    spelled = words.to_pylist()
    untagged = [(word, None) for word in spelled]
    lemmas = dict(zip(spelled, _lemmatizer(nlp).predict_dict(untagged), strict=True))
    listed = _lemmatizer(nlp).skip_seq2seq(untagged)
    new = [word for word, known in zip(spelled, listed, strict=True) if not known and re.search(INFLECTED, word)]
    # In order of length, so that the words of a batch take as many steps each.
    new.sort(key=lambda word: (len(word), word))
    with bar("lemmas", "new words", total=len(new)) as shown:
        for at in range(0, len(new), WORDS_PER_CALL):
            part = new[at : at + WORDS_PER_CALL]
            lemmas.update(zip(part, _lemmas(nlp, [part])[0], strict=True))
            shown.update(len(part))
    return pa.table([spelled, [lemmas[word].lower() for word in spelled]], schema=_CACHED)


def _lemmas(nlp: Any, sentences: list[list[str]]) -> list[list[str]]:
    if not sentences:
        return []
    tagged = [(word.text, word.upos, word.lemma) for found in nlp(sentences).sentences for word in found.words]
    listed = _lemmatizer(nlp).skip_seq2seq([(word, tag) for word, tag, _ in tagged])
    answers = (
        _accepted(word.lower(), lemma.lower(), known) for (word, _, lemma), known in zip(tagged, listed, strict=True)
    )
    return [[next(answers) for _ in words] for words in sentences]


def _accepted(word: str, lemma: str, known: bool) -> str:
    kept = word[: max(BEGINNING, len(word) - ENDING)]
    trusted = known or (re.search(INFLECTED, word) and lemma.startswith(kept))
    return lemma if trusted and re.match(LETTERS, word) else word


def _lemmatizer(nlp: Any) -> Any:
    """Stanza's lemmatizer itself, which answers for its dictionary alone: which words it holds, and their lemmas."""
    return nlp.processors["lemma"].trainer


@cache
def _pipeline(chosen: Models, tagger: bool) -> Any:
    import stanza

    logging.getLogger("stanza").setLevel(logging.ERROR)
    try:
        return stanza.Pipeline(
            "en",
            dir=str(chosen.folder),
            package=None,
            processors={name: package for name, package in chosen.packages if tagger or name != "pos"},
            tokenize_pretokenized=True,
            lemma_pretagged=not tagger,
            lemma_batch_size=1024,
            download_method=None,
            use_gpu=False,  # the same lemmas on every machine
            verbose=False,
        )
    except OSError as error:
        raise UserError(f"{chosen.folder}: no usable Stanza models there ({error}); restore them from Git.") from error


def _hash(model: Path) -> str:
    if not model.exists():
        raise UserError(f"{model}: no Stanza model there; restore it from Git, or set text.stanza: download.")
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(model.read_bytes())
    return digest.hexdigest()[:32]
