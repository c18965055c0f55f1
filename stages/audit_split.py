"""Stage `audit_split`: search held-out content for near-copies on other sides, exactly; write the final split.

Reads   data/corpus/posts        a post: post_id, user_id, image_id, text
        data/text/words          a post with words: post_id, words
        data/corpus/images       an image: bytes, width, for the second check of what may be a copy
        data/images/features     an image: image_id, vector
        data/images/groups       an image: image_id, group_id
        data/split/assigned      a post with words or an image: post_id, group_id, split, reason
Writes  data/split/posts         the same posts; a near-copy of held-out content is `excluded`
        data/split/{train,val,test}  the posts of one side with their content: post_id, user_id, image_id, words
        data/split/fit           the posts that vocabulary, word vectors and users' initial vectors are fitted on
        data/split/sets          a query: split (val, test), task, post_id
        data/split/close         the closest pairs across sides below the thresholds; samples of those judged
                                 different, and of those taken for copies
        metrics/audit.json       posts per side; per kind and held-out side, items searched, copies found (pairs),
                                 judged different, in the grey zone, of images pairs by each kind of proposal;
                                 crossings before and after; queries and those not asked by reason
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.metrics import write_metrics
from pipeline.running.checkpoints import keep_in
from pipeline.running.params import load
from pipeline.running.schema import Params
from pipeline.split.as_written import written_words
from pipeline.split.audit import Finding, across, check_groups_whole, exclude, remaining, with_pairs
from pipeline.split.corner_votes import voted
from pipeline.split.exact_search import BLOCK, Found, search_images, search_texts, unit
from pipeline.split.pictures import confirm
from pipeline.split.sets import TASKS, Content, check_enough, held_out_queries
from pipeline.split.sides import EXCLUDED, TEST, TRAIN, VAL, held_out_fractions
from pipeline.split.sketches import Sketches
from pipeline.split.word_sets import word_sets
from pipeline.tables.corpus import POSTS, pictures_of
from pipeline.tables.images import FEATURES, IMAGE_GROUPS
from pipeline.tables.split import ASSIGNED, CLOSE, CONTENT, NEAR_COPY, SETS
from pipeline.tables.table import matrix, positions, stacked
from pipeline.tables.text import WORDS
from stages.runner import resumable, run

POSTS_PATH = Path("data/corpus/posts")
WORDS_PATH = Path("data/text/words")
FEATURES_PATH = Path("data/images/features")
IMAGES_PATH = Path("data/corpus/images")
IMAGE_GROUPS_PATH = Path("data/images/groups")
ASSIGNED_PATH = Path("data/split/assigned")
SPLIT = Path("data/split")
METRICS = Path("metrics/audit.json")

AT_ONCE = 100_000
"""Posts that are written at a time."""

log = logging.getLogger("audit_split")


def main() -> None:
    params = load("seed", "split", "text.min_overlap", "images.min_cosine", "images.neighbours", "train.epochs")
    assigned = ASSIGNED.read(ASSIGNED_PATH)
    before = _sides(assigned["split"])
    check_groups_whole(assigned["group_id"], before)
    row, content = _content(assigned["post_id"])

    with resumable("audit_split") as folder:
        texts, text_of = _audit_texts("text", content["words"].chunks, content["post_id"], before, params, folder)
        as_written = _written(row, pc.greater(pc.list_value_length(content["words"]), 0))
        written, written_of = _audit_texts("written", as_written, content["post_id"], before, params, folder)
        images, post_of, image_of = _audit_images(content, before, params, folder)
    by_image = np.zeros(len(before), bool)
    by_image[post_of[images.excluded]] = True  # one picture is enough
    by_text = texts.excluded | written.excluded
    side = exclude(before, by_text | by_image, params.split.max_excluded_share, _example(texts, written, images))

    reason = pc.if_else(pa.array(side != before), NEAR_COPY, assigned["reason"])

    after = assigned.set_column(2, "split", pa.array(side, pa.string())).set_column(3, "reason", reason)
    ASSIGNED.write(after, SPLIT / "posts")
    for name in (TRAIN, VAL, TEST):
        _write(content, side == name, SPLIT / name)
    _write(content, side == TRAIN if params.split.fit_on == "train" else side != EXCLUDED, SPLIT / "fit")
    CLOSE.write(pa.concat_tables([texts.close, written.close, images.close]), SPLIT / "close")
    asked = _write_sets(content, side, params)
    write_metrics(
        {
            "fit_on": params.split.fit_on,
            "posts": {"in": len(side)} | {name: int((side == name).sum()) for name in (TRAIN, VAL, TEST, EXCLUDED)},
            "excluded": {
                "by_cut": int((before == EXCLUDED).sum()),
                "from_train": int((before[side == EXCLUDED] == TRAIN).sum()),
                "from_val": int((before[side == EXCLUDED] == VAL).sum()),
                "by_text": int(by_text.sum()),
                "by_image": int(by_image.sum()),
            },
            "crossings": {
                "found": sum(len(finding.copies) for finding in (texts, written, images)),
                "left": remaining(texts, side, text_of)
                + remaining(written, side, written_of)
                + remaining(images, side[post_of], image_of),
            },
            "texts": texts.counts,
            "texts_as_written": written.counts,
            "images": images.counts,
            "queries": asked,
        },
        METRICS,
    )
    log.info("%d posts excluded; %s", (side != before).sum(), {n: int((side == n).sum()) for n in (TRAIN, VAL, TEST)})


def _sides(column: pa.ChunkedArray) -> np.ndarray:
    """The sides (n,) as references to a few strings, not a string per post."""
    sides = column.combine_chunks().dictionary_encode()
    return np.asarray(np.array(sides.dictionary.to_pylist(), object)[sides.indices.to_numpy()])


def _content(post_ids: pa.ChunkedArray) -> tuple[np.ndarray, pa.Table]:
    """The assigned posts' rows among all posts, and their content, in order of post_id."""
    posts = POSTS.read(POSTS_PATH, ["post_id", "user_id", "image_id", "more_images"])
    rows = positions(post_ids, posts["post_id"])
    posts = posts.take(pa.array(rows))
    written = WORDS.read(WORDS_PATH, ["post_id", "words"])
    row = positions(post_ids, written["post_id"])
    found = written["words"].take(pa.array(row, mask=row < 0))
    words = pc.fill_null(found, pa.scalar([], found.type))
    return rows, posts.append_column("words", words)


def _audit_texts(
    kind: str, texts: Iterable[pa.Array], ids: pa.ChunkedArray, side: np.ndarray, params: Params, folder: Path
) -> tuple[Finding, np.ndarray]:
    """What was found among the sets of words of n texts, and the set of each."""
    sets, text_of = word_sets(texts)
    searches = count()

    def search(asking: np.ndarray, asked: np.ndarray) -> Found:
        overlap, floor = params.text.min_overlap, params.split.audit_min_overlap
        keep = keep_in(folder / f"{kind}-{next(searches)}")
        return search_texts(sets.take(asking), sets.take(asked), overlap, floor, keep)

    return across(kind, side, text_of, ids, search), text_of


def _written(rows: np.ndarray, chosen: pa.ChunkedArray) -> Iterator[pa.Array]:
    """The words as written of the posts at these rows, ascending; those without a cleaned word, which are not `chosen`
    (n,), say nothing to the model.
    """
    begin = 0
    for shard, here in POSTS.at(POSTS_PATH, rows, ["text"]):
        yield from written_words(shard["text"].take(pa.array(here)), chosen.slice(begin, len(here)))
        begin += len(here)


def _audit_images(
    content: pa.Table, side: np.ndarray, params: Params, folder: Path
) -> tuple[Finding, np.ndarray, np.ndarray]:
    """What was found among the pictures of the posts, picture by picture; the post and the image of each."""
    features = FEATURES.read(FEATURES_PATH, ["image_id"])["image_id"]
    post_of, image_ids = pictures_of(content)
    image_of = positions(image_ids, features)
    searches, confirmations = count(), count()
    held_out = np.zeros(len(features), bool)
    held_out[image_of[np.isin(side[post_of], (TEST, VAL))]] = True
    sketches = Sketches.of(IMAGES_PATH, held_out, folder / "sketches")
    told: list[dict[str, int]] = []
    by_votes_alone: list[np.ndarray] = []

    def search(asking: np.ndarray, asked: np.ndarray) -> Found:
        cosine, floor = params.images.min_cosine, params.split.audit_min_cosine
        keep = keep_in(folder / f"images-{next(searches)}")
        most = params.images.neighbours
        found = search_images(_gathered(asking, unit), _vectors(asked), cosine, floor, most, len(asked), keep)
        query, target, votes_cut = voted(sketches, asking, asked, params.seed, keep)
        both, alone = with_pairs(found, query, target, _cosines(asking[query], asked[target]))
        told.append({"by_features": len(found.query), "by_corners": len(query)})
        told[-1] |= {"beyond_neighbours": found.beyond, "beyond_votes": votes_cut}
        by_votes_alone.append(alone)
        return both

    def same(held_out: np.ndarray, other: np.ndarray) -> np.ndarray:
        found = confirm(sketches, held_out, other, keep_in(folder / f"pictures-{next(confirmations)}"))
        told[-1]["copies_by_corners_alone"] = int((found & by_votes_alone[-1]).sum())
        return found

    shown = pa.chunked_array([image_ids], pa.string())
    finding = across("image", side[post_of], image_of, shown, search, same)
    for counts, about in zip(finding.counts.values(), told, strict=True):
        counts |= {"copies_by_corners_alone": 0} | about
    return finding, post_of, image_of


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cosine (p,) of the features of each pair of rows."""
    rows, place = np.unique(np.concatenate([one, other]), return_inverse=True)
    if not len(rows):
        return np.empty(0)
    vectors, cosines = _gathered(rows), np.empty(len(one), np.float32)
    for begin in range(0, len(one), BLOCK):  # all pairs at once would take 16 KB each
        left, right = (side[begin : begin + BLOCK] for side in (place[: len(one)], place[len(one) :]))
        cosines[begin : begin + BLOCK] = (unit(vectors[left]) * unit(vectors[right])).sum(axis=1)
    return cosines


def _gathered(rows: np.ndarray, changed: Callable[[np.ndarray], np.ndarray] = np.asarray) -> np.ndarray:
    """These rows, ascending, of the features, as (r, d), `changed` piece by piece: none is in memory twice."""
    return stacked(map(changed, _vectors(rows)), len(rows))


def _vectors(rows: np.ndarray) -> Iterator[np.ndarray]:
    """These rows, ascending, of the features, shard by shard and of each BLOCK at a time."""
    for shard, here in FEATURES.at(FEATURES_PATH, rows, ["vector"]):
        values = matrix(shard["vector"])
        for begin in range(0, max(1, len(here)), BLOCK):
            yield values[here[begin : begin + BLOCK]]


def _write(content: pa.Table, chosen: np.ndarray, path: Path) -> None:
    """Write those of the posts that are `chosen` (n,), piece by piece: together they would be in memory twice."""
    with CONTENT.writer(path) as writer:
        for begin in range(0, len(chosen), AT_ONCE):
            writer.write(content.slice(begin, AT_ONCE).filter(pa.array(chosen[begin : begin + AT_ONCE])))


def _example(*findings: Finding) -> str:
    """One crossing in words."""
    examples = [finding.example for finding in findings if finding.example is not None]
    return " and ".join(examples[0]) if examples else ""


def _write_sets(content: pa.Table, side: np.ndarray, params: Params) -> dict[str, object]:
    """Write the evaluation sets; returns queries asked and not asked, by split and task."""
    split = params.split
    has_words = pc.list_value_length(content["words"]).to_numpy() > 0
    everything = Content.of(content, has_words, IMAGE_GROUPS.read(IMAGE_GROUPS_PATH, ["image_id", "group_id"]))
    few = split.allow_empty or params.train.epochs == 1
    image_too, asked = held_out_queries(
        everything, side, split.text_queries, split.max_image_text_pairs, few, params.seed
    )
    if not split.allow_empty:
        check_enough(asked, side, held_out_fractions(split.test, split.val, split.protocol), params.train.epochs)
    told: dict[str, object] = {"texts_of_posts_with_image_ask": image_too}
    sets = [SETS.empty()]
    for name, found in asked.items():
        for task in TASKS:
            ids = content["post_id"].take(pa.array(found.rows[task]))
            columns = {"split": pa.repeat(name, len(ids)), "task": pa.repeat(task, len(ids)), "post_id": ids}
            sets.append(pa.table(columns).cast(SETS.schema))
        told[name] = {t: {"queries": len(found.rows[t]), "not_asked": found.left_out[t]} for t in TASKS}
    SETS.write(pa.concat_tables(sets), SPLIT / "sets")
    return told


if __name__ == "__main__":
    run("audit_split", main)
