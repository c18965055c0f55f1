"""A corpus's cleaned posts, shard by shard: their vocabulary, their near-copies, what is kept.

Memory holds the vocabulary, one shard, and of every post what the join and the rule of removal need: its two sets of
words, cleaned and as written, which it may share with others, its id, author, image and place in time.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.groups import components
from pipeline.join.keeping import keep_first
from pipeline.join.pairs import copies, edges_of_posts, near_pairs, overlaps, pairs_of_posts
from pipeline.join.sets import Sets, distinct_sets
from pipeline.tables.table import positions, strings
from pipeline.tables.text import COPY, DERIVED
from pipeline.text import cleaning as text
from pipeline.text.languages.stopwords import stopwords

Array = np.ndarray[Any, Any]


class Vocabulary(NamedTuple):
    """By language spelled (v,): the distinct words as written, and codes (v,): each one's row in `lemmas`, -1 for a
    stopword's. A lemma of two languages is one.
    """

    spelled: dict[str, pa.Array]
    codes: dict[str, Array]
    lemmas: pa.Array

    @classmethod
    def of(cls, spelled: dict[str, pa.Array], lemmas: dict[str, pa.Array]) -> "Vocabulary":
        """From each distinct word and its lemma, in the same order, by language."""
        content = [
            found.filter(pc.invert(pc.is_in(found, value_set=strings(sorted(stopwords(language))))))
            for language, found in lemmas.items()
        ]
        distinct = pc.unique(pa.concat_arrays([strings([]), *content]))
        distinct = distinct.take(pc.sort_indices(distinct))
        codes = {}
        for language, found in lemmas.items():
            row = positions(found, distinct).astype(np.int32)
            stop = pc.is_in(found, value_set=strings(sorted(stopwords(language)))).to_numpy(zero_copy_only=False)
            codes[language] = np.where(stop, -1, row).astype(np.int32)
        return cls(spelled, codes, distinct)

    def encode(self, words: pa.ListArray, language: pa.Array) -> tuple[Array, Array]:
        """Lists of words, each in its language, as offsets (n + 1,) and numbers of lemmas; stopwords are out."""
        flat, spoken = words.flatten(), language.dictionary_encode()
        names = spoken.dictionary.to_pylist()
        if len(names) == 1:
            codes = self.codes[names[0]][positions(flat, self.spelled[names[0]])]
        else:
            codes = np.empty(len(flat), np.int32)
            of = np.repeat(spoken.indices.to_numpy(zero_copy_only=False), pc.list_value_length(words).to_numpy())
            for number, name in enumerate(names):
                rows = np.flatnonzero(of == number)
                codes[rows] = self.codes[name][positions(flat.take(pa.array(rows)), self.spelled[name])]
        kept = codes >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        offsets = words.offsets.to_numpy().astype(np.int64)
        return before[offsets - offsets[0]], codes[kept]


class Posts(NamedTuple):
    """n posts with a word, by post_id: how many words they have, and which distinct ones; author, images (-1: none) as
    numbers; order.
    """

    post_id: pa.ChunkedArray
    words: int
    sets: Sets
    user: Array
    image: Array
    order: Array


class Copies(NamedTuple):
    """Tables DUPLICATES and TEXT_EDGES, and counts of posts, pairs and groups."""

    duplicates: pa.Table
    edges: pa.Table
    counts: dict[str, Any]


def distinct_words(shards: Sequence[Path]) -> dict[str, pa.Array]:
    """The distinct words of CLEANED shards, sorted, by language."""
    words: dict[str, pa.Array] = {}
    for shard in shards:
        for part in text.CLEANED.batches(shard, ["words", "language"]):
            for name in pc.unique(part["language"]).to_pylist():
                here = part.filter(pc.equal(part["language"], name))
                for chunk in here["words"].chunks:
                    known = words.get(name, strings([]))
                    words[name] = pc.unique(pa.concat_arrays([known, pc.unique(chunk.flatten())]))
    return {name: found.take(pc.sort_indices(found)) for name, found in sorted(words.items())}


def read(shards: Sequence[Path], vocabulary: Vocabulary) -> Posts:
    """The posts of CLEANED shards that have a word once lemmas which are stopwords are out.

    Their order is by created_at, then post_id; posts without a time come last.
    """
    ids, users, images, times, lengths, tokens = [], [], [], [], [], []
    for shard in shards:
        for part in text.CLEANED.batches(
            shard, ["post_id", "user_id", "image_id", "more_images", "created_at", "words", "language"]
        ):
            part = part.combine_chunks()
            for batch in part.to_batches():
                offsets, codes = vocabulary.encode(batch["words"], batch["language"])
                size = np.diff(offsets)
                batch = batch.filter(pa.array(size > 0))
                ids.append(batch["post_id"])
                users.append(batch["user_id"].dictionary_encode())
                images.append(_content(batch).dictionary_encode())
                times.append(pc.fill_null(batch["created_at"].cast(pa.int64()), np.iinfo(np.int64).max).to_numpy())
                lengths.append(size[size > 0])
                tokens.append(codes)
    time = np.concatenate(times) if times else np.empty(0, np.int64)
    whole = np.concatenate([np.empty(0, np.int32), *tokens])
    del tokens  # of all posts these are the most of what is held here
    return Posts(
        pa.chunked_array(ids, pa.string()),
        len(whole),
        _sets(lengths, whole),
        _codes(users),
        _codes(images),
        np.argsort(time, kind="stable"),
    )


def _content(batch: pa.RecordBatch) -> pa.Array:
    """What a post shows, one value where it is the same: its image, or all of its images; null where it has none."""
    several = pc.binary_join(batch["more_images"], " ")
    return pc.coalesce(pc.binary_join_element_wise(batch["image_id"], several, " "), batch["image_id"])


def written(shards: Sequence[Path], post_ids: pa.ChunkedArray) -> Sets:
    """The distinct words of the posts as written, in small letters and stopwords among them.

    From TOKENS shards; `post_ids` as `read` has them, in order.
    """
    lengths, parts = [], []
    ids = post_ids.combine_chunks()
    for shard in shards:
        for part in text.TOKENS.batches(shard, ["post_id", "tokens"]):
            here = part.filter(pc.is_in(part["post_id"], value_set=ids)).combine_chunks()
            for batch in here.to_batches():
                lengths.append(pc.list_value_length(batch["tokens"]).to_numpy())
                parts.append(pc.utf8_lower(batch["tokens"].flatten()).dictionary_encode())
    whole = _codes(parts)
    del parts
    return _sets(lengths, whole)


def _sets(lengths: list[Array], tokens: Array) -> Sets:
    """The distinct sets of words of n posts: how many words each has, in pieces, and their words as numbers."""
    return distinct_sets(np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths])), tokens)


def find_copies(posts: Posts, as_written: Sets, min_overlap: float, min_written: float, same_user: bool) -> Copies:
    """Removes near-copies by the rule of `pipeline.join.keeping`, and binds them to what is kept.

    `as_written`: the posts' words as `written`. Two relations: the split binds what is near by cleaned words; removed
    is what is near by the words as written too, since after stopwords and lemmas many a short text is one word. With
    `min_written` 0 cleaned words alone decide, and `as_written` is these.
    """
    sets = posts.sets
    pairs = near_pairs(sets, min_overlap)
    edges = edges_of_posts(sets, pairs, as_written)
    near = copies(sets, as_written, min_overlap, min_written) if min_written else pairs
    kept = keep_first(as_written, near, posts.order, posts.user, posts.image, same_user)
    copied = overlaps(as_written, edges.post, edges.other) >= min_written
    group = components(len(posts.post_id), edges.post, edges.other)
    removed = np.flatnonzero(kept.duplicate_of >= 0)
    original = kept.duplicate_of[removed]
    exact = int((sets.of[removed] == sets.of[original]).sum())
    words = np.diff(sets.offsets)
    few = int((words[sets.of] < fewest_words(min_overlap)).sum())
    sizes = np.bincount(group)
    sizes = sizes[sizes > 1]
    return Copies(
        pa.table(
            {
                "post_id": posts.post_id.take(removed),
                "duplicate_of": posts.post_id.take(original),
                "overlap": pa.array(kept.overlap[removed], pa.float32()),
            }
        ),
        pa.table(
            {
                "post_id": posts.post_id.take(edges.post),
                "other_id": posts.post_id.take(edges.other),
                "kind": pc.if_else(pa.array(copied), COPY, DERIVED),
                "overlap": pa.array(edges.overlap, pa.float32()),
            }
        ),
        {
            "exact": exact,
            "few": few,
            "near": len(removed) - exact,
            "pairs": pairs_of_posts(sets, pairs),
            "groups": len(sizes),
            "grouped": int(sizes.sum()),
            "largest": int(sizes.max(initial=0)),
            "edges": {COPY: int(copied.sum()), DERIVED: int((~copied).sum())},
        },
    )


def fewest_words(min_overlap: float) -> int:
    """The least size of a set of words that may be near another one; a smaller one is the same, or not near."""
    sizes = range(1, 1_000)
    return next((size for size in sizes if size / (size + 1) >= min_overlap), len(sizes) + 1)


def kept_words(shards: Sequence[Path], vocabulary: Vocabulary, copies: Copies) -> Iterator[pa.Table]:
    """Rows of WORDS, in order: posts with a word that were not removed."""
    removed = copies.duplicates["post_id"].combine_chunks()
    for shard in shards:
        for part in text.CLEANED.batches(shard, ["post_id", "words", "hashtags", "language"]):
            for batch in part.combine_chunks().to_batches():
                offsets, codes = vocabulary.encode(batch["words"], batch["language"])
                words = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), vocabulary.lemmas.take(pa.array(codes)))
                held = {name: batch[name] for name in ("post_id", "hashtags", "language")}
                rows = pa.table({**held, "words": words})
                stays = pc.invert(pc.is_in(batch["post_id"], value_set=removed))
                yield rows.filter(pc.and_(stays, pa.array(np.diff(offsets) > 0)))


def facts(
    shards: Sequence[Mapping[str, int]], vocabulary: Vocabulary, posts: Posts, copies: Copies
) -> dict[str, object]:
    """What the stage reports: posts in, out and left out by reason; texts that near-copies of cannot be found, and why;
    pairs, groups and words.
    """
    rows_in = sum(shard["posts"] for shard in shards)
    no_text = sum(shard[text.NO_TEXT] for shard in shards)
    with_words, counts = len(posts.post_id), copies.counts
    return {
        "posts_in": rows_in,
        "posts_out": with_words - counts["exact"] - counts["near"],
        "left_out": {
            text.NO_TEXT: no_text,
            text.NOTHING_LEFT: rows_in - no_text - with_words,
            "exact duplicate": counts["exact"],
            "near duplicate": counts["near"],
        },
        "not_compared": {text.NO_TEXT: no_text, text.NOTHING_LEFT: rows_in - no_text - with_words},
        # Their copies are found where they are the same word for word.
        "compared_as_they_are": {
            "few words": counts["few"],
            text.UNSPLIT: sum(shard[text.UNSPLIT] for shard in shards),
        },
        "pairs": counts["pairs"],
        "groups": counts["groups"],
        "largest_group": counts["largest"],
        "edges": counts["edges"],
        "posts_in_groups": counts["grouped"],
        "words": posts.words,
        "distinct_words": len(vocabulary.lemmas),
    }


def _codes(parts: list[pa.DictionaryArray]) -> Array:
    """A column of strings as numbers from 0, int32, equal for equal strings; -1 for null."""
    if not parts:
        return np.empty(0, np.int32)
    whole = pa.chunked_array(parts).unify_dictionaries()
    return np.concatenate([pc.fill_null(part.indices, -1).to_numpy() for part in whole.chunks])
