"""Sections to look at: clusters of users, and what the space answers to a question."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.common.metrics import FEWEST
from pipeline.report.cards import Shelf, clip
from pipeline.report.page import Answers, Card, Cluster, Clusters, Grid, Note, Part, Question
from pipeline.report.pictures import cloud
from pipeline.report.wording import cosine, count, number, percent, plural

Metrics = Mapping[str, Any]
NAMED = 12
"""Users that a cluster names."""
KINDS = {"image": "images", "user": "users", "text": "texts"}
TITLES = {
    "text": "Similar questions side by side: the answers should show the difference of a word",
    "image": "Questions by images of the test side, which the model has not seen",
    "user": "Questions by users: what is nearest to their vector",
}
"""What to see where texts, images and users ask."""


def clusters(
    found: Metrics, users: pa.Table, words: pa.Table, images: pa.Table, common: int, shelf: Shelf
) -> list[Part]:
    """Each cluster's users, word cloud and nearest images; rows of CLUSTER_USERS, CLUSTER_WORDS, CLUSTER_IMAGES."""
    if "not_measured" in found:
        return [Note(f"Not clustered: {found['not_measured']}.")]
    members = users.to_pandas().sort_values(["similarity", "user_id"], ascending=[False, True])
    said, seen = words.to_pandas(), images.to_pandas()
    shown, rows, told = [], [], list[int]()
    for cluster, group in members.groupby("cluster"):
        own = said[said["cluster"] == cluster]
        telling, frequent = (own[own["measure"] == measure] for measure in ("log_odds", "frequency"))
        if len(group) < FEWEST:
            told.append(len(group))
            continue
        named = 0 if shelf.people == "hidden" else NAMED
        names, rest = [shelf.called(name, 32) for name in group["user_id"].head(named)], max(0, len(group) - named)
        shown.append(
            Cluster(
                _first_words(telling, 3),
                f"{plural(len(group), 'user')}, mean cosine to the centre {number(group['similarity'].mean(), 2)}",
                cloud(dict(zip(telling["word"], telling["weight"], strict=True))),
                [shelf.image(image) for image in seen.loc[seen["cluster"] == cluster, "image_id"]],
                ", ".join(names) + (f" and {count(rest)} more" if rest and names else ""),
            )
        )
        rows.append([str(cluster), count(len(group)), _first_words(telling, 8), _first_words(frequent, 8)])
    if not shown:
        return [Note(f"{_title(found)}. None is shown, as each has fewer than {FEWEST} users.")]
    header = ["Cluster", "Users", "Typical words", "Most frequent words"]
    return [
        Clusters(
            _title(found),
            shown,
            Grid(header, rows, words=(0, 2, 3)),
            "In a word cloud, size shows how typical a word is of the cluster (log-odds). The table also has the most "
            "frequent words"
            + (f", without the {common} most common of the corpus, as in the paper." if common else ".")
            + (" Pictures are those nearest to the centre, one of each group of copies." if len(seen) else "")
            + (f" Not shown: {plural(len(told), 'cluster')} of fewer than {FEWEST} users." if told else ""),
        )
    ]


def _first_words(rows: pd.DataFrame, top: int) -> str:
    return ", ".join(clip(word, 24) for word in rows["word"].head(top)) or "no typical word"


def _title(found: Metrics) -> str:
    sizes = f"{count(found['smallest'])} to {count(found['largest'])}"
    title = f"{plural(found['users'], 'user')} in {plural(found['clusters'], 'cluster')} of {sizes}"
    if "purity" in found:
        title += f"; {percent(found['purity'])} have the most common interest of their cluster "
        title += f"(by chance {percent(found['purity_by_chance'])})"
    return title + (f"; silhouette {number(found['silhouette'], 2)}" if "silhouette" in found else "")


def answers(asked: pa.Table, found: pa.Table, shelf: Shelf) -> list[Part]:
    """What lies nearest to each question, in rows of ASKED and ANSWERS: text, image or user to text, image or user."""
    if not asked.num_rows:
        return [Note("No questions: report.queries is empty.")]
    answers = found.to_pandas()
    pairs: dict[int, list[Question]] = {}
    kind_of: dict[int, str] = {}
    for question in asked.sort_by([("pair", "ascending"), ("query", "ascending")]).to_pylist():
        own = answers[answers["query"] == question["query"]].sort_values("position")
        rows = []
        for kind, name in KINDS.items():
            nearest = own[own["kind"] == kind]
            cards = [_answer(kind, i, s, shelf) for i, s in zip(nearest["id"], nearest["similarity"], strict=True)]
            if cards:
                rows.append((f"Nearest {name}", _once(cards) if kind == "text" else cards))
        pairs.setdefault(question["pair"], []).append((_question(question, bool(rows), shelf), rows))
        kind_of.setdefault(question["pair"], question["kind"])

    parts: list[Part] = []
    for kind, title in TITLES.items():
        of_kind = [questions for pair, questions in pairs.items() if kind_of[pair] == kind]
        alone = [question for questions in of_kind if len(questions) == 1 for question in questions]
        together = [questions for questions in of_kind if len(questions) > 1] + ([alone] if alone else [])
        if together:
            parts.append(Answers(title, together, "Numbers are cosines in the joint space."))
    return parts


def _question(question: Mapping[str, Any], answered: bool, shelf: Shelf) -> Card:
    value = question["value"]
    if question["kind"] == "image":
        return replace(shelf.image(value, "this image asks"), text="")
    if question["kind"] == "user":
        return shelf.user(value, "this user asks")
    remark = ""
    if unknown := ", ".join(clip(word, 32) for word in question["unknown_words"]):
        remark = f"not in the vocabulary: {unknown}" + ("" if answered else "; so there is no answer")
    return Card(f"“{clip(value, 60)}”", by=remark)


def _answer(kind: str, name: str, similarity: float, shelf: Shelf) -> Card:
    show = {"image": shelf.image, "text": shelf.text, "user": shelf.user}[kind]
    return show(name, cosine(similarity))


def _once(cards: Sequence[Card]) -> list[Card]:
    """Each text once, with the similarity of its first post, and how many posts it stands for."""
    posts = Counter(card.text for card in cards)
    first = {card.text: card for card in reversed(cards)}
    return [replace(first[text], text=f"{text} ({plural(n, 'post')})" if n > 1 else text) for text, n in posts.items()]
