"""
Prominence of a planted tone
============================

Line prominence compares the power at a predicted frequency with the bins around it. Here a tone of known
level is planted in white noise, and the measured prominence is compared with the expected one.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.spectrogram import line_prominence_db, mean_power_spectrum

SAMPLE_RATE, LENGTH, SEGMENTS, LINE_HZ = 16000, 2048, 512, 4000
rng = np.random.default_rng(0)
noise = rng.normal(size=(SEGMENTS, LENGTH))  # mean square 1
time = np.arange(LENGTH) / SAMPLE_RATE


def planted(level_db):
    """Add a tone whose power is so many dB below that of the noise."""
    return noise + np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * LINE_HZ * time)


levels = np.arange(-45, -4, 2.5)
measured = []
for level in levels:
    frequencies, power = mean_power_spectrum(planted(level), SAMPLE_RATE)
    measured.append(line_prominence_db(frequencies, power, [LINE_HZ], SAMPLE_RATE)[0])

# %%
# A Hann window puts 1.5 / 1024 of the noise's power into each bin, so the expected prominence is
# ``1 + tone power / (1.5 / 1024)``.
expected = 10 * np.log10(1 + 10 ** (levels / 10) / (1.5 / (LENGTH / 2)))
figure, (left, right) = plt.subplots(1, 2)
frequencies, power = mean_power_spectrum(planted(-20), SAMPLE_RATE)
near = np.abs(frequencies - LINE_HZ) < 160
left.plot(frequencies[near], 10 * np.log10(power[near]), "o-", markersize=3)
left.set(title="a tone at -20 dB", xlabel="frequency (Hz)", ylabel="power (dB re noise)")
right.plot(levels, expected, label="expected")
right.plot(levels, measured, "o", markersize=4, label="measured")
right.set(title="512 segments", xlabel="planted tone (dB re noise)", ylabel="line prominence (dB)")
right.legend(loc="upper left")

# %%
# About 0 dB means no line. The prominence of a tone depends on what surrounds it.
