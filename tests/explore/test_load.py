"""Fifty questions a second."""

import concurrent.futures
import time

import numpy as np
import pytest


def load(served, seconds, rate=50):
    """Ask at `rate` a second, whatever the answers take; the statuses, and the times in seconds."""
    paths = ["/search.json?q=tiger", "/user/user-03", "/search?q=user:user-05", "/clusters", "/thumb/" + "0" * 64]
    served.get(paths[0])

    def one(i, due):
        time.sleep(max(0, due - time.monotonic()))
        begun = time.monotonic()
        return served.get(paths[i % len(paths)])[0], time.monotonic() - begun

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(64) as threads:
        done = [threads.submit(one, i, begun + i / rate) for i in range(int(seconds * rate))]
        found = [future.result() for future in done]
    statuses, times = zip(*found, strict=True)
    return statuses, times


def test_fifty_questions_a_second_without_an_error(served):
    statuses, _ = load(served, 3)
    assert set(statuses) == {200}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_fifty_questions_a_second_for_a_minute(served):
    statuses, times = load(served, 60)
    assert set(statuses) == {200}
    assert np.quantile(times, 0.95) < 2, np.quantile(times, [0.5, 0.95, 1])
