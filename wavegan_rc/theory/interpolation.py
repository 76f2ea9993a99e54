"""The fixed filter of each upsampler, applied before the learned kernel."""

import math

import numpy as np
from scipy import signal

from wavegan_rc.config.choices import UPSAMPLERS, Upsampler, check_word
from wavegan_rc.errors import ParameterError

# The Kaiser-windowed sinc has its cutoff (-6 dB) at half the low rate, spans 3 low-rate samples on
# each side and has a stopband about 60 dB down. By Kaiser's formula, its transition band is then
# 0.6 of the low rate wide.
SINC_REACH = 3
SINC_ATTENUATION_DB = 60.0


def interpolation_kernel(upsampler: Upsampler, factor: int) -> tuple[np.ndarray, int]:
    """Return the fixed filter `h` that follows the insertion of `factor - 1` zeros per sample.

    The upsampled signal is `u[m] = sum over n of h[m - factor * n - first] * x[n]`:

    - `transposed`, `subpixel`: `h = [1]`; the zeros stay.
    - `resize`: `factor` ones; each sample is repeated.
    - `linear`: a triangle centred on the repeated samples ("half-pixel", as in image libraries),
      `h[d] = 1 - |d - (factor - 1) / 2| / factor`.
    - `sinc`: a Kaiser-windowed sinc with its cutoff at half the low rate.

    Args:
        upsampler: Name of the upsampler.
        factor: Upsampling factor, at least 1.

    Returns:
        The taps at the high rate, shape (taps,), and the lag of the first tap, in high-rate
        samples.

    Raises:
        ParameterError: If the upsampler is unknown, or the factor is less than 1.

    Source:
        J. Pons et al., "Upsampling artifacts in neural audio synthesis" (ICASSP 2021), sections 2
        to 4; for the sinc, J. Pons et al., "Upsampling layers for music source separation" (2021),
        and A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing" (2010), chapters 4
        (interpolation) and 7 (Kaiser window).

    Example:
        >>> interpolation_kernel("linear", 2)
        (array([0.25, 0.75, 0.75, 0.25]), -1)
        >>> taps, first = interpolation_kernel("sinc", 2)
        >>> len(taps), first, round(float(taps.sum()), 6)
        (13, -6, 2.0)
    """
    check_word("upsampler", upsampler, UPSAMPLERS)
    if factor < 1:
        raise ParameterError(f"factor must be at least 1. Received: {factor}")
    if upsampler == "resize":
        return np.ones(factor), 0
    if upsampler == "linear":
        centre = (factor - 1) / 2
        lags = np.arange(math.floor(centre - factor) + 1, math.ceil(centre + factor))
        return 1 - np.abs(lags - centre) / factor, int(lags[0])
    if upsampler == "sinc" and factor > 1:
        reach = SINC_REACH * factor
        window = ("kaiser", signal.kaiser_beta(SINC_ATTENUATION_DB))
        return factor * signal.firwin(2 * reach + 1, 1 / factor, window=window), -reach
    return np.ones(1), 0
