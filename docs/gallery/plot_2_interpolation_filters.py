"""
Five interpolation filters
==========================

Every upsampler inserts zeros and then filters twice: first with a fixed filter, then with the learned kernel.
The fixed filter decides what is left of the images before anything is learned.
"""

# %%
# The taps of each fixed filter, for a factor of 4. ``transposed`` and ``subpixel`` have a single tap of 1:
# they keep the zeros.
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.response import frequency_response_db

FACTOR = 4
SAMPLE_RATE = 16000

figure, axes = plt.subplots(1, 5, sharey=True, figsize=(10, 2.6))
for axis, upsampler in zip(axes, UPSAMPLERS, strict=True):
    taps, first = interpolation_kernel(upsampler, FACTOR)
    axis.stem(np.arange(len(taps)) + first, taps, basefmt=" ")
    axis.set(title=upsampler, xlabel="lag (samples)", xlim=(-14, 14))
axes[0].set_ylabel("tap")

# %%
# Their frequency responses at an output rate of 16 kHz. Images of 0 Hz lie at 4 and 8 kHz (dotted).
frequencies = np.linspace(0, SAMPLE_RATE / 2, 2001)
figure, axis = plt.subplots()
for upsampler, style in zip(
    ("transposed", "resize", "linear", "sinc"), ("-", "--", "-.", "-"), strict=True
):
    taps, _ = interpolation_kernel(upsampler, FACTOR)
    response = frequency_response_db(taps / taps.sum(), frequencies, SAMPLE_RATE)
    label = "transposed, subpixel" if upsampler == "transposed" else upsampler
    axis.plot(frequencies / 1000, response, style, label=label)
for image in (4, 8):
    axis.axvline(image, color="0.4", linestyle=":")
axis.set(xlabel="frequency (kHz)", ylabel="gain (dB re 0 Hz)", ylim=(-100, 5), xlim=(0, 8.05))
figure.legend(loc="outside right upper")

# %%
# Inserted zeros keep the images at full level. ``resize`` and ``linear`` have zeros exactly there. The
# ``sinc`` is about 60 dB down.
