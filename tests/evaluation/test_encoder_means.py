"""Nothing of a held-out post is in what its vector, or a user's, is compared by."""

import numpy as np
import pytest

from pipeline.evaluation.encoder_means import ENCODED, letters_seen, seen_by


@pytest.mark.parametrize("method", [*ENCODED, "letters"])
def test_posts_that_are_not_of_train_change_nothing_of_those_that_are(method):
    rng = np.random.default_rng(0)
    rows, user = np.arange(0, 60, 2), rng.integers(0, 5, 30)

    def seen(values):
        given = values, rows, user, 5, 1
        return letters_seen(*given) if method == "letters" else seen_by(method, *given)

    values = rng.normal(1, 1, (60, 8)).astype(np.float32)
    others = values.copy()
    others[1::2] += 10
    np.testing.assert_array_equal(seen(values)[rows], seen(others)[rows])
    assert not np.allclose(seen(values)[1::2], seen(others)[1::2])
