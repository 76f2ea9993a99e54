"""
Two trained generators side by side
===================================

``wavegan_rc/explain/generators`` holds a generator with transposed convolutions and one with resize-convolutions. Both were
trained on the bundled speech, which is low-passed at 1500 Hz. Keras loads them without this package.
"""

# %%
import os
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.spectrogram import mean_power_spectrum, out_of_band_ratio_db, stft_db

SAMPLE_RATE, STOPBAND_HZ = 16000, 1700
folder = Path(os.environ.get("WAVEGAN_RC_ROOT", ".")) / "wavegan_rc/explain/generators"

audio = {}
for name in ("transposed", "resize"):
    generator = keras.saving.load_model(folder / f"{name}.keras", compile=False)
    latents = np.random.default_rng(0).normal(size=(64, generator.input_shape[1])).astype("float32")
    segments = np.asarray(generator(latents)).reshape(64, -1)
    audio[name] = segments / np.sqrt(np.mean(segments**2))  # the same level for both

# %%
# Spectrograms of 32 segments in a row, on one scale.
figure, axes = plt.subplots(2, 1, sharex=True, figsize=(8, 5.5))
for axis, (name, segments) in zip(axes, audio.items(), strict=True):
    levels = stft_db(segments[:32].ravel())
    seconds = segments[:32].size / SAMPLE_RATE
    image = axis.imshow(
        levels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-60,
        vmax=10,
        extent=(0, seconds, 0, 8),
    )
    axis.axhline(STOPBAND_HZ / 1000, color="white", linestyle="--", linewidth=0.9)
    axis.set(title=name, ylabel="frequency (kHz)")
    axis.grid(visible=False)
axes[-1].set_xlabel("time (s)")
figure.colorbar(image, ax=axes, label="level (dB)")

# %%
# The data has nothing above the dashed line. What is there is an artifact:
for name, segments in audio.items():
    frequencies, power = mean_power_spectrum(segments, SAMPLE_RATE)
    print(f"{name:10} {out_of_band_ratio_db(frequencies, power, STOPBAND_HZ):6.1f} dB out of band")

# %%
# One training of each is an example. :doc:`/explanation/reference-experiment` compares five.
