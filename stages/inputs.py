"""What the stages `train` and `baselines` both read: the posts of the split, their features, words and users."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import torch

from pipeline.common.groups import image_groups
from pipeline.embedding.batches import Array, Lookup, Posts, held, held_ids, keep_ids, moments
from pipeline.embedding.images import Beside, image_features
from pipeline.embedding.losses import Objective
from pipeline.embedding.means import DISCRIMINANTS
from pipeline.embedding.model import JointModel, Trained, rarity
from pipeline.embedding.processes import ALONE, Processes
from pipeline.embedding.rows import on_disk
from pipeline.embedding.shape import Shape, text_tables
from pipeline.embedding.starts import discriminants, mean_sentences, starting_rows
from pipeline.embedding.training import Trainer
from pipeline.ranking.queries import Queries
from pipeline.ranking.retrieval import TASKS
from pipeline.running.schema import Model, Params
from pipeline.tables.embedding import EMBEDDINGS, LETTERS, VOCABULARY
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.split import CONTENT
from pipeline.tables.table import matrix
from stages.asking import SPLIT, asked, authors

VOCABULARY_PATH = Path("data/words/vocabulary")
WORD_MEANS = Path("data/words/users")
IMAGES_PATH = Path("data/images")
GROUPS = Path("data/images/groups")


@dataclass(frozen=True)
class Inputs:
    """The train side as arrays: `posts`, image `features` (m, D_I), `word_vectors` (V, D_w) and `word_counts` (V,).

    `beside`: how many of an image's numbers, the last, are no features. `sentences`: the tables that tell of a text.
    """

    lookup: Lookup
    posts: Posts
    features: Array
    beside: Beside
    word_vectors: Array
    word_counts: Array
    sentences: tuple[Path, ...] = ()

    @classmethod
    def read(cls, folder: Path, params: Model, processes: Processes = ALONE) -> Self:
        """Read the tables, as the model of `params` needs them.

        What may be large is in `folder`, where the first of `processes` lays it for all: features are read row by row,
        the rest is memory-mapped.
        """
        beside = processes.first(lambda: cls._lay(folder, params))
        vocabulary = VOCABULARY.read(VOCABULARY_PATH)
        lookup = Lookup(
            users=held_ids(folder / "users.arrow").combine_chunks(),
            vocabulary=vocabulary["word"].combine_chunks(),
            images=held_ids(folder / "images.arrow").combine_chunks(),
            image_group=held(folder / "groups.npy"),
        )
        vectors, counts = matrix(vocabulary["vector"]).astype(np.float32), vocabulary["count"].to_numpy()
        posts, features = Posts.laid(folder / "train"), on_disk(folder / "features.npy")
        return cls(lookup, posts, features, beside, vectors, counts, _text_tables(params))

    @staticmethod
    def _lay(folder: Path, params: Model) -> Beside:
        """Write to `folder` what is mapped; returns how many numbers of an image are no features."""
        train, users = SPLIT / "train", authors(SPLIT / "train")
        images, _, beside = image_features(IMAGES_PATH, folder)
        groups = image_groups(images, IMAGE_GROUPS.read(GROUPS, ["image_id", "group_id"]))
        lookup = Lookup(users, VOCABULARY.read(VOCABULARY_PATH, ["word"])["word"].combine_chunks(), images, groups)
        length = params.text_length
        lookup.posts(CONTENT.batches(train), CONTENT.count(train), length, folder / "train", _text_tables(params))
        np.save(folder / "groups.npy", groups)
        for name, ids in (("users", users), ("images", images)):
            keep_ids(ids, folder / f"{name}.arrow")
        return beside

    def queries(self, split: str, folder: Path) -> Queries:
        """What `split` (val or test) asks."""
        content = CONTENT.read(SPLIT / split)
        length = self.posts.tokens.shape[1]
        posts = self.lookup.posts([content], content.num_rows, length, folder / split, self.sentences)
        return Queries(asked(split, content.drop_columns("words")), posts, self.lookup.images, self.features)

    def new_model(self, params: Model, seed: int) -> Trained:
        """An untrained model for this corpus, on the GPU where there is one."""
        words = torch.from_numpy(self.word_vectors)
        users, read = self.lookup.users, params.text_encoder != "sentence"
        directions = min(DISCRIMINANTS, self.features.shape[1], len(users))
        letters = LETTERS if len(self.sentences) > 1 else 0
        shape = Shape(
            dim=params.dim, image=self.features.shape[1], said=self.beside.said, style=self.beside.style,
            word=words.shape[1],
            text_length=params.text_length, windows=tuple(params.windows) if read else (),
            filters=tuple(params.filters) if read else (), dropout=params.dropout, image_dropout=params.image_dropout,
            word_mean=params.word_mean and read,
            sentence=0 if self.posts.sentence is None else self.posts.sentence.shape[1] - letters,
            discriminant=directions if params.discriminant else 0, fused=directions if params.late_fusion else 0,
            letters=letters, written=min(DISCRIMINANTS, len(users)) if letters else 0,
        )  # fmt: skip
        rows = torch.zeros(len(users), shape.user)
        model = JointModel(shape, words, rows, seed, rarity(self.word_counts), params.aligned)
        if shape.words:
            model.user_rows[:, : shape.word] = starting_rows(users, word_means(), shape.word, seed)
        if shape.sentence:
            mean, means = mean_sentences(self.posts, letters, len(users), seed)
            model.center(mean)
            if not shape.discriminant:
                end = shape.user - shape.beside
                model.user_rows[:, end - shape.sentence : end] = model.sentences(means)
        if self.beside.style:
            shown = np.unique(self.posts.image)
            model.standardize(*moments(self.features[:, -self.beside.style :], shown))
        if shape.discriminant or shape.fused:
            discriminants(model, self.posts, self.features, len(users), seed)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return Trained(model.to(device), users, self.lookup.vocabulary)

    def trainer(
        self, trained: Trained, objective: Objective, params: Params, val: Queries | None, folder: Path,
        frozen: Collection[str] = (), processes: Processes = ALONE, tasks: Collection[str] = TASKS,
    ) -> Trainer:  # fmt: skip
        """The training of `trained` on the posts, its epoch chosen by the queries `val`; `folder` keeps checkpoints.

        `tasks` are those that validation measures, the objective's among them. Of several `processes`, the first alone
        needs `val`. A model that starts aligned finds users by texts before it is trained, and may be kept as it
        starts: where texts tell little of their users, training fits noise.
        """
        return Trainer(
            trained.model, objective, self.posts, self.features, params.train, params.seed,
            validate=lambda model: val.shares(model, trained.users, tasks) if val else {}, folder=folder, frozen=frozen,
            tune_words=params.model.tune_words, processes=processes, keep_start=params.model.aligned,
            chance=val.chance(trained.users) if val else None,
        )  # fmt: skip


def _text_tables(params: Model) -> tuple[Path, ...]:
    return text_tables(params.text_encoder != "words", params.letters)


def word_means() -> pa.Table:
    """Users' mean word vectors, of those who have a known word: rows of EMBEDDINGS."""
    return EMBEDDINGS.read(WORD_MEANS)
