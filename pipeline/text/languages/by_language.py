"""The second pass over a corpus's posts: each one's language, and the words that this language has of it.

English posts keep the words of the first pass. Those of any other are made anew from their tokens (`inflection`). Where
hashtags are split, a tag's word is replaced by its parts.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.table import strings
from pipeline.text.cleaning import CLEANED, TOKENS, lists
from pipeline.text.hashtags import Splitter
from pipeline.text.languages.detection import Guesses, decide
from pipeline.text.languages.inflection import has_lemmas, word_of
from pipeline.text.languages.stopwords import stopwords

ENGLISH = "en"


def allowed_languages(
    chosen: Literal["auto"] | Sequence[str], source: str, generated: Sequence[str]
) -> Sequence[str] | None:
    """The languages that posts of a corpus may be in, by text.languages; None: any.

    openclipart is English (titles of a few drawings are Italian or Portuguese; three words say too little), and so is a
    corpus that was `generated` in English alone.
    """
    if chosen != "auto":
        return chosen
    english = source == "openclipart" or (source == "synthetic" and list(generated) == [ENGLISH])
    return (ENGLISH,) if english else None


def rules(language: str) -> dict[str, str | bool]:
    """What is known of a language: whose lemmas, and whether it has a list of stopwords."""
    lemmas = "stanza" if language == ENGLISH else "simplemma" if has_lemmas(language) else "none"
    return {"lemmas": lemmas, "stopwords": len(stopwords(language)) > 1}


def languages(shards: Sequence[Path], allowed: Sequence[str] | None) -> dict[str, pa.DictionaryArray]:
    """The language of each post of TOKENS shards, by a shard's name; of one `allowed` language, that."""
    if allowed is not None and len(allowed) == 1:
        sizes = {shard.name: TOKENS.count(shard) for shard in shards}
        return {name: pa.repeat(allowed[0], size).dictionary_encode() for name, size in sizes.items()}
    parts = [TOKENS.read(shard, ["user_id", "guesses", "scores"]).combine_chunks() for shard in shards]
    whole = pa.concat_tables(parts).combine_chunks()
    author = whole["user_id"].combine_chunks()
    codes = author.dictionary_encode().indices.to_numpy(zero_copy_only=False) if len(author) else np.empty(0, np.int64)
    guesses = Guesses(*(whole[name].combine_chunks() for name in ("guesses", "scores")))
    decided = decide(guesses, codes.astype(np.int64), allowed)
    ends = np.cumsum([part.num_rows for part in parts])
    return {
        shard.name: decided.slice(end - part.num_rows, part.num_rows).dictionary_encode()
        for shard, part, end in zip(shards, parts, ends.tolist(), strict=True)
    }


def in_own_language(
    shard: Path, target: Path, languages: Mapping[str, pa.DictionaryArray], splitter: Splitter | None = None
) -> dict[str, int]:
    """A shard of TOKENS as a shard of CLEANED: posts that have a word in their language. Returns how many there are."""
    posts = TOKENS.read(shard).combine_chunks()
    language = languages[shard.name].cast(pa.string())
    words = _spoken(posts, language)
    if splitter and len(pc.list_flatten(posts["hashtags"])):
        made, spoken = words.to_pylist(), language.to_pylist()
        for row, tags in enumerate(posts["hashtags"].to_pylist()):
            if tags:
                made[row] = splitter.replaced(made[row], tags, spoken[row])
        words = lists(made)
    table = posts.select([name for name in posts.column_names if name in CLEANED.schema.names and name != "words"])
    table = table.append_column(CLEANED.schema.field("words"), words)
    table = table.append_column(CLEANED.schema.field("language"), language)
    table = table.filter(pc.greater(pc.list_value_length(table["words"]), 0))
    CLEANED.write_shard(table, target)
    return {"posts": table.num_rows}


def _spoken(posts: pa.Table, language: pa.Array) -> pa.ListArray:
    """The words of posts of TOKENS in their languages; each distinct token of a language is looked at once."""
    parts, rows = [], []
    for name in pc.unique(language).to_pylist():
        here = pa.array(np.flatnonzero(pc.equal(language, name).to_numpy(zero_copy_only=False)))
        held = posts.select(["words", "tokens"]).take(here).combine_chunks()
        if name == ENGLISH:
            parts.append(held["words"].combine_chunks())
        else:
            parts.append(_words(held["tokens"].combine_chunks(), name))
        rows.append(here)
    if len(parts) == 1:
        return parts[0]
    whole = pa.concat_arrays([lists([]), *parts])
    return whole.take(pc.sort_indices(pa.concat_arrays([pa.array([], pa.int64()), *rows])))


def _words(tokens: pa.ListArray, language: str) -> pa.ListArray:
    """The words of texts of one language, from their tokens."""
    encoded = tokens.flatten().dictionary_encode()
    words = strings([word_of(token, language) for token in encoded.dictionary.to_pylist()]).take(encoded.indices)
    kept = pc.not_equal(words, "").to_numpy(zero_copy_only=False)
    before = np.concatenate([[0], np.cumsum(kept)])
    offsets = tokens.offsets.to_numpy()
    return pa.ListArray.from_arrays(pa.array(before[offsets - offsets[0]], pa.int32()), words.filter(pa.array(kept)))


def splitter(shards: Sequence[Path]) -> Splitter:
    """Splits hashtags by the words of TOKENS shards, and how often each stands outside a hashtag."""
    counts: Counter[str] = Counter()
    for shard in shards:
        posts = TOKENS.read(shard, ["words", "hashtags"])
        counts.update(_counted(posts["words"]))
        counts.subtract(_counted(posts["hashtags"], pc.utf8_lower))
    return Splitter({word: count for word, count in counts.items() if count > 0})


def _counted(column: pa.ChunkedArray, change: Callable[[pa.Array], pa.Array] = lambda words: words) -> dict[str, int]:
    words = change(pc.list_flatten(column).combine_chunks())
    found = pc.value_counts(words)
    return dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))
