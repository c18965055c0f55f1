"""What one split asks of a model: some tasks alone, at no more than their cost."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.embedding.batches import Posts
from pipeline.embedding.model import JointModel
from pipeline.embedding.shape import Shape
from pipeline.ranking import queries as module
from pipeline.ranking.queries import Queries, rank_queries
from pipeline.ranking.retrieval import TASKS

SHAPE = Shape(dim=8, image=6, word=4, text_length=5, windows=(2,), filters=(7,), dropout=0.0)
POSTS, USERS = 40, 6


@pytest.fixture
def asked():
    """Queries of 40 posts, of which the first ten ask for users by their text, the last 20 all else; a model."""
    random = np.random.default_rng(0)
    image = np.arange(POSTS)
    ids = pa.array([f"p{i:02}" for i in range(POSTS)])
    user = random.integers(0, USERS, POSTS)
    content = pa.table(
        {"post_id": ids, "user_id": [f"u{u}" for u in user], "image_id": [f"i{i:02}" for i in range(POSTS)]}
    )
    posts = Posts.of_one(pa.chunked_array([ids]), user, image, image, random.integers(1, 20, (POSTS, 5), np.int32))
    generator = torch.Generator().manual_seed(1)
    model = JointModel(
        SHAPE, torch.randn(20, 4, generator=generator), torch.randn(USERS, 4, generator=generator), seed=1
    )
    tasks = {"text_to_user": content[:10], "image_to_text": content[20:], "image_to_user": content[20:]}
    features = random.random((POSTS, 6), np.float32)
    queries = Queries(tasks, posts, content["image_id"].combine_chunks(), features)
    return queries, model, pa.array([f"u{u}" for u in range(USERS)])


def embedded(monkeypatch):
    """How many texts and images are embedded from now on."""
    counts = {}

    def counting(name, whole):
        counts[name] = 0

        def counted(model, values, *rest):
            counts[name] += len(values)
            return whole(model, values, *rest)

        monkeypatch.setattr(module, name, counted)

    counting("embed_texts", module.embed_texts)
    counting("embed_images", module.embed_images)
    return counts


@pytest.mark.parametrize(
    ("tasks", "texts", "images"),
    [(TASKS, 30, 20), (("text_to_user",), 10, 0), (("image_to_user",), 0, 20), (("image_to_text",), 20, 20)],
)
def test_some_tasks_alone_rank_as_all_together_and_no_other_content_is_embedded(
    asked, tasks, texts, images, monkeypatch
):
    whole, shares = rank_queries(*asked), asked[0].shares(*asked[1:])
    for task, (rows, _, candidates) in whole.items():
        medians = rows.to_pandas().groupby("truth_id")["rank"].median()
        assert shares[task] == pytest.approx(medians.mean() / candidates)
    counts = embedded(monkeypatch)
    found = rank_queries(*asked, tasks)
    assert list(found) == list(tasks)
    assert counts == {"embed_texts": texts, "embed_images": images}
    for task in tasks:
        assert found[task][0].equals(whole[task][0]) and found[task][1:] == whole[task][1:]
    assert asked[0].shares(*asked[1:], tasks) == {task: shares[task] for task in tasks}
