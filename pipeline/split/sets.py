"""The queries of the evaluation: which held-out posts ask, for each task.

- text_to_user: the text of a post looks for its author; image_to_user: its image does. Candidates are the users with
  train posts; a post by anyone else is counted and not asked.
- image_to_text: an image looks for the text of its post, among the texts of the set's pairs: one pair per unique image
  (a group of near-copies), at most a given number. All images of a post ask for its text, so of posts with several only
  those are taken that share no image.

Which pairs are taken is settled by hashes of ids, so a set changes no more than its posts do.

An evaluation that cannot be is an error, before any training:

- By fewer than TO_CHOOSE queries no epoch is chosen: by chance, the mean of n ranks is within 0.57 / √n of the
  candidates (95 %), which is 0.10 for 30, and epochs differ by less. A task below that does not ask on the validation
  side; where no task is at it the run stops, unless there is a single epoch.
- Fewer than TO_TELL test queries tell nothing: that all of five truths stand in one half of the candidates happens by
  chance once in 16 times (a sign test), so no result is beyond chance at 95 %. With six some are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.common.groups import image_groups as group_numbers
from pipeline.common.hashing import unit_hash
from pipeline.running.errors import UserError
from pipeline.split.sides import TEST, TRAIN, VAL
from pipeline.tables.corpus import pictures_of

TASKS = ("text_to_user", "image_to_text", "image_to_user")
ENOUGH = 100
"""Posts without an image that make a set of text queries of their own (text_queries: auto)."""
TO_CHOOSE, TO_TELL = 30, 6
"""Queries of a task, at least: on the validation side, to choose an epoch by; on the test side, to tell anything."""


@dataclass(frozen=True)
class Queries:
    """Rows of the held-out posts that ask, by task; and how many do not, by task and reason."""

    rows: dict[str, np.ndarray]
    left_out: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Content:
    """n posts: `post_id`; `has_words` (n,); `author` (n,), as a number.

    `pictures` (p,), (p,): rows of posts, ascending, and the number of the group of copies of each one's image.
    """

    post_id: pa.ChunkedArray
    has_words: np.ndarray
    pictures: tuple[np.ndarray, np.ndarray]
    author: np.ndarray

    @classmethod
    def of(cls, posts: pa.Table, has_words: np.ndarray, image_groups: pa.Table) -> "Content":
        """Of `posts` (post_id, user_id, image_id, more_images), whose images are in IMAGE_GROUPS `image_groups`."""
        post_of, image_ids = pictures_of(posts)
        author = posts["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        return cls(posts["post_id"], has_words, (post_of, group_numbers(image_ids, image_groups)), author)

    @property
    def has_image(self) -> np.ndarray:
        """Whether a post has an image, (n,)."""
        return np.bincount(self.pictures[0], minlength=len(self.post_id)) > 0

    def take(self, rows: np.ndarray) -> "Content":
        """The posts at `rows`, ascending."""
        post, group = self.pictures
        here = np.isin(post, rows)
        pictures = np.searchsorted(rows, post[here]), group[here]
        return Content(self.post_id.take(pa.array(rows)), self.has_words[rows], pictures, self.author[rows])


def held_out_queries(
    content: Content, side: np.ndarray, text_queries: str, max_pairs: int, allow_few: bool, seed: int
) -> tuple[bool, dict[str, Queries]]:
    """Whether texts of posts with an image ask too, and the queries of val and test, rows of the n posts.

    `side` (n,). Unless `allow_few`, a task with less than TO_CHOOSE queries does not ask on the validation side.
    """
    on = {name: np.flatnonzero(side == name) for name in (TRAIN, VAL, TEST)}
    decides = on[TEST] if len(on[TEST]) else on[VAL]
    alone = content.has_words[decides] & ~content.has_image[decides]
    image_too = texts_of_images_ask(text_queries, int(alone.sum()))
    known = np.isin(content.author, content.author[on[TRAIN]])
    asked = {}
    for name in (VAL, TEST):
        found = queries(content.take(on[name]), known[on[name]], image_too, max_pairs, seed)
        asked[name] = Queries({task: on[name][rows] for task, rows in found.rows.items()}, found.left_out)
    if not allow_few:
        for task, rows in asked[VAL].rows.items():
            few = len(rows) if len(rows) < TO_CHOOSE else 0
            asked[VAL].left_out[task]["too_few_to_choose_by"] = few
            asked[VAL].rows[task] = rows[few:]
    return image_too, asked


def check_enough(
    asked: Mapping[str, Queries],
    side: np.ndarray,
    fractions: Mapping[str, float],
    epochs: int,
    gone: Mapping[str, int] | None = None,
) -> None:
    """Raises UserError where a held-out side can neither choose nor tell; `fractions` maps each side to its share.

    `gone`: posts of the corpus that are on no side, by what is the matter with them.
    """
    least = {VAL: TO_CHOOSE if epochs > 1 else 0, TEST: TO_TELL}
    purpose = {VAL: "to choose an epoch by", TEST: "to tell anything by"}
    for name, share in fractions.items():
        dropped = {task: told.get("too_few_to_choose_by", 0) for task, told in asked[name].left_out.items()}
        counts = {task: len(rows) + dropped[task] for task, rows in asked[name].rows.items()}
        most = max(counts.values())
        if most >= least[name]:
            continue
        posts = int((side == name).sum())
        told = ", ".join(f"{task} {count}" for task, count in counts.items())
        more = share * least[name] / most if most else 1.0
        larger = f"split.{name}: {np.ceil(more * 100) / 100:g}, by proportion; " if more < 0.5 else "more posts; "
        lost = sum((gone or {}).values())
        why = "; ".join(f"{count} {what}" for what, count in (gone or {}).items() if count)
        before = f"Of {lost + len(side)} posts {why}. " if lost > len(side) else ""
        of_strangers = sum(told.get("author_not_in_train", 0) for told in asked[name].left_out.values())
        if of_strangers > sum(counts.values()):
            before += (
                "Most texts and pictures there are of people who have no post in train: people need several posts. "
            )
        raise UserError(
            f"the {'validation' if name == VAL else 'test'} side holds {posts} of {len(side)} posts and too few "
            f"queries {purpose[name]} ({told}; {least[name]} of one task are needed). {before}What helps: {larger}a "
            "larger split.max_group_share, where metrics/split.json tells of many posts_that_train_whole; another "
            "seed, where groups are few and large. split.allow_empty: true goes on as it is."
        )


def queries(content: Content, known_author: np.ndarray, image_too: bool, max_pairs: int, seed: int) -> Queries:
    """The queries among `content`, n held-out posts of one side.

    `known_author` (n,): whether the author has train posts; `image_too`: whether posts with an image ask with their
    text too.
    """
    has_text, has_image = content.has_words, content.has_image
    post, group = content.pictures

    asks_text = has_text & (image_too | ~has_image)
    pairs = np.flatnonzero(has_text & has_image)
    of_pairs = has_text[post]
    apart = _apart(content.post_id.take(pa.array(pairs)), np.searchsorted(pairs, post[of_pairs]), group[of_pairs], seed)
    chosen = apart[:max_pairs]
    return Queries(
        rows={
            "text_to_user": np.flatnonzero(asks_text & known_author),
            "image_to_text": np.sort(pairs[chosen]),
            "image_to_user": np.flatnonzero(has_image & known_author),
        },
        left_out={
            "text_to_user": {
                "author_not_in_train": int((asks_text & ~known_author).sum()),
                "has_image": int((has_text & has_image).sum()) * (not image_too),
            },
            "image_to_text": {
                "copy_of_an_image_that_asks": len(pairs) - len(apart),
                "beyond_max_image_text_pairs": len(apart) - len(chosen),
                "no_text": int((has_image & ~has_text).sum()),
            },
            "image_to_user": {"author_not_in_train": int((has_image & ~known_author).sum())},
        },
    )


def texts_of_images_ask(text_queries: str, without_image: int) -> bool:
    """Whether posts with an image ask text_to_user too, by the parameter `split.text_queries`.

    `without_image`: the posts with words and no image on the test side (on the validation side, where no test is).
    """
    return {"none": False, "all": True, "auto": without_image < ENOUGH}[text_queries]


def _apart(post_ids: pa.ChunkedArray, post: np.ndarray, group: np.ndarray, seed: int) -> np.ndarray:
    """Posts of which no two have an image of one group, by ascending hash: each that shares none with those before it.

    `post`, ascending, and `group` (p,) are the pictures of the posts. With one a post, this is the row of each group's
    smallest hash.
    """
    order = np.argsort(unit_hash(post_ids.to_pylist(), seed, "image_to_text"), kind="stable")
    begin = np.searchsorted(post, np.arange(len(post_ids) + 1)).tolist()
    groups, chosen = group.tolist(), []
    taken: set[int] = set()
    for row in order.tolist():
        own = groups[begin[row] : begin[row + 1]]
        if taken.isdisjoint(own):
            taken.update(own)
            chosen.append(row)
    return np.array(chosen, np.int64)
