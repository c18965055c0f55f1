"""What several pages tell: users, posts, images and clusters in short, and answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Cosine = Annotated[float, Field(ge=-1.0001, le=1.0001)]
Count = Annotated[int, Field(ge=0)]
Href = Annotated[str, Field(pattern="^/", description="an address on this server")]
Day = Annotated[str, Field(pattern=r"^-?\d{4,}-\d\d-\d\d$")]


class Data(BaseModel):
    """What has these fields and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Author(Data):
    """A user as posts name one; `name` is what pages call the user, by report.people."""

    user_id: str
    name: str
    user_href: Href


class Post(Author):
    """A post in short; `side` is train, val, test, excluded, or empty for one that came to no side."""

    post_id: str
    href: Href
    text: str
    created_at: str | None
    side: Literal["train", "val", "test", "excluded", ""]
    held_out: bool
    images: list[str]


class Person(Data):
    """A user in short, with an image of theirs."""

    user_id: str
    name: str
    href: Href
    posts: Count
    cluster: int | None
    image: str | None


class Image(Data):
    """An image in short, with the text and the author of a post that shows it."""

    image_id: str
    href: Href
    text: str
    user_id: str | None
    posts: Count


class _Answer(Data):
    kind: str
    id: str
    cosine: Cosine
    chance: Annotated[float, Field(gt=0, le=1)] | None
    above_chance: bool
    copies: Count
    held_out: bool


class UserAnswer(Person, _Answer):
    """A user, and the posts of theirs that lie nearest to the question."""

    kind: Literal["user"]
    because: list[Post]


class ImageAnswer(Image, _Answer):
    """An image; `copies` of it are folded into this one."""

    kind: Literal["image"]


class TextAnswer(Post, _Answer):
    """The text of a post; `copies` of it are folded into this one."""

    kind: Literal["text"]


class Answers(Data):
    """What was found, by kind, the nearest first; a kind that was not asked for is left out."""

    users: list[UserAnswer] = []
    images: list[ImageAnswer] = []
    texts: list[TextAnswer] = []


class ClusterInShort(Data):
    """A cluster by number, size and the words that tell it from the others."""

    number: Count
    href: Href
    name: str
    words: list[str]
    users: Count


class Pages(Data):
    """Where in a list of so many rows one is."""

    count: Count
    page_number: Annotated[int, Field(ge=1)]
    pages: Annotated[int, Field(ge=1)]
