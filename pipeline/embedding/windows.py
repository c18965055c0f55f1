"""Convolutions over words and their maxima over time, with each distinct word multiplied once.

A convolution over words is linear, and a mini-batch says the same words often: so each of its distinct words is
multiplied with the kernels once, and a window adds up what its words gave. Only the window that won a maximum has a
gradient, so the way back touches one window per text and filter.

Shapes: u distinct words of d numbers, row 0 the padding, of zeros; t texts of L words, rows of these, the padding at
their ends. Blocks of windows k with F_k filters; `kernels` (sum of k F_k, d): block by block, place in the window by
place, filter by filter.
"""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Array = np.ndarray[Any, np.dtype[Any]]


def window_maxima(
    words: Tensor, kernels: Tensor, text: Tensor, windows: Sequence[int], filters: Sequence[int]
) -> Tensor:
    """Each filter's greatest response over time (t, sum of F_k), bias aside."""
    if text.is_cuda or words.requires_grad:
        return _by_torch(words @ kernels.T, text, windows, filters)
    return _Maxima.apply(words, kernels, text, tuple(windows), tuple(filters))  # type: ignore[no-any-return, no-untyped-call]


def _by_torch(products: Tensor, text: Tensor, windows: Sequence[int], filters: Sequence[int]) -> Tensor:
    """The same from `products` (u, sum of k F_k) in plain operations: for a GPU, and where words have a gradient."""
    maxima, begin = [], 0
    for window, count in zip(windows, filters, strict=True):
        places = text.shape[1] - window + 1
        parts = products[:, begin : begin + window * count].float().chunk(window, dim=1)
        given = [F.embedding(text[:, k : k + places], part) for k, part in enumerate(parts)]
        maxima.append(torch.stack(given).sum(0).amax(1))
        begin += window * count
    return torch.cat(maxima, 1)


_ROOM = 2**22
"""Numbers, of products that are made at a time and taken up while the processor still has them near: 16 MB, which
malloc gives again. New memory for each would cost more than half of their time again.
"""


class _Maxima(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, words: Tensor, kernels: Tensor, text: Tensor, windows: tuple[int, ...], filters: tuple[int, ...]
    ) -> Tensor:
        values = np.empty((len(text), sum(filters)), np.float32)
        places = np.empty(values.shape, np.int32)
        kind = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        given, block, column = words.to(kind), 0, 0
        for window, count in zip(windows, filters, strict=True):
            part = kernels[block : block + window * count].view(window, count, -1).to(kind)
            size = max(1, _ROOM // (len(words) * window))
            for begin in range(0, count, size):
                some = part[:, begin : begin + size].flatten(0, 1)
                here = slice(column + begin, column + min(begin + size, count))
                _maxima((given @ some.T).float().numpy(), text.numpy(), window, values[:, here], places[:, here])
            block, column = block + window * count, column + count
        ctx.save_for_backward(words, text)
        ctx.places, ctx.windows, ctx.filters = places, windows, filters
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        words, text = ctx.saved_tensors
        # Rows of whole vector registers: a rest of 12 numbers costs as much as the 288 before it.
        size = words.shape[1]
        wide = F.pad(words, (0, -size % 32))
        kernels = torch.zeros(sum(k * n for k, n in zip(ctx.windows, ctx.filters, strict=True)), wide.shape[1])
        row, column = 0, 0
        for window, count in zip(ctx.windows, ctx.filters, strict=True):
            here = slice(column, column + count)
            sums = kernels[row : row + window * count].numpy()
            slope, threads = gradient[:, here].numpy(), numba.get_num_threads()
            _backward(wide.numpy(), text.numpy(), window, ctx.places[:, here], slope, sums, threads)
            row, column = row + window * count, column + count
        return None, kernels[:, :size], None, None, None


@numba.njit(parallel=True, cache=True)  # type: ignore[misc]
def _maxima(products: Array, text: Array, window: int, values: Array, places: Array) -> None:
    """Of some filters: maxima over time `values` (t, F), `places` of the windows that won, the first of equals."""
    filters, length = values.shape[1], text.shape[1]
    for t in numba.prange(text.shape[0]):
        words = 0
        while words < length and text[t, words] != 0:
            words += 1
        # Rows of their own, since `values` and `places` are columns of a whole.
        best, place = np.full(filters, -np.inf, np.float32), np.zeros(filters, np.int32)
        response = np.empty(filters, np.float32)
        # The windows beyond the words are all padding, and all alike: the first stands for them.
        for begin in range(min(length - window, words) + 1):
            given = products[text[t, begin], :filters]
            for f in range(filters):
                response[f] = given[f]
            for k in range(1, min(window, words - begin)):
                given = products[text[t, begin + k], k * filters : (k + 1) * filters]
                for f in range(filters):
                    response[f] += given[f]
            for f in range(filters):
                wins = response[f] > best[f]
                best[f] = response[f] if wins else best[f]
                place[f] = begin if wins else place[f]
        for f in range(filters):
            values[t, f], places[t, f] = best[f], place[f]


_TEXTS = 32  # at a time: their words stay in the cache


@numba.njit(parallel=True, cache=True, fastmath={"contract"})  # type: ignore[misc]
def _backward(
    words: Array, text: Array, window: int, places: Array, gradient: Array, kernels: Array, slices: int
) -> None:
    """Of one block: add the gradient of the kernels (k F, d) from that of the maxima (t, F), by `slices` of filters.

    A filter's sums are made by one thread, text by text, so they do not depend on the number of threads. Four texts
    are added up at a time, which saves the sums three ways to the cache and back.
    """
    texts, filters = places.shape
    for part in numba.prange(slices):
        for begin in range(0, texts, _TEXTS):
            end = min(begin + _TEXTS, texts)
            for f in range(part * filters // slices, (part + 1) * filters // slices):
                for k in range(window):
                    sums = kernels[k * filters + f]
                    fours = end - (end - begin) % 4
                    for t in range(begin, fours, 4):
                        a, b = words[text[t, places[t, f] + k]], words[text[t + 1, places[t + 1, f] + k]]
                        c, d = words[text[t + 2, places[t + 2, f] + k]], words[text[t + 3, places[t + 3, f] + k]]
                        p, q, r, s = gradient[t, f], gradient[t + 1, f], gradient[t + 2, f], gradient[t + 3, f]
                        for i in range(sums.size):
                            sums[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
                    for t in range(fours, end):
                        a, p = words[text[t, places[t, f] + k]], gradient[t, f]
                        for i in range(sums.size):
                            sums[i] += p * a[i]
