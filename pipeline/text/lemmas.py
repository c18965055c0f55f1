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
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.running.errors import Damaged, UserError
from pipeline.running.files import atomic_file
from pipeline.running.machine import cache_folder
from pipeline.running.progress import bar
from pipeline.tables.table import read_parquet, write_parquet

if TYPE_CHECKING:
    from pipeline.text.lemmatizer import Lemmatizer

LONGEST = 40
LETTERS = rf"^[a-z']{{2,{LONGEST}}}$"
INFLECTED = r"(?:s|ed|ing)$"
ENDING, BEGINNING = 4, 3
"""The network may change at most the last 4 letters of a word, and none of the first 3."""
SENTENCE = 100
"""Longer posts are tagged in pieces of this many words. With words cut to LONGEST letters, as the tagger pads all of a
batch to the longest, this bounds its memory."""

log = logging.getLogger("lemmas")

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
    known = _known(kept)
    asked = words.filter(pc.match_substring_regex(words, LETTERS))
    new = asked.filter(pc.invert(pc.is_in(asked, value_set=known["word"])))
    if len(new):
        known = pa.concat_tables([known, _ask(new, chosen)]).combine_chunks()
        with atomic_file(kept) as temporary:
            write_parquet(known, temporary)
    return pc.coalesce(known["lemma"].take(pc.index_in(words, value_set=known["word"])), words).combine_chunks()


def _known(kept: Path) -> pa.Table:
    """The answers that the cache holds: none where its file is damaged, which costs asking again."""
    if not kept.exists():
        return _CACHED.empty_table()
    try:
        known = read_parquet(kept)
        if known.schema != _CACHED:
            raise Damaged(kept, "it has other columns")
    except Damaged:
        log.warning("%s is damaged; its lemmas are looked up again", kept)
        return _CACHED.empty_table()
    return known


def lemmatize_apart(sentences: Sequence[Sequence[str]], chosen: Models) -> list[list[str]]:
    """The lemma of each word of each sentence, in any case, as `lemmatize_words` gives it: for a few texts."""
    spelled = sorted({word.lower() for words in sentences for word in words})
    lemmas = dict(zip(spelled, lemmatize_words(pa.array(spelled, pa.string()), chosen).to_pylist(), strict=True))
    return [[lemmas[word.lower()] for word in words] for words in sentences]


def lemmatize_sentences(sentences: Sequence[Sequence[str]], chosen: Models) -> list[list[str]]:
    """The lower-cased lemma of each word of each sentence, by its part of speech there; words in any case."""
    pieces = [
        [word[:LONGEST] for word in words[at : at + SENTENCE]]
        for words in sentences
        for at in range(0, len(words), SENTENCE)
    ]
    found = iter(_tagged(pieces, chosen) if pieces else [])
    return [
        [
            lemma if len(word) <= LONGEST else word.lower()
            for at in range(0, len(words), SENTENCE)
            for word, lemma in zip(words[at : at + SENTENCE], next(found), strict=True)
        ]
        for words in sentences
    ]


def _ask(words: pa.Array, chosen: Models) -> pa.Table:
    """Rows of the cache for words of LETTERS."""
    lemmatizer = _lemmatizer(chosen.lemmatizer)
    lemmas = {word: lemmatizer.dictionary.get(word, word).lower() for word in words.to_pylist()}
    new = [word for word in lemmas if word not in lemmatizer.dictionary and re.search(INFLECTED, word)]
    with bar("lemmas", "new words", total=len(new)) as shown:
        for batch, spelled in lemmatizer.spell(new):
            lemmas.update((word, _accepted(word, lemma, False)) for word, lemma in zip(batch, spelled, strict=True))
            shown.update(len(batch))
    return pa.table([list(lemmas), list(lemmas.values())], schema=_CACHED)


def _tagged(sentences: list[list[str]], chosen: Models) -> Iterator[list[str]]:
    """The lemmas of each sentence by tagger and lemmatizer."""
    from pipeline.text.lemmatizer import Lemmatizer

    nlp = _pipeline(chosen)
    lemmatizer = Lemmatizer(nlp.processors["lemma"].trainer)
    for sentence in nlp(sentences).sentences:
        found = [(word.text, word.upos, word.lemma) for word in sentence.words]
        listed = lemmatizer.holds([(word, tag) for word, tag, _ in found])
        yield [_accepted(word, lemma, known) for (word, _, lemma), known in zip(found, listed, strict=True)]


def _accepted(word: str, lemma: str, known: bool) -> str:
    """The lower-cased lemma of a word where it is to be trusted, as what the dictionary holds is; else the word."""
    word, lemma = word.lower(), lemma.lower()
    kept = word[: max(BEGINNING, len(word) - ENDING)]
    trusted = known or (re.search(INFLECTED, word) and lemma.startswith(kept))
    return lemma if trusted and re.match(LETTERS, word) else word


@cache
def _lemmatizer(model: Path) -> "Lemmatizer":
    from pipeline.text.lemmatizer import Lemmatizer

    return Lemmatizer.load(model)


@cache
def _pipeline(chosen: Models) -> Any:
    """Stanza's pipeline of tagger and lemmatizer, for texts that are split into words."""
    import stanza

    logging.getLogger("stanza").setLevel(logging.ERROR)
    try:
        return stanza.Pipeline(
            "en",
            dir=str(chosen.folder),
            package=None,
            processors=dict(chosen.packages),
            tokenize_pretokenized=True,
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
    digest = hashlib.sha256()
    for file in (Path(__file__), Path(__file__).with_name("lemmatizer.py"), model):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:32]
