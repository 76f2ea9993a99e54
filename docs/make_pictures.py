"""Draw the README's pictures: python docs/make_pictures.py TRANSPOSED_RUN RESIZE_RUN."""

import sys
from pathlib import Path

import numpy as np
import soundfile
import yaml
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import save_figure, spectrogram_figure
from wavegan_rc.figures.style import REAL_COLOR, line_style
from wavegan_rc.spectrogram import mean_power_spectrum, predicted_comb


def draw_spectrograms(runs: dict[str, Path], out: Path) -> None:
    all_settings = [yaml.safe_load((run / "config.yaml").read_text()) for run in runs.values()]
    settings = all_settings[0]
    for other in all_settings:
        differing = {key for key in other if other[key] != settings[key]}
        assert differing <= {"upsampler", "out"}, f"the runs differ in {differing}"
    rows = {}
    for title, run in runs.items():
        for name, label in (("real-joined", "real speech, held out"), ("joined", title)):
            audio, rate = soundfile.read(run / "samples" / f"{name}.wav")
            rows[label] = audio.reshape(-1, settings["segment_length"])
    # Real speech on top, then the runs as they were given.
    rows = {label: rows[label] for label in ("real speech, held out", *runs)}
    save_figure(spectrogram_figure(rows, rate, settings["cutoff_hz"]), out)


def draw_spectra(runs: dict[str, Path], out: Path) -> None:
    figure = Figure(figsize=(11, 4), dpi=120, layout="constrained")
    axis = figure.subplots()
    for index, (title, run) in enumerate(runs.items()):
        settings = yaml.safe_load((run / "config.yaml").read_text())
        rate, length = settings["sample_rate"], settings["segment_length"]
        for name, label in (("real-joined", "real speech, held out"), ("joined", title)):
            if name == "real-joined" and axis.lines:
                continue
            audio, _ = soundfile.read(run / "samples" / f"{name}.wav")
            frequencies, power = mean_power_spectrum(audio.reshape(-1, length), rate)
            level = 10 * np.log10(power / 0.5 + 1e-14)
            colour = REAL_COLOR if name == "real-joined" else line_style(index)["color"]
            axis.plot(frequencies, level, linewidth=0.7, color=colour, label=label, zorder=3)
    for line in predicted_comb(settings["upsampling_factors"], rate):
        if line.stage >= 3:
            axis.axvline(line.frequency_hz, color="0.85", linewidth=0.7)
    axis.axvline(settings["cutoff_hz"], color="black", linewidth=0.8, linestyle="--")
    axis.set(xlim=(0, rate / 2), ylim=(-130, -20))
    axis.set_xlabel("frequency (Hz); grey: predicted lines of stages 3 to 7, dashed: cutoff")
    axis.set_ylabel("mean power (dB re full-scale sine)")
    axis.legend(loc="upper right")
    save_figure(figure, out)


if __name__ == "__main__":
    folder = Path(__file__).parent
    runs = dict(zip(("transposed", "resize"), map(Path, sys.argv[1:]), strict=True))
    draw_spectrograms(runs, folder / "spectrograms.png")
    draw_spectra(runs, folder / "spectra.png")
