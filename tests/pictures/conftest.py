import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def gradient() -> Image.Image:
    """Red grows to the right, green downwards; wider than tall."""
    y, x = np.mgrid[:40, :60]
    return Image.fromarray(np.stack([4 * x, 6 * y, np.full_like(x, 90)], axis=2).astype(np.uint8))
