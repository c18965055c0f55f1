"""Sections to look at: clusters of users, and what the space answers to a question."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.report.cards import Shelf, clip
from pipeline.report.page import Answers, Card, Cluster, Clusters, Grid, Note, Part
from pipeline.report.pictures import cloud
from pipeline.report.wording import count, number, percent, plural

Metrics = Mapping[str, Any]
NAMED = 12
"""Users that a cluster names."""


def clusters(
    found: Metrics, users: pa.Table, words: pa.Table, images: pa.Table, common: int, shelf: Shelf
) -> list[Part]:
    """Each cluster's users, word cloud and nearest images; rows of CLUSTER_USERS, CLUSTER_WORDS, CLUSTER_IMAGES."""
    if "not_measured" in found:
        return [Note(f"Not clustered: {found['not_measured']}.")]
    members, said, seen = users.to_pandas(), words.to_pandas(), images.to_pandas()
    shown, rows = [], []
    for number_of, group in members.sort_values(["similarity", "user_id"], ascending=[False, True]).groupby("cluster"):
        own = said[said["cluster"] == number_of]
        telling = own[own["measure"] == "log_odds"]
        frequent = own[own["measure"] == "frequency"]
        top = telling["word"].head(3).tolist() or frequent["word"].head(3).tolist()
        names = [clip(name, 32) for name in group["user_id"].head(NAMED)]
        rest = len(group) - len(names)
        shown.append(
            Cluster(
                ", ".join(clip(word, 32) for word in top) or "no word of its own",
                f"{plural(len(group), 'user')}, mean cosine to the centre {number(group['similarity'].mean(), 2)}",
                cloud(dict(zip(telling["word"], telling["weight"], strict=True))),
                [shelf.image(image) for image in seen.loc[seen["cluster"] == number_of, "image_id"]],
                ", ".join(names) + (f" and {plural(rest, 'more', 'more')}" if rest else ""),
            )
        )
        rows.append(
            [
                str(number_of),
                count(len(group)),
                ", ".join(clip(w, 32) for w in telling["word"].head(8)),
                ", ".join(clip(w, 32) for w in frequent["word"].head(8)),
            ]
        )
    return [
        Clusters(
            _title(found),
            shown,
            Grid(["Cluster", "Users", "Words that tell it apart", "Most frequent words"], rows, words=4),
            f"In the clouds, size says how strongly a word tells the cluster from the others (log-odds); in the table also by frequency, without the {common} commonest words, as in the paper. Pictures are the nearest to the centre, one of each group of copies.",
        )
    ]


def _title(found: Metrics) -> str:
    title = f"{plural(found['users'], 'user')} in {plural(found['clusters'], 'cluster')} of {count(found['smallest'])} to {count(found['largest'])}"
    if "purity" in found:
        title += f"; {percent(found['purity'])} share their cluster's commonest interest, {percent(found['purity_by_chance'])} would by chance"
    if "silhouette" in found:
        title += f"; silhouette {number(found['silhouette'], 2)}"
    return title


def answers(asked: pa.Table, found: pa.Table, shelf: Shelf, picture_of_user: Mapping[str, str]) -> list[Part]:
    """What lies nearest to each question, in rows of ASKED and ANSWERS: text, image or user to text, image or user."""
    if not asked.num_rows:
        return [Note("Nothing was asked: report.queries is empty.")]
    answers = found.to_pandas()
    questions: list[tuple[Card, Sequence[tuple[str, Sequence[Card]]]]] = []
    for question in asked.sort_by([("pair", "ascending"), ("query", "ascending")]).to_pylist():
        own = answers[answers["query"] == question["query"]]
        rows = []
        for kind, name in (("image", "Nearest images"), ("user", "Nearest users"), ("text", "Nearest texts")):
            nearest = own[own["kind"] == kind].sort_values("position")
            if len(nearest):
                rows.append(
                    (
                        name,
                        [
                            _answer(kind, i, s, shelf, picture_of_user)
                            for i, s in zip(nearest["id"], nearest["similarity"], strict=True)
                        ],
                    )
                )
        questions.append((_question(question, shelf, picture_of_user), rows))
    return [
        Answers(
            "Close questions, side by side: the difference of a word should show in the answers",
            questions,
            "Figures are cosines in the joint space. A user's picture is the first of their training posts' pictures, not what was matched.",
        )
    ]


def _question(question: Mapping[str, Any], shelf: Shelf, picture_of_user: Mapping[str, str]) -> Card:
    if question["kind"] == "image":
        card = shelf.image(question["value"])
        return Card(card.text, card.picture, "an image asks")
    if question["kind"] == "user":
        return Card(
            clip(question["value"], 60), shelf.thumbnails.get(picture_of_user.get(question["value"], "")), "a user asks"
        )
    unknown = [clip(word, 32) for word in question["unknown_words"]]
    if not question["known_words"]:
        remark = "no answer: none of its words is in the vocabulary"
    elif unknown:
        remark = f"not in the vocabulary: {', '.join(unknown)}"
    else:
        remark = ""
    return Card(f"“{clip(question['value'], 60)}”", None, remark)


def _answer(kind: str, name: str, similarity: float, shelf: Shelf, picture_of_user: Mapping[str, str]) -> Card:
    note = number(similarity, 2)
    if kind == "image":
        return shelf.image(name, note)
    if kind == "text":
        return shelf.text(name, note)
    return Card(clip(name, 40), shelf.thumbnails.get(picture_of_user.get(name, "")), "", note)
