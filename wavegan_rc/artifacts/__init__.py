"""The statistics of artifacts on top of the spectra; no deep-learning library."""
