"""What tests share."""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PRESETS = ROOT / "wavegan_rc" / "config" / "presets"


def tone(frequency_hz: float, sample_rate: int = 16000, seconds: float = 1.0, amplitude=0.5):
    time = np.arange(round(sample_rate * seconds)) / sample_rate
    return amplitude * np.sin(2 * np.pi * frequency_hz * time)
