"""Choices by a hash of an id: the same whatever else is there, in whatever order."""

import hashlib
from collections.abc import Iterable

import numpy as np


def unit_hash(ids: Iterable[str], seed: int, purpose: str) -> np.ndarray:
    """A number in [0, 1) for each id, a hash of (seed, purpose, id): uniform, and independent between purposes."""
    prefix = hashlib.blake2b(f"{seed}\0{purpose}\0".encode(), digest_size=8)
    digests = bytearray()
    for name in ids:
        state = prefix.copy()
        state.update(name.encode())
        digests += state.digest()
    return (np.frombuffer(bytes(digests), ">u8") >> np.uint64(11)) * 2.0**-53
