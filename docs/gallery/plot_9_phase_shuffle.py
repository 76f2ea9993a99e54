"""
Phase shuffle
=============

Phase shuffle shifts what the critic's layers see by a few samples, at random, and fills the gap by
reflection. The critic can then not recognise a generated segment by the phase of a line.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.nn.phase_shuffle import PhaseShuffle

layer = PhaseShuffle(2, per_example=True, seed=11)
tone = np.cos(2 * np.pi * np.arange(32) / 8).astype("float32")
maps = np.tile(tone[None, :, None], (4, 1, 1))
shifted = np.asarray(layer(maps, training=True))[..., 0]

figure, axes = plt.subplots(4, 1, sharex=True, sharey=True, figsize=(8, 5.5))
for axis, row in zip(axes, shifted, strict=True):
    axis.plot(tone, "o-", color="0.75", markersize=3, label="input")
    axis.plot(row, "o-", markersize=3, label="shifted")
axes[0].set_ylim(-1.4, 2.2)
axes[0].legend(loc="upper right", ncols=2)
axes[-1].set_xlabel("sample")
figure.supylabel("feature map")

# %%
# Which lines lose their fixed phase? The mean of many shifted tones shows how much of it is left.
layer = PhaseShuffle(2, per_example=True, seed=0)
time = np.arange(256)
periods = np.array([1, 2, 3, 4, 6, 8, 12, 16, 32])
left = []
for period in periods:
    tones = np.tile(np.cos(2 * np.pi * time / period)[None, :, None], (500, 1, 1)).astype("float32")
    mean = np.asarray(layer(tones, training=True)).mean(axis=0)[8:-8, 0]
    left.append(np.sqrt(np.mean(mean**2) / np.mean(tones[0, 8:-8, 0] ** 2)))
expected = [abs(np.mean(np.exp(2j * np.pi * np.arange(-2, 3) / period))) for period in periods]

figure, axis = plt.subplots()
axis.plot(periods, expected, "-", color="0.6", label="mean over shifts -2 to 2")
axis.plot(periods, left, "o", label="500 shifted tones")
axis.set(
    xlabel="period of the tone (samples)",
    ylabel="part at a fixed phase",
    ylim=(0, 1.05),
    xscale="log",
)
axis.set_xticks(periods, periods)
axis.minorticks_off()
axis.legend(loc="lower right")

# %%
# Shifts of up to 2 samples take most of it from tones with periods of 2 to 6 samples. A slow tone keeps it,
# and so does a constant (period 1).
