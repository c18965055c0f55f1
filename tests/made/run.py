"""A small complete run, made up: every table and metric that the report and the table of results read."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw

from pipeline.common.metrics import write_metrics
from pipeline.evaluation import interests, neighbours
from pipeline.evaluation.clusters import cluster, coherence, nearest_images, top_words
from pipeline.evaluation.neighbours import interests_of
from pipeline.ranking.estimates import estimates
from pipeline.ranking.retrieval import TASKS, cumulative, evaluate
from pipeline.ranking.vectors import Vectors
from pipeline.tables.corpus import IMAGES, POSTS, USERS
from pipeline.tables.evaluation import ANSWERS, ASKED, CLUSTER_IMAGES, CLUSTER_USERS, CLUSTER_WORDS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CLOSE, CONTENT, CROSSES_CUT, LARGEST
from pipeline.tables.text import DUPLICATES, WORDS
from stages.evaluate_interests import plot

PEOPLE, COUNT = 24, 240
TOPICS = (
    "tiger zebra jungle paw",
    "engine wheel truck road",
    "rose tulip petal garden",
    "circuit keyboard screen mouse",
)


def fabricate(root: Path, text=None, user=None) -> None:
    """Write data/, metrics/ and plots/ under `root`. `text` and `user` take the place of a post's text, a user's id."""
    rng = np.random.default_rng(5)
    users = (
        sorted(user or f"user-{i:02d}" for i in range(PEOPLE))
        if user is None
        else sorted([user, *(f"user-{i:02d}" for i in range(PEOPLE - 1))])
    )
    topic = np.arange(PEOPLE) % len(TOPICS)
    author = np.arange(COUNT) % PEOPLE
    words = [list(rng.choice(TOPICS[topic[a]].split(), 5)) for a in author]
    posts = [f"post-{i:03d}" for i in range(COUNT)]
    images = {f"{i:064x}": _picture(rng, topic[author[i]]) for i in range(120)}
    image_of = [list(images)[i] if i < 120 else None for i in range(COUNT)]
    texts = [text if text is not None else " ".join(w).capitalize() for w in words]
    data = root / "data"

    POSTS.write(
        pa.table(
            {
                "post_id": posts,
                "user_id": [users[a] for a in author],
                "text": texts,
                "image_id": image_of,
                "created_at": pa.nulls(COUNT, pa.timestamp("us")),
            }
        ),
        data / "corpus/posts",
    )
    labels = ["animals", "transport", "plants", "computer"]
    wanted = [[labels[t]] + (["computer"] if i % 5 == 0 and t != 3 else []) for i, t in enumerate(topic)]
    USERS.write(pa.table({"user_id": users, "interests": wanted, "brand": [False] * PEOPLE}), data / "corpus/users")
    IMAGES.write(
        pa.table(
            {
                "image_id": list(images),
                "bytes": list(images.values()),
                "width": pa.array([90] * 120, pa.int32()),
                "height": pa.array([70] * 120, pa.int32()),
            }
        ),
        data / "corpus/images",
    )
    gone = posts[200:210]
    kept = [i for i in range(COUNT) if posts[i] not in gone]
    WORDS.write(
        pa.table(
            {
                "post_id": [posts[i] for i in kept],
                "words": [words[i] for i in kept],
                "hashtags": [[] for _ in kept],
                "language": ["en" for _ in kept],
            },
            schema=WORDS.schema,
        ),
        data / "text/words",
    )
    DUPLICATES.write(
        pa.table(
            {"post_id": gone, "duplicate_of": posts[:10], "overlap": pa.array(np.linspace(0.8, 1, 10), pa.float32())}
        ),
        data / "text/duplicates",
    )
    group = [list(images)[i - i % 3] if i < 12 else list(images)[i] for i in range(120)]
    IMAGE_GROUPS.write(
        pa.table(
            {
                "image_id": list(images),
                "group_id": group,
                "representative": [g == i for g, i in zip(group, images, strict=True)],
                "similarity": pa.array([0.97 - i / 1000 if i < 12 else 1.0 for i in range(120)], pa.float32()),
            }
        ),
        data / "images/groups",
    )
    side = np.array(["test" if i % 5 == 0 else "val" if i % 20 == 1 else "train" for i in range(COUNT)])
    train = [i for i in kept if side[i] == "train"]
    content = pa.table(
        {
            "post_id": [posts[i] for i in train],
            "user_id": [users[author[i]] for i in train],
            "image_id": [image_of[i] for i in train],
            "words": [words[i] for i in train],
        }
    )
    CONTENT.write(content, data / "split/train")
    close = [
        ("image", next(iter(images)), list(images)[50], 0.94, "below"),
        ("image", list(images)[5], list(images)[61], 0.961, "different"),
        ("text", posts[0], posts[3], 0.71, "below"),
        ("written", posts[165], posts[168], 0.66, "below"),
    ]
    CLOSE.write(pa.table([list(c) for c in zip(*close, strict=True)], schema=CLOSE.schema), data / "split/close")

    held = [(posts[0], 30, 7, 9, 5, 3, posts[0], next(iter(images))), (posts[150], 2, 1, 2, 0, 0, posts[150], None)]
    LARGEST.write(LARGEST.of(held), data / "split/largest")

    ranks = {}
    for task in TASKS:
        asked = [i for i in range(COUNT) if side[i] == "test" and (task == "text_to_user" or image_of[i])]
        best = np.maximum(1, rng.geometric(0.3, len(asked))).clip(1, PEOPLE).astype(float)
        ranks[task] = RANKS._conform(
            pa.table(
                {
                    "task": [task] * len(asked),
                    "query_id": [posts[i] for i in asked],
                    "truth_id": [posts[i] if task == "image_to_text" else users[author[i]] for i in asked],
                    "user_id": [users[author[i]] for i in asked],
                    "rank": best,
                }
            )
        )
    RANKS.write(pa.concat_tables(ranks.values()), data / "evaluation/ranks")
    active = {u: int((author[train] == i).sum()) for i, u in enumerate(users)}
    candidates = dict.fromkeys(TASKS, PEOPLE)
    told = {"not_asked": {"author_not_in_train": 0}, "at_chance": {"text_without_known_word": 1}, "ranked_last": {}}
    measured = {what: dict.fromkeys(TASKS, found) for what, found in told.items()}
    measured |= evaluate(ranks, candidates, active, [6, 8], 100, 1)
    write_metrics(measured, root / "metrics/retrieval.json")
    (root / "plots").mkdir(parents=True)
    cumulative(ranks, candidates).to_csv(root / "plots/ranks.csv", index=False)
    one = {"avg_text": ["text_to_user"], "avg_image": ["image_to_user"], "bridging": TASKS, "merged": TASKS}
    worse = {
        task: rows.set_column(4, "rank", pa.array(np.minimum(PEOPLE, rows["rank"].to_numpy() * 2 + 1)))
        for task, rows in ranks.items()
    }
    write_metrics(
        {name: evaluate({t: worse[t] for t in asks}, candidates, active, [6, 8], 100, 1) for name, asks in one.items()},
        root / "metrics/baselines.json",
    )
    apart = {t: worse[t] for t in ("text_to_user", "image_to_user")}
    figures = estimates({"model": pa.concat_tables(ranks.values()), "mean": pa.concat_tables(apart.values())}, 100, 1)
    gaps = {task: (figures["model"][task] - figures["mean"][task]).shown() for task in apart}
    means = dict.fromkeys(
        ("encoder_mean", "encoder_mean_centred", "encoder_mean_whitened"),
        evaluate(apart, candidates, active, [6, 8], 100, 1),
    )
    write_metrics({**means, "model_less": dict.fromkeys(means, gaps)}, root / "metrics/encoder_means.json")

    vectors = rng.normal(size=(PEOPLE, 8)).astype(np.float32) + 3 * np.eye(8, dtype=np.float32)[topic]
    methods = {"model": vectors} | {
        name: vectors + 2 * rng.normal(size=vectors.shape) for name in (*one, "encoder_mean")
    }
    names, truth, left_out = interests.targets(wanted, 5)
    found = interests.predict(methods, names, truth, 1.0, 5, 1, 1)
    write_metrics(
        {
            **interests.evaluate(found, 100, 1),
            "users": PEOPLE,
            "users_without_interests": 0,
            "users_left_out": {"brand": 0, "without_vector": 0},
            "labels_left_out": {"few_have_it": 1 + len(left_out), "nearly_all_have_it": 0},
            "folds": 5,
            "repeats": 1,
            "unconverged_fits": 0,
        },
        root / "metrics/interests.json",
    )
    wanted_rows = interests_of(wanted)
    told = wanted_rows.any(axis=1)
    met = {"not_measured": "too few users have some that another shares"}
    if told.sum() > 7:
        met = neighbours.evaluate(
            {name: values[told] for name, values in methods.items()}, wanted_rows[told], 5, 100, 1
        )
    write_metrics({"interests": met}, root / "metrics/neighbours.json")
    plot(interests.evaluate(found, 100, 1)).to_csv(root / "plots/interests.csv", index=False)
    of, centroids, similarity = cluster(vectors, 4, 1)
    CLUSTER_USERS.write(
        pa.table(
            {"user_id": users, "cluster": pa.array(of, pa.int32()), "similarity": pa.array(similarity, pa.float32())}
        ),
        data / "clusters/users",
    )
    CLUSTER_WORDS.write(top_words(content, pa.array(users), of, 2, 20), data / "clusters/words")
    pictured = Vectors(pa.array(list(images)), vectors[author[:120]] + rng.normal(size=(120, 8)).astype(np.float32))
    CLUSTER_IMAGES.write(
        nearest_images(centroids, pictured, IMAGE_GROUPS.read(data / "images/groups"), 6),
        data / "clusters/images",
    )
    write_metrics(
        {**coherence(vectors, of, wanted, 1), "users": PEOPLE, "users_without_train_posts": 0},
        root / "metrics/clusters.json",
    )

    asked = [
        (0, 0, "text", "red rose", ["rose"], ["red"]),
        (1, 0, "text", "wheel", ["wheel"], []),
        (2, 1, "text", "xyzzy", [], ["xyzzy"]),
        (3, 2, "image", list(images)[7], [], []),
        (4, 3, "user", users[0], [], []),
    ]
    ASKED.write(pa.table([list(c) for c in zip(*asked, strict=True)], schema=ASKED.schema), data / "queries/asked")
    answers = [
        (q, kind, n, ids[(q + n) % len(ids)], 0.9 - n / 10)
        for q in (0, 1, 3, 4)
        for kind, ids in (("image", list(images)), ("user", users), ("text", posts))
        for n in range(3)
    ]
    ANSWERS.write(
        pa.table([list(c) for c in zip(*answers, strict=True)], schema=ANSWERS.schema), data / "queries/answers"
    )

    write_metrics(
        {
            "rows_in": 300,
            "rows_out": COUNT,
            "rejected": {"no author named": 20, "user with too few posts": 40},
            "posts": {"with_text": COUNT, "with_image": 200, "with_both": 200, "with_several_images": 0},
            "pictures_left_out_of_posts_that_stay": {"image: missing, kept for its text": 3},
            "users": PEOPLE,
            "images": 120,
        },
        root / "metrics/import.json",
    )
    counts = {name: int((side == name).sum()) for name in ("train", "val", "test")}
    write_metrics(
        {
            "posts": {
                "in": COUNT,
                "assigned": COUNT - 12,
                "removed_duplicates": 10,
                "without_words_and_image": 2,
                "excluded": {CROSSES_CUT: 3},
            },
            "sides": {
                name: {
                    "posts": n,
                    "share": n / COUNT,
                    "expected": {"train": 0.75, "val": 0.05, "test": 0.2}[name],
                    "standard_deviation": 0.01,
                }
                for name, n in counts.items()
            },
            "groups": {
                "all": 220,
                "of_more_than_one_post": 4,
                "largest": 30,
                "oversized": 1,
                "posts_in_oversized": 30,
                "cut": 1,
                "pieces": 7,
                "posts_bound_to_two_pieces": 9,
                "posts_that_train_whole": 5,
            },
        },
        root / "metrics/split.json",
    )
    searched = {"searched": 40, "among": 160, "copies": 0, "judged_different": 1, "grey": 3, "grey_pairs": 5}
    queries = {task: {"queries": 20, "not_asked": {"author_not_in_train": 1}} for task in TASKS}
    write_metrics(
        {
            "fit_on": "train",
            "posts": {"in": COUNT - 12, **counts, "excluded": 4},
            "excluded": {"by_cut": 3, "from_train": 1, "from_val": 0, "by_text": 1, "by_image": 0},
            "crossings": {"found": 1, "left": 0},
            "texts": {"test": searched, "val": searched},
            "texts_as_written": {"test": searched, "val": searched},
            "images": {"test": searched, "val": searched},
            "queries": {"texts_of_posts_with_image_ask": True, "val": queries, "test": queries},
        },
        root / "metrics/audit.json",
    )
    write_metrics(
        {
            "not_compared": {"no text": 4, "nothing left after cleaning": 2},
            "compared_as_they_are": {"few words": 3, "letters without spaces that nothing splits": 0},
        },
        root / "metrics/text.json",
    )
    write_metrics({"distinct_words": {"in": 20, "kept": 16, "too_rare": 4}}, root / "metrics/words.json")
    epochs = pd.DataFrame({"epoch": range(1, 9)})
    for name, top in (("loss_text_user", 40), ("loss_image_text", 30), ("loss_image_user", 50)):
        epochs[name] = (top / np.sqrt(epochs["epoch"])).round(4)
    for task in TASKS:
        epochs[f"val_{task}"] = (0.05 + 0.4 / epochs["epoch"] + (epochs["epoch"] > 6) * 0.05).round(4)
    epochs["val_cumulative"] = epochs[[f"val_{task}" for task in TASKS]].sum(axis=1).round(4)
    epochs.to_csv(root / "plots/training.csv", index=False)
    write_metrics({"epochs": 8, "best_epoch": 6}, root / "metrics/train.json")
    checks = ("cosine alone", "with second check")
    thresholds = np.arange(0.6, 1, 0.05).round(2)
    planted = [(check, t, min(1, t + 0.1 * i), 1.4 - t) for i, check in enumerate(checks) for t in thresholds]
    curves = pd.DataFrame(planted, columns=["check", "min_cosine", "precision", "recall"])
    curves.to_csv(root / "plots/image_copies.csv", index=False)
    reached = {check: {"precision": 0.99, "recall": 0.6} for check in checks}
    found = {"copies": 24, "negatives_per_positive": 119, **reached, "recall_by_copy": {"mirrored": 0.5}}
    write_metrics(found, root / "metrics/image_copies.json")
    (root / "data/card").mkdir()
    (root / "data/card/card.json").write_text(
        json.dumps({"Model card": [["Caveats", [["New data", "Measure again."]]]]})
    )
    (root / "params.yaml").write_text((Path(__file__).parents[2] / "params.yaml").read_text())


def _picture(rng, topic) -> bytes:
    image = Image.new("RGB", (90, 70), "white")
    corner = tuple(int(v) for v in rng.integers(5, 40, 2))
    ImageDraw.Draw(image).ellipse(
        (*corner, corner[0] + 40, corner[1] + 28), fill=("tomato", "steelblue", "seagreen", "goldenrod")[topic]
    )
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()


def edit(path: Path, change) -> None:
    """Rewrite the JSON at `path` by `change`."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
