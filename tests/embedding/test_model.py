"""The encoders against the layers of torch that they stand for; batches; the model's file."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.common.groups import image_groups
from pipeline.embedding import model as models
from pipeline.embedding.batches import Lookup, cut, distinct, moments, shuffled, tokens
from pipeline.embedding.images import image_features, image_numbers
from pipeline.embedding.losses import Objective
from pipeline.embedding.model import JointModel, Trained
from pipeline.embedding.shape import Shape
from pipeline.embedding.starts import starting_rows
from pipeline.embedding.vectors import embed_images, embed_texts, embed_users
from pipeline.embedding.windows import window_maxima
from pipeline.running.errors import Damaged, UserError
from pipeline.tables.images import FEATURES
from pipeline.tables.table import vectors

WINDOWS, FILTERS, WORD, LENGTH, WORDS = (2, 3, 4), (10, 5, 7), 12, 8, 30
SHAPE = Shape(dim=16, image=9, word=WORD, text_length=LENGTH, windows=WINDOWS, filters=FILTERS, dropout=0.0)


@pytest.fixture
def model():
    random = torch.Generator().manual_seed(1)
    return JointModel(SHAPE, torch.randn(WORDS, WORD, generator=random), torch.randn(4, WORD, generator=random), seed=3)


def texts(count=50, seed=0):
    """Tokens (count, LENGTH) of texts of every length from 0 on, words repeated."""
    random = np.random.default_rng(seed)
    token = random.integers(1, WORDS + 1, (count, LENGTH)).astype(np.int32)
    token[:, 1::3] = token[:, :1]
    token[np.arange(LENGTH) >= (np.arange(count) % (LENGTH + 1))[:, None]] = 0
    return token


def convolved(model, token, words):
    """phi_T as one would write it down: Conv1d over embedded words, ReLU, the maximum over time."""
    embedded = F.embedding(torch.from_numpy(token).long(), words).transpose(1, 2)
    maxima, row, column = [], 0, 0
    for window, count in zip(WINDOWS, FILTERS, strict=True):
        kernels = model.kernels[row : row + window * count].view(window, count, WORD).permute(1, 2, 0)
        maxima.append(F.relu(F.conv1d(embedded, kernels, model.bias[column : column + count])).amax(2))
        row, column = row + window * count, column + count
    return torch.cat(maxima, 1)


@pytest.mark.parametrize("tuned", [False, True])
def test_text_is_a_convolution_over_embedded_words_and_so_are_its_gradients(model, tuned):
    token, random = texts(), torch.Generator().manual_seed(0)
    words, index = distinct(token)
    leaf = model.word_rows[words].requires_grad_(tuned)
    table = model.word_rows.clone().requires_grad_(tuned)
    weights = [model.kernels, model.bias, model.text_projection]

    found = model.text(words, index, leaf)
    expected = convolved(model, token, table) @ model.text_projection.T
    torch.testing.assert_close(found, expected)

    slope = torch.randn(found.shape, generator=random)
    given = torch.autograd.grad(found, [*weights, *([leaf] if tuned else [])], slope)
    wanted = list(torch.autograd.grad(expected, [*weights, *([table] if tuned else [])], slope))
    if tuned:
        # Two windows of the same words tie, and torch may share the slope in another way; sums per word are the same.
        wanted[-1] = wanted[-1][words]
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("windows", "filters"), [(WINDOWS, FILTERS), ((), ())])
def test_the_mean_of_words_by_their_rarity_stands_beside_the_convolutions_or_alone(windows, filters):
    random, token = torch.Generator().manual_seed(2), texts()
    counts = np.arange(WORDS)  # 0: known by its parts alone
    shape = replace(SHAPE, windows=windows, filters=filters, word_mean=True)
    vectors = torch.randn(WORDS, WORD, generator=random)
    model = JointModel(shape, vectors, torch.randn(4, WORD, generator=random), 3, models.rarity(counts))
    words, index = distinct(token)
    leaf = model.word_rows[words].requires_grad_()
    found = model.text(words, index, leaf)

    table = model.word_rows.clone().requires_grad_()
    weights = np.log(1 + counts.sum() / np.maximum(counts, 1))
    means = []
    for text in token:
        known = text[text > 0]
        parts = [weights[word - 1] * table[word] for word in known]
        means.append(sum(parts) / weights[known - 1].sum() if parts else torch.zeros(WORD))
    phi = [convolved(model, token, table)] if windows else []
    expected = torch.cat([*phi, torch.stack(means).float()], 1) @ model.text_projection.T
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    slope = torch.randn(found.shape, generator=random)
    (given,), (wanted,) = (torch.autograd.grad(x, [y], slope) for x, y in ((found, leaf), (expected, table)))
    torch.testing.assert_close(given, wanted[words], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(embed_texts(model, token), F.normalize(expected).detach(), atol=1e-5)
    assert (np.diff(models.rarity(counts)[1:]) < 0).all()


@pytest.mark.parametrize(("windows", "filters"), [(WINDOWS, FILTERS), ((), ())])
def test_aligned_texts_are_near_users_as_their_mean_words_are(windows, filters):
    random = torch.Generator().manual_seed(2)
    vectors, users = torch.randn(WORDS, WORD, generator=random), torch.randn(4, WORD, generator=random)
    shape = replace(SHAPE, windows=windows, filters=filters, word_mean=True)
    model = JointModel(shape, vectors, users, 3, aligned=True)
    text, user = model.text_projection[:, -WORD:], model.user_projection
    torch.testing.assert_close(text, user)
    assert shape.dim >= WORD
    torch.testing.assert_close(user.T @ user, models.ALIGNED**2 * torch.eye(WORD), rtol=1e-4, atol=1e-3)
    if not windows:
        words, index = distinct(texts())
        means = torch.stack([vectors[row[row > 0] - 1].mean(0) if row.any() else torch.zeros(WORD) for row in texts()])
        found = F.normalize(model.text(words, index)) @ F.normalize(model.user(users)).T
        torch.testing.assert_close(found, F.normalize(means) @ F.normalize(users).T, atol=1e-5, rtol=1e-4)
    text.data[0, 0] += 1
    assert text[0, 0] != user[0, 0]  # alike, not one


def test_a_text_as_long_as_a_window_has_one_place(model):
    token = texts()[:, :4]
    words, index = distinct(token)
    found = window_maxima(model.word_rows[words], model.kernels, index, WINDOWS, FILTERS)
    tuned = window_maxima(model.word_rows[words].requires_grad_(), model.kernels, index, WINDOWS, FILTERS)
    torch.testing.assert_close(found, tuned)


def test_no_text_is_no_trouble(model):
    words, index = distinct(np.zeros((0, LENGTH), np.int32))
    assert model.text(words, index).shape == (0, SHAPE.dim)


def test_bfloat16_is_near_float32(model):
    words, index = distinct(texts())
    with torch.autocast("cpu", torch.bfloat16):
        low = model.text(words, index)
    full = model.text(words, index)
    assert F.cosine_similarity(low, full).min() > 0.999


def test_embeddings_have_unit_length_and_do_not_depend_on_their_company(model):
    token = texts()
    whole = embed_texts(model, token)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embed_texts(model, token[7:9]), whole[7:9], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(embed_users(model), axis=1), 1, atol=1e-5)
    features = np.random.default_rng(0).random((5, 9), np.float32)
    expected = nn.functional.normalize(torch.from_numpy(features) @ model.image_projection.T).detach()
    np.testing.assert_allclose(embed_images(model, features), expected, atol=1e-6)


def test_style_is_standardised_and_features_are_not():
    shape = replace(SHAPE, style=4)
    model = JointModel(shape, torch.zeros(WORDS, WORD), torch.zeros(4, WORD), seed=3)
    numbers = np.random.default_rng(0).normal(3, 5, (70, 9)).astype(np.float16)
    numbers[:, 8] = 2  # a channel that is the same everywhere
    chosen = np.arange(0, 70, 2)
    model.standardize(*moments(numbers[:, 5:], chosen))
    train = numbers[chosen, 5:].astype(np.float64)
    deviation = np.where(train.std(0) > 0, train.std(0), 1)
    whole = np.concatenate([numbers[:, :5], (numbers[:, 5:] - train.mean(0)) / deviation], axis=1)
    expected = nn.functional.normalize(torch.from_numpy(whole).float() @ model.image_projection.T).detach()
    np.testing.assert_allclose(embed_images(model, numbers), expected, atol=1e-5)


def test_the_words_and_style_of_an_image_stand_behind_its_features_or_are_not_there(tmp_path):
    random = np.random.default_rng(0)
    ids = pa.array([f"i{at:02}" for at in range(7)])
    features, said, style = (random.random((7, width)).astype(np.float16) for width in (3, 4, 2))
    small = replace(FEATURES, shard_rows=3)

    def lay(name, values, begin=0):
        rows = FEATURES.empty() if values is None else pa.table({"image_id": ids[begin:], "vector": vectors(values)})
        small.write(rows, tmp_path / name)

    lay("features", features)
    for some, more in ((None, None), (said, None), (None, style), (said, style)):
        lay("said", some)
        lay("style", more)
        found, numbers, beside = image_features(tmp_path, tmp_path / "arrays")
        assert found.equals(ids) and beside == (0 if some is None else 4, 0 if more is None else 2)
        there = [part for part in (features, some, more) if part is not None]
        np.testing.assert_array_equal(numbers, np.concatenate(there, 1))
    renamed = pa.table({"image_id": pa.array([f"j{at:02}" for at in range(7)]), "vector": vectors(said)})
    for others in (renamed, renamed.slice(1)):
        small.write(others, tmp_path / "said")
        with pytest.raises(ValueError, match="do not hold the same images"):
            list(image_numbers(tmp_path))


@pytest.mark.parametrize("style", [0, 4])
def test_a_model_is_loaded_as_it_was_saved(style, tmp_path):
    model = JointModel(replace(SHAPE, style=style), torch.randn(WORDS, WORD), torch.randn(4, WORD), seed=3)
    model.standardize(torch.randn(style), torch.rand(style))
    names = pa.array([f"u{i}" for i in range(4)]), pa.array([f"w{i:02}" for i in range(WORDS)])
    objective = Objective((0.2, 0.0, 0.8), "sigmoid", 0.1)
    with torch.no_grad():
        objective.scale.add_(torch.tensor([0.1, 0.2, 1 / 3]))
    models.save(Trained(model, *names), objective, tmp_path / "model")
    loaded = models.load(tmp_path / "model")
    again = models.load_objective(tmp_path / "model")
    assert (again.weights, again.loss, again.margin) == (objective.weights, "sigmoid", 0.1)
    for name, value in objective.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)
    assert loaded.model.shape == model.shape and loaded.users.equals(names[0]) and loaded.vocabulary.equals(names[1])
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], value, rtol=0, atol=0)
    with pytest.raises(UserError, match="no model there"):
        models.load(tmp_path / "none")


def test_dimensions_of_before_there_were_more_are_read_and_what_is_no_model_of_this_code_is_told(model, tmp_path):
    names = pa.array([f"u{i}" for i in range(4)]), pa.array([f"w{i:02}" for i in range(WORDS)])
    models.save(Trained(model, *names), Objective((1, 1, 1), "hinge", 0.2), tmp_path)
    path = tmp_path / "config.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in about.items() if value or name == "dropout"}))
    assert models.load(tmp_path).model.shape == SHAPE
    for told, text in [
        ("another version", json.dumps(about | {"later": 1})),
        ("another version", json.dumps({name: value for name, value in about.items() if name != "windows"})),
        (r"config\.json is damaged", path.read_text()[:90]),
    ]:
        path.write_text(text)
        with pytest.raises(UserError, match=told):
            models.load(tmp_path)
    path.write_text(json.dumps(about))
    for part, told, read in [
        ("objective.json", r"objective\.json is damaged", models.load_objective),
        ("weights.safetensors", "is damaged", models.load),
    ]:
        (tmp_path / part).write_bytes((tmp_path / part).read_bytes()[:-9])
        with pytest.raises(Damaged, match=told):
            read(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="no model there"):
        models.load(tmp_path)


def test_users_start_as_their_mean_word_and_without_one_at_random_by_the_seed():
    means = pa.table({"id": ["b", "d"], "vector": vectors(np.array([[1, 2], [3, 5]], np.float32))})
    rows = starting_rows(pa.array(["a", "b", "c", "d"]), means, 2, seed=1)
    np.testing.assert_array_equal(rows[[1, 3]], [[1, 2], [3, 5]])
    again, other = (starting_rows(pa.array(["a", "b", "c", "d"]), means, 2, seed) for seed in (1, 2))
    np.testing.assert_array_equal(rows, again)
    assert (rows[[0, 2]] != other[[0, 2]]).all()
    many = starting_rows(pa.array(["b", *(f"x{i}" for i in range(500))]), means, 2, seed=1)
    assert many[1:].std() == pytest.approx(np.std([1, 2, 3, 5]), rel=0.1)  # none stands out by its length


def test_tokens_are_known_words_in_order_cut_and_padded():
    words = pa.array([["x", "b", "a", "y", "c", "a"], [], ["y"], ["c", "c"]])
    np.testing.assert_array_equal(
        tokens(words, pa.array(["a", "b", "c"]), 3), [[2, 1, 3], [0, 0, 0], [0, 0, 0], [3, 3, 0]]
    )
    np.testing.assert_array_equal(tokens(words.slice(2), pa.array(["a", "b", "c"]), 2), [[0, 0], [3, 3]])


def test_a_batch_holds_what_its_posts_hold(tmp_path):
    images = pa.array(["i0", "i1", "i2"])
    groups = pa.table({"image_id": ["i0", "i1", "i2"], "group_id": ["i0", "i0", "i2"]})
    lookup = Lookup(pa.array(["ann", "bob"]), pa.array(["a", "b", "c"]), images, image_groups(images, groups))
    content = pa.table(
        {
            "post_id": ["p0", "p1", "p2", "p3"],
            "user_id": ["bob", "ann", "bob", "bob"],
            "image_id": ["i1", None, "i2", "i0"],
            "words": [["c", "a"], ["a"], [], ["zzz"]],
        }
    )
    parts = [content.slice(0, 2), content.slice(2)]
    posts = lookup.posts(parts, 4, 3, tmp_path)
    assert posts.has_text.tolist() == [True, True, False, False]
    features = np.arange(6, dtype=np.float16).reshape(3, 2)
    batch = cut(posts, features, np.array([3, 0, 1]))
    assert batch.posts.tolist() == [0, 1, 3] and batch.users[batch.user].tolist() == [1, 0, 1]
    assert batch.group.tolist() == [0, 0]  # i0 and i1 are copies
    assert batch.text_rows.tolist() == [0, 1] and batch.image_rows.tolist() == [0, 2]
    assert batch.words.tolist() == [0, 1, 3]
    assert batch.words[batch.text].tolist() == [[3, 1, 0], [1, 0, 0]]
    assert batch.features.tolist() == [[2, 3], [0, 1]]


def test_posts_with_several_images_hold_them_in_order_and_unknown_ones_go(tmp_path):
    lookup = Lookup(pa.array(["ann"]), pa.array(["a"]), pa.array(["i0", "i1", "i2"]), np.array([0, 0, 2]))
    more = pa.array([["i0", "i9"], None, None, ["i1", "i2"]], pa.list_(pa.string()))
    content = pa.table({
        "post_id": ["p0", "p1", "p2", "p3"], "user_id": ["ann"] * 4, "image_id": ["i2", None, "i9", "i0"],
        "words": pa.array([["a"]] * 4), "more_images": more,
    })  # fmt: skip
    posts = lookup.posts([content.slice(0, 1), content.slice(1)], 4, 1, tmp_path)
    assert posts.image.tolist() == [2, 0, 0, 1, 2] and posts.post.tolist() == [0, 0, 3, 3, 3]
    assert posts.has_image.tolist() == [True, False, False, True]
    taken = posts.take(np.array([3, 1, 0]))
    assert taken.image.tolist() == [0, 1, 2, 2, 0] and taken.begin.tolist() == [0, 3, 3, 5]
    batch = cut(posts, np.arange(3, dtype=np.float32)[:, None], np.array([3, 2]))
    assert batch.image_rows.tolist() == [1, 1, 1] and batch.features[:, 0].tolist() == [0, 1, 2]
    assert batch.group.tolist() == [0, 0, 2]


def test_an_epoch_has_every_post_once_in_batches_of_nearly_one_size():
    rows = np.arange(100, 141)
    batches = shuffled(rows, 20, [7, 3])
    assert sorted(np.concatenate(batches)) == rows.tolist()
    assert {len(batch) for batch in batches} == {13, 14}
    np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(shuffled(rows, 20, [7, 3])))
    assert not np.array_equal(np.concatenate(batches), np.concatenate(shuffled(rows, 20, [7, 4])))


def test_an_image_starts_near_texts_that_say_what_stands_in_it():
    size = 6
    shape = replace(
        SHAPE, dim=64, windows=(), filters=(), sentence=size, said=size, style=2, image=SHAPE.image + size + 2
    )
    model = JointModel(shape, torch.randn(WORDS, WORD), torch.zeros(4, size), seed=3, aligned=True)
    model.center(torch.full((size,), 0.1))
    said = F.normalize(torch.randn(3, size))
    features = torch.zeros(4, shape.image)
    features[:3, shape.content : shape.content + size] = said
    text = model.text(torch.zeros(1, dtype=torch.int64), torch.zeros(3, LENGTH, dtype=torch.int64), sentence=said)
    torch.testing.assert_close(F.cosine_similarity(model.image(features[:3]), text), torch.ones(3))
    assert not model.images(features)[3, : shape.content + size].any()  # without words, none but the style's mean
    plain = JointModel(replace(shape, said=0, image=SHAPE.image + 2), torch.randn(WORDS, WORD), torch.zeros(4, size), 3)
    assert plain.image_projection.shape[1] == SHAPE.image + 2
