"""Spectrograms as pictures without axes: a pixel for each bin and frame."""

import io

import matplotlib
import numpy as np
from PIL import Image

from wavegan_rc.figures.drawing import RANGE_DB

_COLOR_MAP = "magma"


def spectrogram_png(level_db: np.ndarray, top_db: float) -> bytes:
    """Draw levels as a PNG of 256 colours: a pixel for each bin and frame, low frequencies below.

    Args:
        level_db: Levels, shape (bins, frames).
        top_db: Level of the brightest colour; the darkest is 80 dB below.

    Example:
        >>> spectrogram_png(np.zeros((2, 3)), 0.0)[1:4]
        b'PNG'
    """
    share = (level_db[::-1] - top_db) / RANGE_DB + 1
    image = Image.fromarray(np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8))
    colors = matplotlib.colormaps[_COLOR_MAP](np.arange(256), bytes=True)[:, :3]
    image.putpalette(colors.tobytes())
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return file.getvalue()


def scale_png() -> bytes:
    """Draw the colours from the lowest level to the highest, as a strip."""
    return spectrogram_png(np.linspace(-RANGE_DB, 0, 256)[None], 0.0)
