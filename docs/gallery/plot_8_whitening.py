"""
The filter before the critic
============================

The critic hears real and generated segments through a fixed filter. The default one is the inverse of the
training recordings' spectrum, with a bounded gain.
"""

# %%
# The filter is designed from segments. This class gives it random segments of the bundled speech, low-passed
# at 1500 Hz as training does it by default.
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from scipy import signal

from wavegan_rc.audio.emphasis import design_emphasis
from wavegan_rc.theory.response import frequency_response_db


class SpeechSegments:
    segment_length = 2048

    def __init__(self):
        first = sorted(files("wavegan_rc").joinpath("audio", "speech").glob("*.ogg"))[0]
        audio, self.sample_rate = soundfile.read(first)
        low_pass = signal.firwin(513, 1600, fs=self.sample_rate, window=("kaiser", 8))
        self.audio = signal.fftconvolve(audio, low_pass, mode="same")

    def draw(self, step, count):
        starts = np.random.default_rng(step).integers(
            len(self.audio) - self.segment_length, size=count
        )
        return self.audio[starts[:, None] + np.arange(self.segment_length)]


speech = SpeechSegments()
rate = speech.sample_rate

# %%
# The spectrum of the speech, and the gain of three filters.
frequencies, power = signal.welch(speech.audio, rate, nperseg=256)
figure, (left, right) = plt.subplots(1, 2)
left.plot(frequencies / 1000, 10 * np.log10(power / power.max()))
left.set(title="training speech", xlabel="frequency (kHz)", ylabel="power density (dB re maximum)")
at = np.linspace(0, rate / 2, 500)
for limit, style in ((40.0, "-"), (30.0, "--")):
    taps = design_emphasis("whitening", speech, coefficient=0.95, limit_db=limit)
    right.plot(
        at / 1000, frequency_response_db(taps, at, rate), style, label=f"whitening, {limit:g} dB"
    )
taps = design_emphasis("first_order", speech, coefficient=0.95, limit_db=40.0)
right.plot(at / 1000, frequency_response_db(taps, at, rate), "-.", label="first order")
right.set(title="filters", xlabel="frequency (kHz)", ylabel="gain (dB)")
right.legend(loc="lower right", fontsize=9)

# %%
# Generated audio is never filtered. Only the critic hears it so.
