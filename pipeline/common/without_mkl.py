"""torch without Intel's MKL, which looks who made the processor: it does other sums on AMD's, whatever it is asked.

benchmarks.scale.processors holds stages against an AMD EPYC (docs/experiments/speed.md, 1 December 2026).
"""

import os
import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.running.arithmetic import AVX2

if TYPE_CHECKING:
    from torch import Tensor


@cache
def without_mkl() -> Any:
    """Have torch multiply matrices of the CPU by oneDNN, and take roots, powers of e and logarithms by NumPy.

    In this process, in float32; all stays as it is where AVX2 was not asked for (pipeline.running.arithmetic). The two
    round the same on any maker's processor, by any number of threads, and take as long. To be called where torch is
    loaded; what is returned makes it hold.
    """
    if not AVX2.keys() <= os.environ.keys():
        return None
    import numpy as np
    import torch

    def replace(name: str, by: Callable[..., "Tensor"], own: Callable[..., "Tensor"]) -> None:
        def kernel(*given: "Tensor") -> "Tensor":
            if given[0].dtype == torch.float32 and all(one.numel() for one in given):
                return by(*given)
            return own(*given, out=given[0].new_empty(0))  # another kernel, which stays

        library.impl(name, kernel, "CPU")  # type: ignore[no-untyped-call]

    def product(one: "Tensor", other: "Tensor") -> "Tensor":
        made: Tensor = torch.ops.mkldnn._linear_pointwise(one, other.T, None, "none", [], "")
        return made

    def numpys(function: Callable[..., Any]) -> Callable[["Tensor"], "Tensor"]:
        return lambda values: torch.from_numpy(np.asarray(function(values.detach().numpy())))

    library = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something is replaced
        replace("mm", product, torch.mm)
        replace("sqrt", numpys(np.sqrt), torch.sqrt)
        replace("exp", numpys(np.exp), torch.exp)
        replace("log", numpys(np.log), torch.log)
    return library
