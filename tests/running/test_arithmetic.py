import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.running.arithmetic import AVX2, AVX512, settle, settled

ROOT = Path(__file__).parents[2]
ASKED = """
import json, os, stages
import cv2, faiss, numba, numpy, pyarrow, scipy.linalg, torch
from numpy._core._multiarray_umath import __cpu_features__ as features
from threadpoolctl import threadpool_info
dot = numba.njit(lambda a, b: (a * b).sum(), fastmath=True)
dot(numpy.ones(99, numpy.float32), numpy.ones(99, numpy.float32))
code, = dot.inspect_asm().values()
print(json.dumps({
    "torch": torch.backends.cpu.get_cpu_capability(),
    "blas": sorted({pool["architecture"] for pool in threadpool_info() if "architecture" in pool}),
    "its threads": sorted({p["num_threads"] for p in threadpool_info() if p.get("threading_layer") == "pthreads"}),
    "numpy": features["X86_V3"] and not features["X86_V4"],
    "faiss": faiss.SIMDConfig.get_level_name(),
    "opencv": cv2.ipp.useIPP(),
    "numba": "ymm" in code and "zmm" not in code,
    "arrow": pyarrow.runtime_info().simd_level,
}))
"""


def has_avx2() -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and " avx2 " in info.read_text()


@pytest.mark.skipif(not has_avx2(), reason="the processor has no AVX2")
def test_the_libraries_themselves_say_that_a_stage_has_them_at_avx2():
    free = {name: value for name, value in os.environ.items() if name not in (*AVX2, *AVX512, "ARITHMETIC")}
    told = subprocess.run([sys.executable, "-c", ASKED], cwd=ROOT, env=free, capture_output=True, text=True, check=True)
    wanted = {"torch": "AVX2", "blas": ["Haswell"], "its threads": [1], "numpy": True, "faiss": "AVX2", "opencv": False}
    assert json.loads(told.stdout) == wanted | {"numba": True, "arrow": "avx2"}
    assert told.stderr == ""  # nobody complains of a variable that is not known, or of AVX-512 that is not there


@pytest.mark.parametrize(
    ("flags", "before", "after"),
    [
        ("fpu sse2 avx avx2 fma avx512f avx512dq avx512cd avx512bw avx512vl", {}, AVX2 | AVX512),
        ("fpu sse2 avx avx2 fma avx512f avx512cd avx512er", {}, AVX2),  # a Xeon Phi: not what OpenCV means
        ("fpu sse2 avx avx2 fma", {"MKL_CBWR": "COMPATIBLE"}, AVX2 | {"MKL_CBWR": "COMPATIBLE"}),
        ("fpu sse2 avx avx2 fma", {"ARITHMETIC": "native"}, {"ARITHMETIC": "native"}),
        ("fpu sse2 avx", {}, {}),  # Haswell's instructions would end the process there
    ],
)
def test_nothing_is_asked_that_the_processor_lacks_or_somebody_chose(tmp_path, flags, before, after):
    processor = tmp_path / "cpuinfo"
    processor.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: {flags}\n")
    environment = dict(before)
    settle(environment, processor)
    assert environment == after
    settle(other := dict(before), tmp_path / "none")
    assert other == before


@pytest.mark.parametrize("asked", [AVX2, AVX2 | AVX512, {"ARITHMETIC": "native"}, {}])
def test_a_worker_is_asked_for_the_same_and_may_have_avx512_where_this_machine_has_none(monkeypatch, asked):
    for name in (*AVX2, *AVX512, "ARITHMETIC"):
        monkeypatch.delenv(name, raising=False)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert settled() == (AVX2 | AVX512 if AVX2.keys() <= asked.keys() else asked)
