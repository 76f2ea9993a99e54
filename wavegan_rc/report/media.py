"""Audio of the page, its loudness and its artifact part."""

import base64
import io
import math

import numpy as np
import pyloudnorm
from scipy import signal

from wavegan_rc.audio.files import write_wav
from wavegan_rc.audio.filters import design_lowpass

# Blocks of the loudness gate (ITU-R BS.1770-4).
_GATE_S = 0.4
# Out-of-band part of 64 segments of low-passed speech: -79 dB with fades of 5 ms, -85 dB with
# 10 ms, -86 dB (the floor) with 16 ms.
_FADE_S = 0.01


def wav_bytes(audio: np.ndarray, sample_rate: int) -> bytes:
    """Return a WAV file, 16-bit PCM, which every browser plays and seeks by the sample.

    Example:
        >>> len(wav_bytes(np.zeros(8), 16000))
        60
    """
    file = io.BytesIO()
    write_wav(file, audio, sample_rate)
    return file.getvalue()


def loudness_db(audio: np.ndarray, sample_rate: int) -> float | None:
    """Return the loudness of audio, its K-weighted, gated power, in LUFS; None for silence.

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
    """Return the part of joined segments above the data's band; None if there is no room above it.

    Each segment is first faded in and out over 10 ms: a joint, which no network made, would click.
    At least 80 dB are removed below the stopband edge of the data's low-pass; the slope above is as
    wide as that of the low-pass.

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
    """Return an address that holds a file."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
