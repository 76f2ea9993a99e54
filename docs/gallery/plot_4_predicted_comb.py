"""
The predicted comb on a spectrum
================================

What a stage does repeats with a period that follows from the upsampling factors alone. So the frequencies of
its lines are known before anything is trained.
"""

# %%
# White noise goes through two stages of factor 4 that only insert zeros and filter with a random kernel.
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.spectrogram import mean_power_spectrum, predicted_comb

FACTORS = (4, 4)
SAMPLE_RATE = 16000
rng = np.random.default_rng(1)


def stage(x, factor):
    """Rectify, insert zeros, and filter with random taps: an untrained transposed stage."""
    stuffed = np.zeros((len(x), factor * x.shape[1]))
    stuffed[:, ::factor] = np.maximum(x, 0)
    taps = rng.normal(size=24)
    return np.array([np.convolve(row, taps, mode="same") for row in stuffed])


audio = rng.normal(size=(200, 128))
for factor in FACTORS:
    audio = stage(audio, factor)
frequencies, power = mean_power_spectrum(audio, SAMPLE_RATE)

# %%
# The mean spectrum, with the lines that ``predicted_comb`` names. Each line belongs to a stage.
figure, axis = plt.subplots()
axis.plot(frequencies / 1000, 10 * np.log10(power / power.sum()), color="0.3", linewidth=0.9)
for line in predicted_comb(FACTORS, SAMPLE_RATE):
    level = 10 * np.log10(power[np.argmin(np.abs(frequencies - line.frequency_hz))] / power.sum())
    axis.plot(line.frequency_hz / 1000, level, "ov"[line.stage - 1], color=f"C{line.stage - 1}")
axis.plot([], [], "o", color="C0", label="stage 1: multiples of 1000 Hz")
axis.plot([], [], "v", color="C1", label="stage 2: multiples of 4000 Hz")
axis.set(xlabel="frequency (kHz)", ylabel="power (dB re total)", xlim=(0, 8.1))
figure.legend(loc="outside upper right", ncols=2)

# %%
# Every marked frequency has a line, and there are lines nowhere else.
