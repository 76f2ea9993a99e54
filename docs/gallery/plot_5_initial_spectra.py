"""
Spectra before training, by upsampler
=====================================

Untrained stages already leave lines. This draws the mean spectrum of random networks with each upsampler,
with white noise as input and a ReLU before each stage, as Pons et al. (2021) do.
"""

# %%
# Four stages of factor 2 with kernels of 22 taps; 8 channels and 10 random networks are enough for a picture.
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.nn.upsampling import UpsampleConv1D
from wavegan_rc.spectrogram import mean_power_spectrum, predicted_comb

STAGES, CHANNELS, NETWORKS, SAMPLE_RATE = 4, 8, 10, 16000
LENGTH, ENDS = 96, 256  # input samples; output samples that are left out at either end


def spectrum_of_random_networks(upsampler):
    power = 0
    for network in range(NETWORKS):
        x = np.random.default_rng(network).normal(size=(1, LENGTH, CHANNELS)).astype("float32")
        for i in range(STAGES):
            channels = 1 if i == STAGES - 1 else CHANNELS
            seed = 100 * network + i
            layer = UpsampleConv1D(channels, 22, 2, upsampler, use_bias=False, seed=seed)
            x = layer(np.maximum(x, 0))
        frequencies, one = mean_power_spectrum(np.asarray(x)[:, ENDS:-ENDS, 0], SAMPLE_RATE)
        power = power + one / one.sum() / NETWORKS
    return frequencies, power


# %%
figure, axes = plt.subplots(5, 1, sharex=True, sharey=True, figsize=(8, 9))
for axis, upsampler in zip(axes, UPSAMPLERS, strict=True):
    frequencies, power = spectrum_of_random_networks(upsampler)
    axis.plot(frequencies / 1000, 10 * np.log10(power + 1e-15), linewidth=0.9)
    for line in predicted_comb([2] * STAGES, SAMPLE_RATE):
        axis.axvline(line.frequency_hz / 1000, color="C1", linestyle=":", linewidth=0.7)
    axis.set(title=upsampler, ylim=(-120, 0), ylabel="dB re total")
axes[-1].set(xlabel="frequency (kHz); dotted: predicted lines", xlim=(0, 8.02))

# %%
# ``transposed`` and ``subpixel`` leave strong lines. ``resize`` and ``linear`` fall off instead. This says
# nothing about trained networks: measure those.
