"""Sections on what went in: settings, the flow, what left the corpus and why, the split and its audit."""

from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.common.recipe import by_recipe
from pipeline.report.cards import Shelf
from pipeline.report.page import Bar, Bars, Grid, Note, Pairs, Part, Steps, Table
from pipeline.report.wording import TASKS, count, number, percent, plural, reasons
from pipeline.running.schema import Params
from pipeline.tables.split import DIFFERENT, NEAR_COPY, TAKEN

Metrics = Mapping[str, Any]

SHOWN = 10
"""Closest pairs across sides, for texts and for images."""

PAPER: dict[str, object] = {
    "lambda1": 0.1,
    "lambda2": 0.45,
    "corpus.min_posts_per_user": 21,
    "corpus.max_posts_per_user": None,
    "text.min_written": 0,
    "text.duplicates": "drop",
    "images.encoder": "resnet152",
    "split.test": 0.2,
    "split.val": 0.02,
    "split.max_image_text_pairs": 5000,
    "split.text_queries": "none",
    "split.fit_on": "all",
    "words.min_count": 5,
    "words.size": 300,
    "words.usage": 0,
    "model.dim": 1024,
    "model.text_length": 20,
    "model.windows": [2, 3, 4],
    "model.filters": [512, 256, 256],
    "model.word_mean": False,
    "model.aligned": False,
    "train.margin": 0.2,
    "train.loss": "hinge",
    "train.learning_rate": 5.0e-4,
    "train.decay_every": 10,
    "train.decay_by": 10.0,
    "train.schedule": "steps",
    "train.batch_size": 1000,
    "interests.c": 1.0,
    "interests.folds": 5,
    "clusters.k": 50,
    "clusters.common_words": 200,
}
"""The values that the paper states, of our params; split.fit_on is what its order of steps implies."""

BY_THE_CORPUS = ("clusters.k", "clusters.common_words", "report.queries")
"""Settings whose null is no value, but one that is derived."""

LIBRARIES = ("torch", "faiss-cpu", "gensim", "stanza", "scikit-learn", "numpy", "pyarrow", "pillow")

REMARKS = {
    "openclipart": "These are drawings that people uploaded to a library of clip art, not tweets: pictures with titles "
    "and keywords, by people whose style is recognisable in everything they drew. Do not compare these ranks with the "
    "paper's.",
    "synthetic": "This corpus is generated, with topics, interests and copies planted in it. What is found here shows "
    "that the pipeline works; it says nothing about people.",
}

SIDES = {"train": "training", "val": "validation", "test": "test"}


def settings(params: Params, posts_digest: str) -> list[Part]:
    """What ran: the settings that differ from the paper's, all of them behind; data and versions."""
    here = dict(_flat(by_recipe(params).model_dump(exclude={"best"})))
    if here["corpus.max_posts_per_user"] == "auto" and params.corpus.source != "openclipart":
        here["corpus.max_posts_per_user"] = None  # which auto then is
    here |= {key: "by the corpus" for key in BY_THE_CORPUS if here[key] is None}
    differ = [[key, _value(stated), _value(here[key])] for key, stated in PAPER.items() if here[key] != stated]
    about = [
        ["Corpus", params.corpus.source],
        ["Digest of the posts", posts_digest],
        ["Seed", str(params.seed)],
        ["Recipe", params.recipe],
    ]
    return [
        Table(
            f"Of {len(PAPER)} settings that the paper states, {len(differ) or 'none'} "
            f"{'differ' if len(differ) > 1 else 'differs'} here",
            Grid(["Setting", "Paper", "Here"], differ, (0, 1, 2)),
            "The comments in params.yaml explain each setting, and why it differs.",
            Grid(["Setting", "Value"], [[key, _value(value)] for key, value in here.items()], (0, 1)),
        ),
        Table("What it ran on", Grid(["", ""], about + [[name, version(name)] for name in LIBRARIES], (0, 1))),
    ]


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for key, value in values.items():
        flat += _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else [(before + key, value)]
    return flat


def _value(value: object) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, list):
        return ", ".join(" / ".join(v) if isinstance(v, list) else str(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value, 6) if isinstance(value, float) else str(value)


_DIRECTIONS = ("no direction", "one direction", "two directions", "three directions")


def flow(
    read: Metrics, split: Metrics, audit: Metrics, words: Metrics, train: Metrics, images: int, different: int
) -> Steps:
    """The path from files to figures, and what each step gave."""
    posts, test = audit["posts"], audit["queries"]["test"]
    asked = _DIRECTIONS[sum(task["queries"] > 0 for task in test.values())]
    gave = {
        "Import": (
            "Posts, users and images become tables; what is left out has a reason",
            f"{plural(read['rows_out'], 'post')}, {plural(read['users'], 'user')}, {plural(images, 'image')}",
        ),
        "Texts": (
            "Links, mentions and stopwords are removed; words become lemmas; near-copies are found",
            f"{plural(split['posts']['removed_duplicates'], 'near-copy', 'near-copies')} removed",
        ),
        "Images": (
            "A vector for each from a frozen network; copies form groups",
            plural(different, "different image"),
        ),
        "Split": (
            "Groups of copies stay on one side; an audit searches again for leaks",
            f"{count(posts['train'])} posts to train on, {count(posts['val'] + posts['test'])} held out",
        ),
        "Words": (
            "Vocabulary and word vectors, from training posts only",
            plural(words["distinct_words"]["kept"], "word"),
        ),
        "Training": (
            "Users, images and texts in one space, by a ranking loss",
            f"{plural(train['epochs'], 'epoch')}, "
            + (f"the best is number {train['best_epoch']}" if train["best_epoch"] else "the start is kept"),
        ),
        "Evaluation": (
            f"Retrieval in {asked}, four baselines, interests, clusters",
            plural(sum(task["queries"] for task in test.values()), "query", "queries"),
        ),
    }
    return Steps("The path from files to figures", [(name, *told) for name, told in gave.items()])


def funnel(read: Metrics, split: Metrics, audit: Metrics) -> Bars:
    """Rows from the source to the sides of the split; what leaves on the way, by reason."""
    posts, sides = split["posts"], audit["posts"]
    copied = {"near-copy of an earlier text": posts["removed_duplicates"]}
    steps: list[tuple[str, int, dict[str, int]]] = [
        ("Read from the source", read["rows_in"], dict(sorted(read["rejected"].items(), key=lambda r: -r[1]))),
        ("Posts of the corpus", posts["in"], copied | {"no word and no image": posts["without_words_and_image"]}),
        ("Posts in the split", posts["assigned"], _excluded(split, audit)),
        *((f"For {SIDES[side]}", sides[side], {}) for side in ("train", "val", "test")),
    ]
    whole = max(1, read["rows_in"])
    bars, rows, left = [], [], Counter[str]()
    for name, number_in, leaving in steps:
        bars.append(Bar(name, number_in / whole, count(number_in)))
        rows.append([name, count(number_in), percent(number_in / whole)])
        left.update(leaving)
        for reason, out in leaving.items():
            if out:
                bars.append(Bar(reason, out / whole, "−" + count(out), "left"))
                rows.append([f"left out: {reason}", count(out), percent(out / whole)])
    used = sum(sides[side] for side in ("train", "val", "test"))
    ((most, out),) = left.most_common(1)
    title = f"{count(used)} of {plural(read['rows_in'], 'row')} are used"
    share = "most of the others" if 2 * out > left.total() else "of the others more than for any other reason"
    share = "the others" if out == left.total() else share
    return Bars(
        f"{title}; {share} are left out as “{most}” ({count(out)})" if out else f"{title}; none is left out",
        bars,
        Grid(["Rows", "Number", "Share of what was read"], rows),
        f"{_texts_and_pictures(read)} A table lists each row that was left out, with its id and the reason "
        "(data/corpus/rejected, data/split/posts).",
    )


def _texts_and_pictures(read: Metrics) -> str:
    """How many posts of the corpus have either, and why pictures of posts that stay are not among them."""
    posts, lost = read["posts"], read["pictures_left_out_of_posts_that_stay"]
    lost = {reason.removeprefix("image: "): left_out for reason, left_out in lost.items()}
    told = f"Of the posts of the corpus {count(posts['with_text'])} have a text, {count(posts['with_image'])} a picture"
    if not lost:
        return f"{told}."
    return f"{told}; {plural(sum(lost.values()), 'picture')} of posts that stay could not be used: {reasons(lost)}."


def _excluded(split: Metrics, audit: Metrics) -> dict[str, int]:
    """Posts that the split and its audit left out, by reason."""
    cut: dict[str, int] = split["posts"]["excluded"]
    return {**cut, NEAR_COPY: audit["posts"]["excluded"] - audit["excluded"]["by_cut"]}


def split_and_audit(
    split: Metrics, audit: Metrics, largest: pa.Table, max_group_share: float, close: pa.Table, shelf: Shelf
) -> list[Part]:
    """Sides of the split, its largest groups, the audit's verdict, and the closest pairs across sides.

    `largest`, `close`: rows of LARGEST and CLOSE.
    """
    parts: list[Part] = []
    if audit["fit_on"] == "all":
        parts.append(
            Note(
                "Vocabulary, word vectors and users' first vectors were fitted on all posts, held-out ones included "
                "(split.fit_on: all, the paper's practice). So ranks are better than they would be for new posts."
            )
        )
    parts += [_sides(split, audit), *_largest(split, largest, max_group_share, shelf), _searched(audit)]
    order = [("similarity", "descending"), ("held_out_id", "ascending"), ("other_id", "ascending")]
    close = close.filter(pc.not_equal(close["verdict"], TAKEN))
    kinds = (("text", "texts", shelf.post), ("written", "texts, as written,", shelf.post))
    for kind, named, show in (*kinds, ("image", "images", shelf.image)):
        rows = []
        for row in close.filter(pc.equal(close["kind"], kind)).sort_by(order).slice(0, SHOWN).to_pylist():
            why = "judged different" if row["verdict"] == DIFFERENT else "below the threshold"
            caption = f"{'cosine' if kind == 'image' else 'overlap'} {number(row['similarity'])}, {why}"
            rows.append((caption, [show(row["held_out_id"]), show(row["other_id"])]))
        if rows:
            title = f"The closest {named} across sides that do not count as copies"
            note = "Left: held out. Right: on another side."
            if kind == "image":
                note += (
                    " Those judged different are a random sample; python -m tools.contact_sheet --different draws more."
                )
            parts.append(Pairs(title, rows, note=note))
    return [*parts, _asked(audit["queries"])]


def _sides(split: Metrics, audit: Metrics) -> Table:
    rows = [
        [
            SIDES[name],
            count(audit["posts"][name]),
            count(side["posts"]),
            *(percent(side[k]) for k in ("share", "expected", "standard_deviation")),
        ]
        for name in SIDES
        if (side := split["sides"].get(name))
    ]
    out = {reason: number for reason, number in _excluded(split, audit).items() if number}
    whole = max(1, split["posts"]["assigned"])
    rows += [
        [f"left out: {reason}", count(number), "", percent(number / whole), "", ""] for reason, number in out.items()
    ]
    return Table(
        f"{plural(split['posts']['assigned'], 'post')} in the split, "
        + (f"{count(sum(out.values()))} of them left out" if out else "none of them left out"),
        Grid(["Side", "Posts", "Placed", "Share", "Expected", "Standard deviation"], rows),
        "Posts with the same or a similar picture or text form a group. A hash of the group chooses its side, so the "
        "shares of what is placed vary around the expected ones; then near-copies of held-out content are left out. "
        "Expected: the shares that were asked for, less what is left out or must be in train as a whole.",
    )


def _largest(split: Metrics, largest: pa.Table, max_group_share: float, shelf: Shelf) -> list[Part]:
    groups = split["groups"]
    if not largest.num_rows:
        return [Note(f"None of {plural(groups['all'], 'post')} is bound to another.")]
    rows = []
    for row in largest.sort_by([("posts", "descending"), ("group_id", "ascending")]).to_pylist():
        became = "on one side"
        if row["pieces"] > 1:
            became = f"cut into {count(row['pieces'])} pieces, the largest of {plural(row['largest_piece'], 'post')}"
        if row["trains"]:
            became += f"; {count(row['trains'])} are in train, as their common picture or text is in too many posts"
        if row["excluded"]:
            became += f"; {plural(row['excluded'], 'post')} left out"
        shown = [shelf.post(row["post_id"])] if row["image_id"] is None else [shelf.image(row["image_id"])]
        rows.append((f"{plural(row['posts'], 'post')}: {became}", shown))
    cut = f"{plural(groups['cut'], 'group')} cut into {count(groups['pieces'])} pieces" if groups["cut"] else "none cut"
    return [
        Pairs(
            f"{plural(groups['all'], 'group')}, {count(groups['of_more_than_one_post'])} of more than one post; the "
            f"largest holds {plural(groups['largest'], 'post')}; {cut}",
            rows,
            note=f"The largest first, each by the picture that most of its posts show. A group with more than "
            f"{percent(max_group_share)} of the posts (split.max_group_share) is cut into pieces, and posts bound to "
            "pieces on two sides are left out, so nothing crosses. A single picture or text with as many posts is in "
            "train.",
        )
    ]


def _searched(audit: Metrics) -> Table:
    columns = {
        "searched": "Searched",
        "among": "Among",
        "copies": "Copies",
        "judged_different": "Judged different",
        "grey": "Near-miss",
    }
    rows = [
        [f"{named}, {SIDES[side]}", *(count(block[key]) for key in columns)]
        for kind, named in (("texts", "texts"), ("texts_as_written", "texts as written"), ("images", "images"))
        for side, block in audit[kind].items()
    ]
    return Table(
        verdict(audit),
        Grid(["Held out", *columns.values()], rows),
        "A second search by other code. Every held-out text is compared with all texts of the other sides, by its "
        "cleaned words and by its words as written. Every held-out image is compared with the nearest by features and "
        "by matching corners, in another way than when groups were made. Images that it judges different, or never "
        "compares, may still be copies.",
    )


def verdict(audit: Metrics) -> str:
    """The audit in a sentence."""
    found, left = audit["crossings"]["found"], audit["crossings"]["left"]
    excluded = audit["posts"]["excluded"] - audit["excluded"]["by_cut"]
    judged = sum(block["judged_different"] for block in audit["images"].values())
    different = f"{plural(judged, 'pair')} of images judged different"
    if left:
        return f"The split leaks: {plural(left, 'near-copy', 'near-copies')} of held-out content on another side"
    if found:
        return (
            f"No known near-copy is left across sides: {plural(found, 'pair')} found, {plural(excluded, 'post')} "
            f"left out; {different}"
        )
    return f"No near-copy found across sides; {different}"


def _asked(queries: Metrics) -> Table:
    rows = [
        [TASKS[task], SIDES[side], reasons(block["not_asked"]), count(block["queries"])]
        for side in ("val", "test")
        for task, block in queries[side].items()
    ]
    note = (
        "Texts of posts with an image are queries for their author too."
        if queries["texts_of_posts_with_image_ask"]
        else ""
    )
    return Table("Queries, and what is left out", Grid(["Task", "Side", "Left out", "Queries"], rows, (0, 1, 2)), note)
