"""Products and roots without MKL. The same bytes on another maker's processor: benchmarks.scale.processors."""

import pytest
import torch

from pipeline.common.without_mkl import without_mkl

pytestmark = pytest.mark.skipif(without_mkl() is None, reason="the processor has no AVX2")


def test_products_are_onednns():
    with torch.profiler.profile() as seen:
        torch.rand(8, 5) @ torch.rand(5, 7)
    assert any("_linear_pointwise" in event.key for event in seen.key_averages())


def test_products_are_right_and_the_same_by_any_number_of_threads():
    torch.manual_seed(0)
    given = torch.get_num_threads()
    for m, k, n in ((200, 300, 1024), (1000, 37, 90), (3, 1, 5), (1, 300, 1)):
        one, other = torch.rand(m, k), torch.rand(n, k)
        slanted = torch.rand(k, m).T
        made = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            made.append(torch.cat([one @ other.T, slanted @ other.T, one @ other.T.contiguous()]))
        torch.set_num_threads(given)
        assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2])
        exact = torch.cat(
            [one.double() @ other.T.double(), slanted.double() @ other.T.double(), one.double() @ other.T.double()]
        )
        torch.testing.assert_close(made[0].double(), exact, rtol=1e-5, atol=1e-5)


def test_gradients_other_types_and_empty_matrices_are_as_they_were():
    one, other = (torch.rand(shape, requires_grad=True) for shape in ((4, 3), (3, 5)))
    (one @ other).exp().log().sqrt().sum().backward()
    slope = 0.5 / (one @ other).sqrt()
    torch.testing.assert_close(one.grad, slope @ other.T)
    torch.testing.assert_close(other.grad, one.T @ slope)
    for dtype in (torch.float64, torch.bfloat16):
        values = torch.rand(6, 6).to(dtype)
        torch.testing.assert_close(values @ values, (values[:, :, None] * values[None]).sum(1), rtol=0.02, atol=0.02)
        torch.testing.assert_close(values.sqrt(), values**0.5)
    assert (torch.empty(0, 3) @ torch.rand(3, 4)).shape == (0, 4)
    assert torch.equal(torch.empty(2, 0) @ torch.empty(0, 4), torch.zeros(2, 4))
    assert torch.tensor(4.0).sqrt() == 2 and torch.tensor(0.0).exp().shape == ()
