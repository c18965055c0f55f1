"""The queries of the evaluation: which held-out posts ask, for each task.

- text_to_user: the text of a post looks for its author; image_to_user: its image does. Candidates are the users with
  train posts; a post by anyone else is counted and not asked.
- image_to_text: an image looks for the text of its post, among the texts of the set's pairs: one pair per unique image
  (a group of near-copies), at most a given number. All images of a post ask for its text, so of posts with several only
  those are taken that share no image.

Which pairs are taken is settled by hashes of ids, so a set changes no more than its posts do.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.hashing import unit_hash

TASKS = ("text_to_user", "image_to_text", "image_to_user")
ENOUGH = 100
"""Posts without an image that make a set of text queries of their own (text_queries: auto)."""


@dataclass(frozen=True)
class Queries:
    """Rows of the held-out posts that ask, by task; and how many do not, by task and reason."""

    rows: dict[str, np.ndarray]
    left_out: dict[str, dict[str, int]]


def queries(
    posts: pa.Table,
    pictures: tuple[np.ndarray, np.ndarray],
    known_author: np.ndarray,
    image_too: bool,
    max_pairs: int,
    seed: int,
) -> Queries:
    """The queries among `posts`, (n,) held-out posts of one side with post_id and words.

    `pictures` are rows of posts, ascending, and the number of the group of near-copies of each one's image;
    `known_author` (n,) whether the author has train posts; `image_too` whether posts with an image ask with their text
    too.
    """
    has_text = pc.list_value_length(posts["words"]).to_numpy() > 0
    post, group = pictures
    has_image = np.bincount(post, minlength=posts.num_rows) > 0

    asks_text = has_text & (image_too | ~has_image)
    pairs = np.flatnonzero(has_text & has_image)
    of_pairs = has_text[post]
    apart = _apart(
        posts["post_id"].take(pa.array(pairs)), np.searchsorted(pairs, post[of_pairs]), group[of_pairs], seed
    )
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
