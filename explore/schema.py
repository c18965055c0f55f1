"""What the `.json` of each address holds; as JSON Schema in static/schema.json, by `python -m explore.schema --fix`.

Each class is a page, or a part of several; /static/schema.json#/$defs/Search is the answer to /search.json. Tests hold
the pages' data against the classes, and the file against these.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

FILE = Path(__file__).with_name("static") / "schema.json"
Cosine = Annotated[float, Field(ge=-1.0001, le=1.0001)]
Count = Annotated[int, Field(ge=0)]
Href = Annotated[str, Field(pattern="^/", description="an address on this server")]
Day = Annotated[str, Field(pattern=r"^-?\d{4,}-\d\d-\d\d$")]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


# ---------------------------------------------------------------- parts
class Author(_Data):
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


class Person(_Data):
    """A user in short, with an image of theirs."""

    user_id: str
    name: str
    href: Href
    posts: Count
    cluster: int | None
    image: str | None


class Image(_Data):
    """An image in short, with the text and the author of a post that shows it."""

    image_id: str
    href: Href
    text: str
    user_id: str | None
    posts: Count


class _Answer(_Data):
    id: str
    cosine: Cosine
    chance: Annotated[float, Field(gt=0, le=1)]
    above_chance: bool
    copies: Count
    held_out: bool


class UserAnswer(_Answer, Person):
    """A user, and the posts of theirs that lie nearest to the question."""

    kind: Literal["user"]
    because: list[Post]


class ImageAnswer(_Answer, Image):
    """An image; `copies` of it are folded into this one."""

    kind: Literal["image"]


class TextAnswer(_Answer, Post):
    """The text of a post; `copies` of it are folded into this one."""

    kind: Literal["text"]


class Answers(_Data):
    """What was found, by kind, the nearest first; a kind that was not asked for is left out."""

    users: list[UserAnswer] = []
    images: list[ImageAnswer] = []
    texts: list[TextAnswer] = []


class ClusterInShort(_Data):
    """A cluster by number, size and the words that tell it from the others."""

    number: Count
    href: Href
    name: str
    words: list[str]
    users: Count


class _Pages(_Data):
    count: Count
    page_number: Annotated[int, Field(ge=1)]
    pages: Annotated[int, Field(ge=1)]


# ---------------------------------------------------------------- pages
class Term(_Data):
    """A term of a question, as it was typed."""

    sign: Literal[1, -1]
    kind: Literal["text", "user", "image", "post"]
    value: str


class Search(_Data):
    """/search.json: `unknown` words with known ones that are spelled so, `from_parts` with those that lie near."""

    question: str
    terms: list[Term]
    notes: list[str]
    unknown: dict[str, list[str]]
    from_parts: dict[str, list[str]]
    answered: bool
    answers: Answers
    picture: str | None
    narrowed: bool


class Predicted(_Data):
    """An interest of the nearest users: its share of them, and of all."""

    interest: str
    of_nearest: Annotated[float, Field(ge=0, le=1)]
    of_all: Annotated[float, Field(ge=0, le=1)]


class NearUser(UserAnswer):
    """A user near to another, and words that both use and others less."""

    shared_words: list[str]


class NearUsers(_Data):
    """What lies nearest to a user."""

    users: list[NearUser]
    images: list[ImageAnswer]


class User(_Pages):
    """/user/ID.json"""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)
    user_id: str
    name: str
    spelled: str
    posts_in_all: Count
    trained_on: Count
    held_out: Count
    since: Annotated[Day | None, Field(alias="from")]
    to: Day | None
    words: list[str]
    interests: list[str]
    predicted: list[Predicted]
    cluster: ClusterInShort | None
    has_vector: bool
    nearest: NearUsers
    posts: list[Post]


class ImagePage(_Data):
    """/image/ID.json"""

    image_id: str
    spelled: str
    posted: list[Post]
    copies: list[Image]
    nearest: Answers


class Exported(_Data):
    """What an export told of a post; null where it did not tell."""

    url: str | None
    reply_to: Author | None
    likes: int | None
    replies: int | None
    language: str | None
    alt: list[str | None] | None


class PostPage(_Data):
    """/post/ID.json"""

    post: Post
    spelled: str
    exported: Exported | Annotated[dict[str, Any], Field(max_length=0)]
    answers: Post | None
    answered_by: list[Post]
    by_time: bool
    before: list[Post]
    after: list[Post]
    copies: list[Post]
    nearest: Answers


class Member(Person):
    """A user of a cluster, and the cosine to its centre."""

    cosine: float


class Month(_Data):
    """Posts of a month."""

    month: Annotated[str, Field(pattern=r"^-?\d{4,}-\d\d$")]
    posts: Count


class Neighbour(ClusterInShort):
    """A cluster near to another, and the words that tell each from the other."""

    cosine: Cosine
    here: list[str]
    there: list[str]


class Cluster(ClusterInShort):
    """/cluster/N.json"""

    members: list[Member]
    nearest: Answers
    months: list[Month]
    neighbours: list[Neighbour]


class Clusters(_Data):
    """/clusters.json"""

    clusters: list[ClusterInShort]


class Users(_Pages):
    """/users.json"""

    begins: str
    users: list[Person]


class Named(_Data):
    """Where the name of a cluster stands on the map."""

    cluster: Count
    name: str
    x: Count
    y: Count


class Map(_Data):
    """/map.json: points row by row, from 0 to 65535."""

    kind: Literal["user", "image"]
    x: list[Annotated[int, Field(ge=0, le=65535)]]
    y: list[Annotated[int, Field(ge=0, le=65535)]]
    cluster: list[int]
    names: list[Named]


class PersonThere(Person):
    """A user at a row of the map."""

    row: Count


class ImageThere(Image):
    """An image at a row of the map."""

    row: Count


class MapRows(_Data):
    """/map.json?rows=1,2"""

    things: list[PersonThere | ImageThere]


class About(_Data):
    """/about.json"""

    source: str
    recipe: str
    seed: int
    lambdas: list[float]
    posts: Count
    users: Count
    images: Count
    vectors: dict[Literal["user", "image", "text"], Count]
    numbers_per_vector: Count
    model: dict[str, Any]
    metrics: dict[str, dict[str, Any]]


class Mark(_Data):
    """A thing in a collection."""

    collection: str
    kind: Literal["user", "image", "post"]
    id: str
    href: Href


class Marks(_Data):
    """/marks.json"""

    marks: list[Mark]


class Marked(_Data):
    """A thing of a collection, as its kind has it in short; `href` is null where it is no longer in the corpus."""

    model_config = ConfigDict(extra="allow", strict=True)
    kind: Literal["user", "image", "post"]
    id: str
    href: Href | None


class Told(_Data):
    """How well a linear SVM tells the users of a collection, as interests are measured."""

    users: Count
    scaling: dict[str, Count]
    f1: float
    interval_95: list[float]
    always_yes: float


class NotMeasured(_Data):
    """Why it was not measured."""

    not_measured: str


class Collection(_Data):
    """/marks/NAME.json; `told` with ?tell=1"""

    collection: str
    members: list[Marked]
    more: Answers
    told: Told | NotMeasured | None


class Wrong(_Data):
    """What cannot be answered says so, with the status of HTTP."""

    message: str
    status: int


PAGES: dict[str, type[BaseModel]] = {
    "search": Search, "user": User, "image": ImagePage, "post": PostPage, "cluster": Cluster, "clusters": Clusters,
    "users": Users, "map": Map, "map_rows": MapRows, "about": About, "marks": Marks, "collection": Collection,
    "wrong": Wrong,
}  # fmt: skip


def schema() -> str:
    """The JSON Schema of all pages."""
    refs, found = models_json_schema([(page, "validation") for page in PAGES.values()], title="Answers of make explore")
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "Each page's answer by its name in $defs.",
        "anyOf": [refs[page, "validation"] for page in PAGES.values()],
        **found,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Exit status 1 where the file is not what the classes say; --fix writes it."""
    if "--fix" in sys.argv[1:]:
        FILE.write_text(schema(), encoding="utf-8")
    same = FILE.exists() and FILE.read_text(encoding="utf-8") == schema()
    sys.stdout.write(f"{FILE}: {'as explore/schema.py says' if same else 'stale: python -m explore.schema --fix'}\n")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
