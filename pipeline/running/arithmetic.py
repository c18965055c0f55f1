"""The same arithmetic on every x86-64 processor, so that a run repeated elsewhere gives the same figures.

Libraries choose their instructions by the processor that they find. Sums over registers of another width round
differently, and training makes another figure of the last digit. So stages ask for AVX2, which all such processors have
had since some ten years, before the libraries are loaded. ONNX Runtime alone cannot be asked: its vectors may differ
in the last digit. NumPy's and SciPy's OpenBLAS rounds by how many threads it has, so it has one. Intel's two libraries
differ by the processor's maker too: MKL does other sums on AMD's, whatever it is asked (pipeline.common.without_mkl),
and IPP starts from approximate roots, of which each maker has its own, so OpenCV does without.

`ARITHMETIC=native` in the environment leaves the choice to the libraries.
"""

import os
from collections.abc import MutableMapping
from pathlib import Path

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch
    "MKL_CBWR": "AVX2",  # what is left of MKL in torch: pipeline.common.without_mkl
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's convolutions
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's products of matrices, gensim's too
    "OPENBLAS_NUM_THREADS": "1",  # several cut a product elsewhere, by their number, and are slower (docs/experiments)
    "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR",
    "FAISS_SIMD_LEVEL": "AVX2",
    "OPENCV_IPP": "disabled",
    "OPENCV_LOG_LEVEL": "ERROR",  # it warns that it does without
    "ARROW_USER_SIMD_LEVEL": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma",  # unless given, the processor's own are added
}
"""The variables by which each library is asked; one that is set already stays."""
AVX512 = {"OPENCV_CPU_DISABLE": "AVX512-SKX"}
"""Asked only where the processor has it: OpenCV is told what not to use, and complains of what is not there."""
AVX512_FLAGS = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
"""What AVX512-SKX stands for."""


def settle(environment: MutableMapping[str, str] = os.environ, processor: Path = Path("/proc/cpuinfo")) -> None:
    """Ask all libraries for AVX2 in `environment`, where the processor has it. Libraries loaded already do not hear."""
    if environment.get("ARITHMETIC") == "native" or not processor.exists():
        return
    flags = set(next((line for line in processor.read_text().splitlines() if line.startswith("flags")), "").split())
    if {"avx2", "fma"} <= flags:
        for name, value in (AVX2 | AVX512 if flags >= AVX512_FLAGS else AVX2).items():
            environment.setdefault(name, value)


def settled() -> dict[str, str]:
    """What this process asks for, to be asked for in a worker on another machine too; that may have AVX-512."""
    own = {name: os.environ[name] for name in ("ARITHMETIC", *AVX2, *AVX512) if name in os.environ}
    return AVX512 | own if own.keys() >= AVX2.keys() else own
