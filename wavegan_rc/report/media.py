"""What the page shows and plays: spectrograms, audio, and the part of it that is artifact."""

import base64
import io
import math

import matplotlib
import numpy as np
import pyloudnorm
from PIL import Image
from scipy import signal

from wavegan_rc.audio.files import write_wav
from wavegan_rc.audio.filters import design_lowpass
from wavegan_rc.spectrogram import stft_db

COLOR_MAP = "magma"
# 80 dB shows what a listener can hear beside the loudest part, and hides rounding to 16 bits.
RANGE_DB = 80
# Blocks of the loudness gate (ITU-R BS.1770-4).
_GATE_S = 0.4
# Measured on low-passed speech, out-of-band part of 64 segments: -79 dB with 5 ms, -85 with 10 and
# -86, the floor, with 16.
_FADE_S = 0.01


def levels_db(segments: np.ndarray) -> np.ndarray:
    """Spectrograms of segments side by side; each is analysed by itself, so no joint shows.

    Args:
        segments: Array of shape (segments, samples).

    Returns:
        Levels in dB re full-scale sine, shape (bins, frames of all segments).

    Example:
        >>> levels_db(np.zeros((3, 2048))).shape
        (257, 39)
    """
    n_fft = min(512, segments.shape[-1] // 8 * 2)
    return np.concatenate(list(stft_db(segments, n_fft=n_fft, hop_length=n_fft // 4)), axis=1)


def spectrogram_png(level_db: np.ndarray, top_db: float) -> bytes:
    """Draw levels as a picture: one pixel for each bin and frame, low frequencies at the bottom.

    Args:
        level_db: Shape (bins, frames).
        top_db: Level of the brightest colour; the darkest is 80 dB below.

    Returns:
        PNG with a palette of 256 colours.

    Example:
        >>> spectrogram_png(np.zeros((2, 3)), 0.0)[1:4]
        b'PNG'
    """
    share = (level_db[::-1] - top_db) / RANGE_DB + 1
    image = Image.fromarray(np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8))
    colors = matplotlib.colormaps[COLOR_MAP](np.arange(256), bytes=True)[:, :3]
    image.putpalette(colors.tobytes())
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return file.getvalue()


def scale_png() -> bytes:
    """Draw the colours from the lowest level to the highest, as a strip."""
    return spectrogram_png(np.linspace(-RANGE_DB, 0, 256)[None], 0.0)


def wav_bytes(audio: np.ndarray, sample_rate: int) -> bytes:
    """A WAV file, 16-bit PCM: lossless, and every browser plays it and finds a sample in it.

    Args:
        audio: Samples in [-1, 1], shape (samples,).
        sample_rate: In Hz.

    Example:
        >>> len(wav_bytes(np.zeros(8), 16000))
        60
    """
    file = io.BytesIO()
    write_wav(file, audio, sample_rate)
    return file.getvalue()


def loudness_db(audio: np.ndarray, sample_rate: int) -> float | None:
    """How loud audio sounds: K-weighted, gated power.

    Args:
        audio: Shape (samples,).
        sample_rate: In Hz.

    Returns:
        dB (LUFS); None for silence.

    Source:
        ITU-R BS.1770-4 (2015), as in the library pyloudnorm.

    Example:
        >>> sine = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
        >>> abs(loudness_db(sine, 16000) + 3) < 0.1
        True
    """
    gate = min(_GATE_S, len(audio) / sample_rate)
    loudness = pyloudnorm.Meter(sample_rate, block_size=gate).integrated_loudness(audio)
    return float(loudness) if math.isfinite(loudness) else None


def artifact_only(
    segments: np.ndarray, sample_rate: int, cutoff_hz: float, stopband_hz: float
) -> np.ndarray | None:
    """The part of joined segments above the data's band.

    Each segment is faded in and out over 10 ms before: a joint, which no network made, would sound
    as a click.

    Args:
        segments: Array of shape (segments, samples).
        sample_rate: In Hz.
        cutoff_hz: Where the low-pass of the data begins.
        stopband_hz: Below it at least 80 dB are removed; above, the slope is as wide as that of the
            low-pass of the data.

    Returns:
        Array of shape (segments * samples,); None if there is no room above the data's band.

    Source:
        A high-pass is the delay less a linear-phase low-pass: A. V. Oppenheim and R. W. Schafer,
        "Discrete-Time Signal Processing", section 7.5.

    Example:
        >>> low, high = (np.sin(2 * np.pi * f * np.arange(4096) / 16000) for f in (1600, 4000))
        >>> kept = artifact_only(np.stack([low, high]), 16000, 1500, 1700)
        >>> [round(float(part.std()), 3) for part in (kept[1000:3000], kept[5000:7000])]
        [0.0, 0.707]
    """
    passed_hz = 2 * stopband_hz - cutoff_hz
    if passed_hz >= sample_rate / 2:
        return None
    samples = segments.shape[-1]
    fade = min(round(_FADE_S * sample_rate), samples // 2)
    ramp = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade) ** 2
    faded = segments.copy()
    faded[:, :fade] *= ramp
    faded[:, samples - fade :] *= ramp[::-1]
    joined = faded.ravel()
    kernel = design_lowpass(stopband_hz, passed_hz, sample_rate)
    delay = len(kernel) // 2
    return joined - signal.oaconvolve(joined, kernel)[delay : delay + len(joined)]


def data_uri(content: bytes, media_type: str) -> str:
    """A file as an address that holds it.

    Example:
        >>> data_uri(b"abc", "image/png")
        'data:image/png;base64,YWJj'
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
