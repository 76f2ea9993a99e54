"""
The same decoder in an autoencoder
==================================

Does a transposed convolution leave lines without a critic too? Here the generators are decoders: they are trained to repeat
speech, by the mean squared error alone. The two differ in nothing but the upsampler.
"""

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import wavegan_rc
from wavegan_rc.audio.preparation import corpus_of
from wavegan_rc.audio.segments import segments_of
from wavegan_rc.nn.downsampling import DownsampleConv1D
from wavegan_rc.spectrogram import mean_power_spectrum

config = wavegan_rc.Config()
corpus = corpus_of(config)
training = segments_of(config, corpus, "training").draw(0, 2048)[..., None]
held_out = segments_of(config, corpus, "held_out").draw(0, 256)


def autoencoder(upsampler):
    """An encoder as a critic, without phase shuffle, and a generator as its decoder."""
    segments = keras.Input((config.segment_length, 1))
    x = segments
    for layer, filters in enumerate((16, 32, 64, 64)):
        x = keras.ops.relu(DownsampleConv1D(filters, 25, 4, seed=layer)(x))
    latents = keras.layers.Dense(config.latent_dim)(keras.layers.Flatten()(x))
    decoder = wavegan_rc.build_generator(upsampler=upsampler, seed=0)
    return keras.Model(segments, decoder(latents))


repeated = {"speech": held_out}
for upsampler in ("transposed", "resize"):
    keras.utils.set_random_seed(0)
    model = autoencoder(upsampler)
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    model.fit(training, training, batch_size=32, epochs=6, verbose=0)
    repeated[upsampler] = model.predict(held_out[..., None], verbose=0)[..., 0]

# %%
# How much of the speech is repeated, and what stands above the data's 1700 Hz:
for upsampler in ("transposed", "resize"):
    error = np.mean((repeated[upsampler] - held_out) ** 2) / np.mean(held_out**2)
    print(f"{upsampler:10} error {10 * np.log10(error):5.1f} dB relative to the speech")

figure, axis = plt.subplots(figsize=(8, 4))
for name, segments in repeated.items():
    frequencies, power = mean_power_spectrum(segments, config.sample_rate)
    axis.plot(frequencies / 1000, 10 * np.log10(power / power.sum()), label=name, linewidth=1)
axis.axvline(config.stopband_hz / 1000, color="0.5", linestyle="--", linewidth=0.9)
axis.set(xlabel="frequency (kHz)", ylabel="power of a bin / all power (dB)", ylim=(-130, 0))
axis.legend(loc="upper right")

# %%
# The same instrument as for a GAN tells the lines of each stage from noise.
for upsampler in ("transposed", "resize"):
    measured = wavegan_rc.measure(
        repeated[upsampler],
        sample_rate=config.sample_rate,
        reference=held_out,
        upsampling_factors=config.upsampling_factors,
        stopband_hz=config.stopband_hz,
    )
    for quantity in measured.quantities:
        median = quantity.name == "line_prominence_db" and quantity.frequency_hz is None
        if median and quantity.estimate is not None:
            print(
                f"{upsampler:10} stage {quantity.stage}: lines of {quantity.estimate.value:5.1f} dB"
            )
