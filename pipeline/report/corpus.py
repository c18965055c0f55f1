"""Sections on what went in: settings, the flow, what left the corpus and why, copies, the split and its audit."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.params import Params
from pipeline.report.cards import Shelf, clip
from pipeline.report.charts import columns
from pipeline.report.page import Bar, Bars, Figure, Grid, Note, Pairs, Panel, Part, Section, Steps, Table
from pipeline.report.wording import count, listing, number, percent, plural

Metrics = Mapping[str, Any]

PAPER: dict[str, object] = {
    "lambda1": 0.1,
    "lambda2": 0.45,
    "corpus.min_posts_per_user": 21,
    "corpus.max_posts_per_user": None,
    "text.duplicates": "drop",
    "images.encoder": "resnet152",
    "split.test": 0.2,
    "split.val": 0.02,
    "split.max_image_text_pairs": 5000,
    "split.text_queries": "none",
    "split.fit_on": "all",
    "words.min_count": 5,
    "words.size": 300,
    "model.dim": 1024,
    "model.text_length": 20,
    "model.windows": [2, 3, 4],
    "model.filters": [512, 256, 256],
    "train.margin": 0.2,
    "train.loss": "hinge",
    "train.learning_rate": 5.0e-4,
    "train.decay_every": 10,
    "train.decay_by": 10.0,
    "train.batch_size": 1000,
    "interests.c": 1.0,
    "interests.folds": 5,
    "clusters.k": 50,
    "clusters.common_words": 200,
}
"""The values that the paper states, of our params."""

LIBRARIES = ("torch", "faiss-cpu", "gensim", "stanza", "scikit-learn", "numpy", "pyarrow", "pillow")

REMARKS = {
    "openclipart": "These are drawings that people uploaded to a library of clip art, not tweets: pictures with titles "
    "and keywords, by people whose style runs through what they drew. Ranks here say how the method does on such a "
    "corpus; they are not to be read beside the paper's.",
    "synthetic": "This corpus is generated, with topics, interests and copies planted in it. What is found here shows "
    "that the pipeline works; it says nothing about people.",
}

SIDES = {"train": "training", "val": "validation", "test": "test", "excluded": "left out by the audit"}


def settings(params: Params, posts_digest: str) -> list[Part]:
    """What ran: the settings that differ from the paper's, all of them behind; data and versions."""
    here = dict(_flat(params.model_dump()))
    differ = [[key, _value(stated), _value(here[key])] for key, stated in PAPER.items() if here[key] != stated]
    versions = [[name, version(name)] for name in LIBRARIES]
    return [
        Table(
            f"{plural(len(differ), 'setting')} of {len(PAPER)} that the paper states {'differs' if len(differ) == 1 else 'differ'} here",
            Grid(["Setting", "Paper", "Here"], differ, words=3),
            "Why, and what each setting means: the comments in params.yaml.",
            Grid(["Setting", "Value"], [[key, _value(value)] for key, value in here.items()], words=2),
        ),
        Table(
            "What it ran on",
            Grid(
                ["", ""],
                [["Corpus", params.corpus.source], ["Digest of the posts", posts_digest], ["Seed", str(params.seed)]]
                + versions,
                words=2,
            ),
        ),
    ]


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for key, value in values.items():
        flat += _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else [(before + key, value)]
    return flat


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(" / ".join(v) if isinstance(v, list) else str(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value, 6) if isinstance(value, float) else str(value)


def flow(
    read: Metrics, split: Metrics, audit: Metrics, words: Metrics, train: Metrics, images: int, different: int
) -> Part:
    """The path from files to figures, and what each step gave."""
    posts = audit["posts"]
    held_out = sum(posts[side] for side in ("val", "test"))
    return Steps(
        "The path from files to figures",
        [
            (
                "Import",
                "Posts, users and images into tables; what is left out has a reason",
                f"{plural(read['rows_out'], 'post')}, {plural(read['users'], 'user')}, {plural(images, 'image')}",
            ),
            (
                "Texts",
                "Links, mentions and stopwords out; lemmas; near-copies found exactly",
                f"{plural(split['posts']['removed_duplicates'], 'near-copy', 'near-copies')} removed",
            ),
            (
                "Images",
                "A vector each from a frozen network; copies grouped",
                f"{plural(different, 'different image')}",
            ),
            (
                "Split",
                "Groups of copies placed whole; then searched again for what crosses",
                f"{count(posts['train'])} to train on, {count(held_out)} held out",
            ),
            (
                "Words",
                "Vocabulary and word vectors, from what may be fitted on",
                plural(words["distinct_words"]["kept"], "word"),
            ),
            (
                "Training",
                "Users, images and texts into one space, by the ranking loss",
                f"the epoch kept: {train['best_epoch']} of {train['epochs']}",
            ),
            (
                "Evaluation",
                "Retrieval in three directions, four baselines, interests, clusters",
                f"{plural(sum(task['queries'] for task in audit['queries']['test'].values()), 'query', 'queries')}",
            ),
        ],
    )


def funnel(read: Metrics, split: Metrics, audit: Metrics) -> Bars:
    """Rows from the source to the sides of the split; what leaves on the way, by reason."""
    whole = max(1, read["rows_in"])
    posts, sides = split["posts"], audit["posts"]
    steps: list[tuple[str, int, dict[str, int]]] = [
        ("Read from the source", read["rows_in"], dict(sorted(read["rejected"].items(), key=lambda r: -r[1]))),
        (
            "Posts of the corpus",
            posts["in"],
            {
                "near-copy of an earlier text": posts["removed_duplicates"],
                "no word and no image": posts["without_words_and_image"],
            },
        ),
        ("Posts in the split", posts["assigned"], {"near-copy of held-out content": sides["excluded"]}),
    ]
    bars, rows = [], []
    for name, kept, left in steps:
        bars.append(Bar(name, kept / whole, count(kept)))
        rows.append([name, count(kept), percent(kept / whole)])
        for reason, rejected in left.items():
            if rejected:
                bars.append(Bar(reason, rejected / whole, "−" + count(rejected), "left"))
                rows.append([f"left out: {reason}", count(rejected), percent(rejected / whole)])
    for side in ("train", "val", "test"):
        bars.append(Bar(f"For {SIDES[side]}", sides[side] / whole, count(sides[side])))
        rows.append([f"for {SIDES[side]}", count(sides[side]), percent(sides[side] / whole)])
    used = sum(sides[side] for side in ("train", "val", "test"))
    left_out = {reason: n for _, _, reasons in steps for reason, n in reasons.items() if n}
    most = max(left_out, key=lambda reason: left_out[reason], default="")
    title = f"{count(used)} of {count(read['rows_in'])} rows are used"
    title += f"; most of the others leave as “{most}” ({count(left_out[most])})" if most else "; nothing was left out"
    return Bars(
        title,
        bars,
        Grid(["Rows", "Number", "Share of what was read"], rows),
        "Each row that was left out stands in a table with its id and its reason.",
    )


def text_copies(duplicates: pa.Table, shown: int = 6) -> pa.Table:
    """Examples out of `duplicates` (rows of DUPLICATES): evenly from the least overlap to the most."""
    rows = duplicates.sort_by([("overlap", "ascending"), ("post_id", "ascending")])
    return rows.take(pa.array(_evenly(rows.num_rows, shown)))


def image_groups(groups: pa.Table, shown: int = 8) -> list[list[str]]:
    """Examples out of `groups` (rows of IMAGE_GROUPS), image ids each, at most six: half are the largest groups, half
    those whose members are least alike, where a wrong join would be.
    """
    frame = groups.to_pandas()
    frame = frame[frame.groupby("group_id")["image_id"].transform("size") > 1]
    each = frame.groupby("group_id").agg(size=("image_id", "size"), least=("similarity", "min")).reset_index()
    largest = each.sort_values(["size", "group_id"], ascending=[False, True])["group_id"].head(shown // 2)
    loosest = (
        each[~each["group_id"].isin(largest)].sort_values(["least", "group_id"])["group_id"].head(shown - len(largest))
    )
    return [frame.loc[frame["group_id"] == group, "image_id"].head(6).tolist() for group in [*largest, *loosest]]


def copies(
    duplicates: int, texts: int, examples: pa.Table, threshold: float,
    groups: pa.Table, shown: Sequence[Sequence[str]], min_cosine: float, shelf: Shelf,
) -> list[Part]:  # fmt: skip
    """Near-copies of texts and of images, with examples."""
    pairs = [
        (
            f"{percent(row['overlap'])} of the words in common",
            [shelf.post(row["duplicate_of"], "stays"), shelf.post(row["post_id"], "leaves")],
        )
        for row in examples.to_pylist()
    ]
    frame = groups.select(["image_id", "group_id", "similarity"]).to_pandas().set_index("image_id")
    size = frame.groupby("group_id").size()
    classes = [("1", 1, 1), ("2", 2, 2), ("3–5", 3, 5), ("6–10", 6, 10), ("11–50", 11, 50), ("> 50", 51, np.inf)]
    counts = [(name, int(size.between(low, high).sum())) for name, low, high in classes]
    surplus = len(frame) - len(size)
    parts: list[Part] = []
    text_title = f"{count(duplicates)} of {count(texts)} texts repeat an earlier one, and leave"
    if pairs:
        parts.append(
            Pairs(
                f"{text_title}: from the least overlap that counts, {number(threshold)}, to the most",
                pairs,
                note="Overlap is |A ∩ B| / |A ∪ B| of the two sets of cleaned words. A copy with a picture of its own stays.",
            )
        )
    else:
        parts.append(Note(f"{text_title}."))
    if groups.num_rows:
        parts.append(
            Figure(
                f"{count(surplus)} of {count(groups.num_rows)} images ({percent(surplus / groups.num_rows)}) are copies of another; the largest group has {count(size.max())}",
                [
                    Panel(
                        columns(
                            counts[1:],
                            "groups",
                            "Groups of copies by their number of images: "
                            + listing([f"{name}: {n}" for name, n in counts]),
                        ),
                        "Groups by number of images",
                    )
                ],
                Grid(["Images in the group", "Groups"], [[name, count(n)] for name, n in counts]),
            )
        )
    if shown:
        rows = [
            (
                f"{plural(size[frame.at[ids[0], 'group_id']], 'image')}, least cosine to the nearest {number(frame.loc[list(ids), 'similarity'].min())}",
                [shelf.image(i) for i in ids],
            )
            for ids in shown
        ]
        parts.append(
            Pairs(
                "Groups of images taken for copies: the largest, and those that were joined on the least likeness",
                rows,
                note=f"Joined from a cosine of {number(min_cosine)} between the images' features on, and if a second check agrees. A group stays on one side of the split.",
            )
        )
    return parts


def split_and_audit(split: Metrics, audit: Metrics, close: pa.Table, shelf: Shelf) -> list[Part]:
    """Sides of the split, the audit's verdict, and the closest pairs across sides."""
    sides = [
        [
            SIDES[name],
            count(side["posts"]),
            percent(side["share"]),
            percent(side["expected"]),
            percent(side["standard_deviation"]),
        ]
        for name, side in split["sides"].items()
    ]
    groups = split["groups"]
    parts: list[Part] = [
        Table(
            f"{plural(groups['all'], 'group')} of near-copies were placed whole; the largest holds {plural(groups['largest'], 'post')}",
            Grid(["Side", "Posts", "Share", "Expected", "Standard deviation"], sides),
            f"A group larger than split.max_group_share trains whole: {plural(groups['oversized'], 'group')}, {plural(groups['posts_in_oversized'], 'post')}.",
        )
    ]
    searched = [
        [
            f"{kind}, {SIDES[held_out]}",
            *(count(block[key]) for key in ("searched", "among", "copies", "judged_different", "grey")),
        ]
        for kind in ("texts", "images")
        for held_out, block in audit[kind].items()
    ]
    parts.append(
        Table(
            verdict(audit),
            Grid(
                ["Held out", "Searched", "Among", "Copies", "Judged different", "Near, below the threshold"], searched
            ),
            "A second search, exact and by other code than the groups' own: every held-out text and image among all those of the sides it must not meet.",
        )
    )
    if close.num_rows:
        ranked = close.sort_by(
            [("similarity", "descending"), ("kind", "ascending"), ("held_out_id", "ascending")]
        ).slice(0, 10)
        rows = [_close(row, shelf) for row in ranked.to_pylist()]
        parts.append(
            Pairs(
                f"The {len(rows)} closest pairs across sides that are not taken for copies",
                rows,
                note="Left: held out. Right: on another side.",
            )
        )
    asked = [
        [
            TASK_NAMES[task],
            SIDES[side],
            count(block["queries"]),
            ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in block["not_asked"].items() if n) or "–",
        ]
        for side in ("val", "test")
        for task, block in audit["queries"][side].items()
    ]
    parts.append(
        Table(
            "What is asked on each side, and what is not",
            Grid(["Task", "Side", "Queries", "Not asked"], asked, words=2),
            "Texts of posts with an image ask for their author too, as there are too few posts without one."
            if audit["queries"]["texts_of_posts_with_image_ask"]
            else "",
        )
    )
    if audit["fit_on"] == "all":
        parts.insert(
            0,
            Note(
                "Vocabulary, word vectors and users' first vectors were fitted on all posts, held-out ones included (split.fit_on: all, the paper's practice): figures are better than honest ones would be."
            ),
        )
    return parts


def verdict(audit: Metrics) -> str:
    """The audit in a sentence."""
    found, left, excluded = audit["crossings"]["found"], audit["crossings"]["left"], audit["posts"]["excluded"]
    if left:
        return f"The split leaks: {plural(left, 'near-copy', 'near-copies')} of held-out content on another side"
    if found:
        return f"No near-copy of held-out content is left on another side: {plural(found, 'pair')} found, {plural(excluded, 'post')} left out"
    return "No near-copy of held-out content is on another side: the second search found none"


TASK_NAMES = {"text_to_user": "text to user", "image_to_text": "image to text", "image_to_user": "image to user"}


def _close(row: Mapping[str, Any], shelf: Shelf) -> tuple[str, list[Any]]:
    measure = "cosine" if row["kind"] == "image" else "overlap"
    why = "at the threshold, told apart by the second check" if row["verdict"] == "different" else "below the threshold"
    show = shelf.image if row["kind"] == "image" else shelf.post
    return f"{row['kind']}: {measure} {number(row['similarity'])}, {why}", [
        show(row["held_out_id"]),
        show(row["other_id"]),
    ]


def _evenly(rows: int, shown: int) -> list[int]:
    """At most `shown` positions among `rows`, first and last included."""
    return sorted({round(i * (rows - 1) / max(1, shown - 1)) for i in range(min(shown, rows))})
