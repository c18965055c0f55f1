"""What stages would have measured of the made-up corpus: ranks, interests, clusters; counts of what went in and out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.common.metrics import write_metrics
from pipeline.evaluation import interests, neighbours
from pipeline.evaluation.clusters import cluster, coherence, nearest_images, top_words
from pipeline.evaluation.encoder_means import ENCODED
from pipeline.evaluation.encoder_means import METHODS as UNTRAINED
from pipeline.evaluation.neighbours import interests_of
from pipeline.ranking.estimates import estimates
from pipeline.ranking.retrieval import TASKS, Ranked, cumulative, evaluate, left_out
from pipeline.ranking.vectors import Vectors
from pipeline.running.schema import Retrieval
from pipeline.tables.evaluation import CLUSTER_IMAGES, CLUSTER_USERS, CLUSTER_WORDS
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CROSSES_CUT
from stages.evaluate_interests import plot
from tests.made.corpus import COUNT, PEOPLE, PICTURES, Made

BASELINES = {"avg_text": ["text_to_user"], "avg_image": ["image_to_user"], "bridging": TASKS, "merged": TASKS}
"""What each is asked."""


def measure(made: Made, root: Path) -> None:
    """Write metrics/ and plots/ under `root`, and the tables of ranks and clusters."""
    (root / "plots").mkdir(parents=True)
    _ranks(made, root)
    _meanings(made, root)
    _counts(made, root / "metrics")
    _training(root)
    _planted_copies(root)


def _ranks(made: Made, root: Path) -> None:
    """The three tasks, of the model, the baselines and the pretrained means: the worse, the further from the model."""
    posts, users, author = made.posts, made.users, made.author
    told = {"not_asked": {"author_not_in_train": 0}, "at_chance": {"text_without_known_word": 1}, "ranked_last": {}}
    ranks = {}
    for task in TASKS:
        asked = [i for i in range(COUNT) if made.side[i] == "test" and (task == "text_to_user" or made.image_of[i])]
        best = np.maximum(1, made.rng.geometric(0.3, len(asked))).clip(1, PEOPLE).astype(float)
        rows = RANKS._conform(
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
        ranks[task] = Ranked(rows, told, PEOPLE)
    whole = pa.concat_tables(found.rows for found in ranks.values())
    RANKS.write(whole, root / "data/evaluation/ranks")
    active = {u: int((author[made.train] == i).sum()) for i, u in enumerate(users)}
    settings = Retrieval(bootstrap=100, activity=[6, 8])
    measured = left_out(ranks) | evaluate(ranks, active, settings, 1)
    write_metrics(measured, root / "metrics/retrieval.json")
    cumulative(ranks).to_csv(root / "plots/ranks.csv", index=False)
    worse = {
        task: found._replace(
            rows=found.rows.set_column(4, "rank", pa.array(np.minimum(PEOPLE, found.rows["rank"].to_numpy() * 2 + 1)))
        )
        for task, found in ranks.items()
    }
    write_metrics(
        {name: evaluate({t: worse[t] for t in asks}, active, settings, 1) for name, asks in BASELINES.items()},
        root / "metrics/baselines.json",
    )
    apart = {t: worse[t] for t in ("text_to_user", "image_to_user")}
    mean = pa.concat_tables(found.rows for found in apart.values())
    figures = estimates({"model": whole, "mean": mean}, 100, 1)
    gaps = {task: (figures["model"][task] - figures["mean"][task]).shown() for task in apart}
    of_texts = {"text_to_user": apart["text_to_user"]}
    means = dict.fromkeys(ENCODED, evaluate(apart, active, settings, 1))
    means |= dict.fromkeys(UNTRAINED[3:], evaluate(of_texts, active, settings, 1))
    less = {name: {task: gaps[task] for task in gaps if task in means[name]} for name in UNTRAINED}
    write_metrics({**means, "model_less": less}, root / "metrics/encoder_means.json")


def _meanings(made: Made, root: Path) -> None:
    """What users' vectors tell: interests, neighbours, clusters."""
    data, users, wanted = root / "data", made.users, made.interests
    vectors = made.rng.normal(size=(PEOPLE, 8)).astype(np.float32) + 3 * np.eye(8, dtype=np.float32)[made.topic]
    methods = {"model": vectors} | {
        name: vectors + 2 * made.rng.normal(size=vectors.shape) for name in (*BASELINES, "encoder_mean")
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
    CLUSTER_WORDS.write(top_words(made.content, pa.array(users), of, 2, 20), data / "clusters/words")
    pictured = Vectors(
        pa.array(list(made.images)),
        vectors[made.author[:PICTURES]] + made.rng.normal(size=(PICTURES, 8)).astype(np.float32),
    )
    CLUSTER_IMAGES.write(
        nearest_images(centroids, pictured, IMAGE_GROUPS.read(data / "images/groups"), 6),
        data / "clusters/images",
    )
    write_metrics(
        {**coherence(vectors, of, wanted, 1), "users": PEOPLE, "users_without_train_posts": 0},
        root / "metrics/clusters.json",
    )


def _counts(made: Made, metrics: Path) -> None:
    """What went in and out, stage by stage."""
    write_metrics(
        {
            "rows_in": 300,
            "rows_out": COUNT,
            "rejected": {"no author named": 20, "user with too few posts": 40},
            "posts": {"with_text": COUNT, "with_image": 200, "with_both": 200, "with_several_images": 0},
            "pictures_left_out_of_posts_that_stay": {"image: missing, kept for its text": 3},
            "users": PEOPLE,
            "images": PICTURES,
        },
        metrics / "import.json",
    )
    counts = {name: int((made.side == name).sum()) for name in ("train", "val", "test")}
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
        metrics / "split.json",
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
        metrics / "audit.json",
    )
    write_metrics(
        {
            "not_compared": {"no text": 4, "nothing left after cleaning": 2},
            "compared_as_they_are": {"few words": 3, "letters without spaces that nothing splits": 0},
        },
        metrics / "text.json",
    )
    write_metrics({"distinct_words": {"in": 20, "kept": 16, "too_rare": 4}}, metrics / "words.json")


def _training(root: Path) -> None:
    epochs = pd.DataFrame({"epoch": range(1, 9)})
    for name, top in (("loss_text_user", 40), ("loss_image_text", 30), ("loss_image_user", 50)):
        epochs[name] = (top / np.sqrt(epochs["epoch"])).round(4)
    for task in TASKS:
        epochs[f"val_{task}"] = (0.05 + 0.4 / epochs["epoch"] + (epochs["epoch"] > 6) * 0.05).round(4)
    epochs["val_cumulative"] = epochs[[f"val_{task}" for task in TASKS]].sum(axis=1).round(4)
    epochs.to_csv(root / "plots/training.csv", index=False)
    write_metrics({"epochs": 8, "best_epoch": 6}, root / "metrics/train.json")


def _planted_copies(root: Path) -> None:
    """How many planted copies of pictures are found, and of what is found how much is right, by threshold."""
    checks = ("cosine alone", "with second check")
    thresholds = np.arange(0.6, 1, 0.05).round(2)
    planted = [(check, t, min(1, t + 0.1 * i), 1.4 - t) for i, check in enumerate(checks) for t in thresholds]
    curves = pd.DataFrame(planted, columns=["check", "min_cosine", "precision", "recall"])
    curves.to_csv(root / "plots/image_copies.csv", index=False)
    reached = {check: {"precision": 0.99, "recall": 0.6} for check in checks}
    found = {"copies": 24, "negatives_per_positive": 119, **reached, "recall_by_copy": {"mirrored": 0.5}}
    write_metrics(found, root / "metrics/image_copies.json")
