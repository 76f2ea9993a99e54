"""
One convolution instead of two layers
=====================================

Interpolation followed by a convolution is usually two layers, and the second one works at the high rate.
:func:`~wavegan_rc.theory.polyphase.polyphase_fold` folds both into one convolution at the low rate. Here
both ways give the same samples.
"""

# %%
# First way: hold each sample (nearest neighbour), then convolve at the high rate.
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.polyphase import polyphase_fold

FACTOR, KERNEL_SIZE = 2, 22
rng = np.random.default_rng(0)
x = rng.normal(size=40)
kernel = rng.normal(size=KERNEL_SIZE) / np.sqrt(KERNEL_SIZE)

stuffed = np.zeros(FACTOR * len(x))
stuffed[::FACTOR] = x
held = np.convolve(stuffed, interpolation_kernel("resize", FACTOR)[0])[: len(stuffed)]
# The convolution of neural networks does not reverse the kernel; "same" pads 10 and 11 zeros here.
left = (KERNEL_SIZE - 1) // 2
padded = np.pad(held, (left, KERNEL_SIZE - 1 - left))
two_layers = np.correlate(padded, kernel, mode="valid")

# %%
# Second way: fold the kernel, convolve at the low rate, and interleave the phases.
fold = polyphase_fold("resize", KERNEL_SIZE, FACTOR)
folded = fold.matrix @ kernel  # shape (phases, low-rate taps)
padded = np.pad(x, (fold.before, fold.after))
phases = np.stack([np.correlate(padded, taps, mode="valid") for taps in folded], axis=1)
one_layer = phases.ravel()

print("largest difference:", np.abs(one_layer - two_layers).max())
print("multiply-adds for each output sample:", KERNEL_SIZE, "and", folded.shape[1])

# %%
figure, (left, right) = plt.subplots(1, 2, width_ratios=[3, 2], figsize=(9, 3.6))
left.plot(two_layers, "-", label="two layers")
left.plot(one_layer, "o", markersize=3, label="folded")
left.set(xlabel="output sample", ylabel="output", ylim=(-3, 4))
left.legend(loc="upper right", ncols=2)
for phase, taps in enumerate(folded):
    style = ("o-", "s--")[phase]
    right.plot(np.arange(len(taps)), taps, style, markersize=4, label=f"phase {phase}")
right.set(xlabel="low-rate tap", ylabel="folded kernel", ylim=(-0.6, 1.2))
right.legend(loc="upper right", ncols=2)
