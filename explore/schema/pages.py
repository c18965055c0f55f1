"""The pages, each a class: what its `.json` holds."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from explore.schema.parts import (
    Answers,
    Author,
    ClusterInShort,
    Cosine,
    Count,
    Data,
    Day,
    Href,
    Image,
    ImageAnswer,
    Pages,
    Person,
    Post,
    UserAnswer,
)  # fmt: skip


class Term(Data):
    """A term of a question, as it was typed."""

    sign: Literal[1, -1]
    kind: Literal["text", "user", "image", "post"]
    value: str


class Tested(Data):
    """Of how many test queries of this sort the right answer was among the first ten; the share, and its interval."""

    queries: Count
    candidates: Count
    among_ten: float
    interval_95: list[float] | None


class Search(Data):
    """/search.json: `unknown` words with known ones that are spelled so, `from_parts` with those that lie near;
    `tested` for the kinds of answers that the evaluation asked for.
    """

    question: str
    terms: list[Term]
    notes: list[str]
    unknown: dict[str, list[str]]
    from_parts: dict[str, list[str]]
    answered: bool
    answers: Answers
    tested: dict[Literal["users", "images", "texts"], Tested]
    picture: str | None
    narrowed: bool


class Predicted(Data):
    """An interest of the nearest users: its share of them, and of all."""

    interest: str
    of_nearest: Annotated[float, Field(ge=0, le=1)]
    of_all: Annotated[float, Field(ge=0, le=1)]


class NearUser(UserAnswer):
    """A user near to another, and words that both use and others less."""

    shared_words: list[str]


class NearUsers(Data):
    """What lies nearest to a user."""

    users: list[NearUser]
    images: list[ImageAnswer]


class ComparedUser(Data):
    """Another user, as an answer to the one of the page (null without a vector), the posts of the one that lie nearest
    to the other, and what parts them in words.
    """

    name: str
    as_answer: NearUser | None
    because: list[Post]
    here: list[str]
    there: list[str]


class User(Pages):
    """/user/ID.json; `compared` with ?with=NAME"""

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
    compared: ComparedUser | None
    nearest: NearUsers
    posts: list[Post]


class ImagePage(Data):
    """/image/ID.json"""

    image_id: str
    spelled: str
    words: list[str]
    posted: list[Post]
    copies: list[Image]
    nearest: Answers


class Exported(Data):
    """What an export told of a post; null where it did not tell."""

    url: str | None
    reply_to: Author | None
    likes: int | None
    replies: int | None
    language: str | None
    alt: list[str | None] | None


class PostPage(Data):
    """/post/ID.json"""

    post: Post
    spelled: str
    exported: Exported | Annotated[dict[str, Any], Field(max_length=0)]
    copy_of: Post | None
    answers: Post | None
    answered_by: list[Post]
    by_time: bool
    before: list[Post]
    after: list[Post]
    copies: list[Post]
    nearest: Answers


class ListedUser(Person):
    """A user of a list, and how many posts the filters let through."""

    matching: Count


class Member(ListedUser):
    """A user of a cluster, and the cosine to its centre."""

    cosine: float


class Month(Data):
    """Posts of a month, and of how many in the corpus."""

    month: Annotated[str, Field(pattern=r"^-?\d{4,}-\d\d$")]
    posts: Count
    of: Count


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


class Clusters(Data):
    """/clusters.json"""

    clusters: list[ClusterInShort]


class Users(Pages):
    """/users.json"""

    begins: str
    users: list[ListedUser]


class ListedPost(Post):
    """A post of a list, with what is known of it; null where nothing is."""

    language: str | None
    likes: int | None
    replies: int | None


class Posts(Pages):
    """/posts.json"""

    order: Literal["oldest", "newest", "likes", "replies"]
    posts: list[ListedPost]
    months: list[Month]


class Reason(Data):
    """Why rows of the source were left out, and how many."""

    reason: str
    rows: Count


class LeftOutRow(Data):
    """A row of the source that was left out."""

    id: str
    reason: str
    detail: str


class LeftOut(Pages):
    """/left_out.json: what the import left out, all or for a `reason`; no rows where people are not shown."""

    reason: str
    reasons: list[Reason]
    rows: list[LeftOutRow]
    excluded: Count
    no_side: Count
    copies: Count


class Named(Data):
    """Where the name of a cluster stands on the map."""

    cluster: Count
    name: str
    points: Count
    x: Count
    y: Count


class Map(Data):
    """/map.json: points row by row, from 0 to 65535. /map.json?rows=1,2 tells what they are, /map.csv has all by id."""

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


class MapRows(Data):
    """/map.json?rows=1,2"""

    things: list[PersonThere | ImageThere]


class About(Data):
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


class Mark(Data):
    """A thing in a collection."""

    collection: str
    kind: Literal["user", "image", "post"]
    id: str
    note: str
    href: Href


class Marks(Data):
    """/marks.json"""

    marks: list[Mark]


class Marked(Data):
    """A thing of a collection, as its kind has it in short; `href` is null where it is no longer in the corpus."""

    model_config = ConfigDict(extra="allow", strict=True)
    kind: Literal["user", "image", "post"]
    id: str
    note: str
    href: Href | None


class Told(Data):
    """How well a linear SVM tells the users of a collection, as interests are measured."""

    users: Count
    scaling: dict[str, Count]
    f1: float
    interval_95: list[float]
    always_yes: float


class NotMeasured(Data):
    """Why it was not measured."""

    not_measured: str


class Apart(Data):
    """Mean cosines between the users of two collections, and the share of random divisions of the same users in which
    their means are as far apart.
    """

    users: list[Count]
    within_here: Cosine
    within_there: Cosine
    between: Cosine
    p: Annotated[float, Field(gt=0, le=1)]


class Compared(Data):
    """How a collection differs from another: the cosine of their means, how many things are in both, how far apart the
    users of both lie, typical words.
    """

    other: str
    cosine: float | None
    in_both: Count
    apart: Apart | NotMeasured
    here: list[str]
    there: list[str]


class Collection(Data):
    """/marks/NAME.json; `told` with ?tell=1, `compared` with ?with=NAME"""

    collection: str
    members: list[Marked]
    words: list[str]
    compared: Compared | None
    more: Answers
    told: Told | NotMeasured | None


class Wrong(Data):
    """What cannot be answered says so, with the status of HTTP."""

    message: str
    status: int


PAGES: dict[str, type[BaseModel]] = {
    "search": Search, "user": User, "image": ImagePage, "post": PostPage, "cluster": Cluster, "clusters": Clusters,
    "users": Users, "posts": Posts, "left_out": LeftOut, "map": Map, "map_rows": MapRows, "about": About,
    "marks": Marks, "collection": Collection, "wrong": Wrong,
}  # fmt: skip
