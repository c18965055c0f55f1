"""What the page shows of the corpus: posts and images by id, as cards."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.report.page import Card

LONGEST = 160
"""Characters of a post's text that a card shows."""


def clip(text: str | None, longest: int = LONGEST) -> str:
    """`text` on one line, without control characters, cut at a word after at most `longest` characters."""
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in (text or "")[: 8 * longest])
    plain = " ".join(plain.split())
    if len(plain) <= longest:
        return plain
    head = plain[:longest]
    return (head.rsplit(" ", 1)[0] if " " in head[longest // 2 :] else head).rstrip(" ,.;:") + " …"


def called(user_id: str | None, people: str, longest: int = 40) -> str:
    """What a page calls a user: the id, its initials, or nobody's name, as `people` (`report.people`) says."""
    if people == "hidden":
        return "a user"
    name = clip(user_id, longest)
    if people == "shown":
        return name
    words = re.findall(r"[^\W\d_]+", name)
    return " ".join(f"{word[0].upper()}." for word in words[:3]) or "?"


@dataclass(frozen=True)
class Shelf:
    """Posts by post_id (user_id, text, image_id), thumbnails by image_id, a post of each image, an image of a user.

    `people`: shown, initials or hidden.
    """

    posts: Mapping[str, Mapping[str, Any]]
    thumbnails: Mapping[str, str]
    post_of_image: Mapping[str, str]
    image_of_user: Mapping[str, str]
    people: str = "shown"

    def called(self, user_id: str | None, longest: int = 40) -> str:
        """What the page calls a user."""
        return called(user_id, self.people, longest)

    def post(self, post_id: str, note: str = "") -> Card:
        """A post: its picture, its text, its author."""
        post = self.posts[post_id]
        return Card(
            clip(post["text"]) or "(no text)",
            self.thumbnails.get(post["image_id"] or ""),
            f"by {self.called(post['user_id'])}",
            note,
        )

    def text(self, post_id: str, note: str = "") -> Card:
        """A post's text alone."""
        return Card(clip(self.posts[post_id]["text"]) or "(no text)", note=note)

    def image(self, image_id: str, note: str = "") -> Card:
        """An image, with the text of a post that has it."""
        post = self.posts.get(self.post_of_image.get(image_id, ""), {})
        return Card(clip(post.get("text"), 60), self.thumbnails.get(image_id), note=note)

    def user(self, user_id: str, note: str = "") -> Card:
        """A user, with one of the user's images."""
        return Card(self.called(user_id), self.thumbnails.get(self.image_of_user.get(user_id, "")), note=note)
