"""
Where kernels overlap
=====================

A transposed convolution adds one copy of its kernel for each input sample, ``stride`` samples apart. If the
kernel size is no multiple of the stride, some output samples get more copies than others. A constant input
then becomes a tone.
"""

# %%
# Count the copies at each output sample, once for kernel size 22 and stride 2 (the default stages), and once
# for kernel size 25 and stride 4 (WaveGAN's).
import matplotlib.pyplot as plt
import numpy as np

from wavegan_rc.theory.overlap import overlap_counts, overlap_level_db

figure, axes = plt.subplots(1, 2, sharey=True)
for axis, (kernel_size, stride) in zip(axes, [(22, 2), (25, 4)], strict=True):
    counts = overlap_counts(kernel_size, stride)
    samples = np.arange(24)
    axis.bar(
        samples,
        counts[samples % stride],
        color=["C1" if p == 0 else "C0" for p in samples % stride],
    )
    axis.set(
        title=f"kernel size {kernel_size}, stride {stride}",
        xlabel="output sample",
        xticks=range(0, 24, 4),
    )
axes[0].set_ylabel("copies of the kernel")

# %%
# Orange bars are the first output sample of each stride. 22 is a multiple of 2: all samples get 11 copies.
# 25 is no multiple of 4: every fourth sample gets 7 copies, the others 6. If all taps are equal, this makes
# a tone of this level, in dB relative to the constant:
print(f"kernel size 25, stride 4: {overlap_level_db(25, 4):.1f} dB")

# %%
# Even overlap is not enough. The taps of a real kernel differ, so each output phase has its own gain.
from wavegan_rc.theory.response import phase_gains, tone_levels_db

kernel = np.random.default_rng(0).normal(size=22)
for upsampler in ("transposed", "resize"):
    gains = phase_gains(upsampler, kernel, 2)
    print(
        f"{upsampler}: gain of each phase {gains.round(2)}, tone {tone_levels_db(gains)[0]:.1f} dB"
    )

# %%
# With random taps, the transposed convolution makes a tone. Resize-convolution makes none, whatever the taps.
