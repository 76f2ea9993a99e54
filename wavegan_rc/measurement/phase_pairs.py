"""Squared phase locking and image coherence, over pairs of segments of different units.

`weights` has shape (resamples, groups), as in `statistics`.
"""

import numpy as np

from wavegan_rc.measurement.grouped_spectra import GroupedSpectra


def locking_square(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Return the squared phase locking, without the bias of unrelated phases.

    The square of a mean vector is a sum over pairs of segments. Those of one recording may agree
    because a tone outlasts them, and a segment agrees with itself. Over pairs from different
    recordings unrelated phases have 0 on average, and equal ones 1, in a resample too.

    Returns:
        Array of shape (resamples, bins); NaN without two recordings.

    Source:
        M. Vinck et al., "The pairwise phase consistency" (2010), equation 14, over pairs of
        recordings.
    """
    phasors, sounding = np.ascontiguousarray(spectra.phasors), spectra.sounding
    # Real products take half the time of complex ones.
    vectors = (weights.astype(np.float32) @ phasors.view(np.float32)).view(np.complex64)
    first = np.flatnonzero(np.diff(spectra.recordings, prepend=-1))
    if len(first) == len(sounding):
        within = weights**2 @ np.abs(phasors) ** 2
        pairs_within = weights**2 @ sounding**2
    else:
        within, pairs_within = np.zeros(vectors.shape), np.zeros(len(weights))
        for own in np.split(np.arange(len(sounding)), first[1:]):
            within += np.abs(weights[:, own] @ phasors[own]) ** 2
            pairs_within += (weights[:, own] @ sounding[own]) ** 2
    pairs = _pairs_between(weights @ sounding, pairs_within)
    return (np.abs(vectors) ** 2 - within) / pairs[:, None]


def mean_coherence_square(spectra: GroupedSpectra, weights: np.ndarray, stage: int) -> np.ndarray:
    """Return the squared image coherence, mean over bins, without the bias of unrelated phases.

    Only pairs of segments from different groups count; see `locking_square`. At 0 Hz and half the
    sample rate phases are only 0 or pi, so these two bins are left out.

    Returns:
        Array of shape (resamples,); NaN without two groups.
    """
    images = spectra.images[:, stage - 1, 1:-1]
    # The sum over bins is a quadratic form of the weights.
    parts = np.concatenate([np.real(images), np.imag(images)], axis=1)
    products = parts @ parts.T
    np.fill_diagonal(products, 0)
    squares = np.einsum("rg,rg->r", weights @ products, weights)
    pairs = _pairs_between(weights @ spectra.sounding, weights**2 @ spectra.sounding**2)
    return squares / pairs / images.shape[1]


def _pairs_between(counts: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Return the weight of pairs from different units; NaN without any."""
    pairs = counts**2 - within
    return np.where(pairs > 1e-6 * counts**2, pairs, np.nan)
