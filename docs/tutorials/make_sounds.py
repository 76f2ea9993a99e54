"""Make drum one-shots and short pieces of music, for whoever has no recordings at hand.

python docs/tutorials/make_sounds.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

RATE = 44100


def kick(rng):
    time = np.arange(int(0.35 * RATE)) / RATE
    pitch = rng.uniform(45, 60) + rng.uniform(80, 160) * np.exp(-time / 0.03)
    return np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-time / rng.uniform(0.06, 0.15))


def snare(rng):
    time = np.arange(int(0.3 * RATE)) / RATE
    body = np.sin(2 * np.pi * rng.uniform(160, 230) * time) * np.exp(-time / 0.05)
    return body + rng.normal(size=len(time)) * np.exp(-time / rng.uniform(0.04, 0.09))


def hat(rng):
    time = np.arange(int(0.2 * RATE)) / RATE
    noise = np.diff(rng.normal(size=len(time) + 2), n=2)  # bright
    return noise * np.exp(-time / rng.uniform(0.01, 0.06))


def chord(rng, seconds):
    time = np.arange(int(seconds * RATE)) / RATE
    root = 110 * 2 ** (rng.choice([0, 3, 5, 7]) / 12)
    notes = [root * ratio for ratio in (1, 1.5, 2, 2.5)]
    return sum(np.sin(2 * np.pi * note * time) for note in notes) * np.exp(-time / 1.5)


def add(track, start, sound, gain):
    end = min(len(track), start + len(sound))
    track[start:end] += gain * sound[: end - start]


def write(file, sound):
    soundfile.write(file, 0.9 * sound / np.abs(sound).max(), RATE, subtype="PCM_16")


def main(folder):
    rng = np.random.default_rng(0)
    for name in ("drums", "music"):
        (folder / name).mkdir(parents=True)
    for kind in (kick, snare, hat):
        for i in range(100):
            write(folder / "drums" / f"{kind.__name__}-{i:03}.wav", kind(rng))
    beat = int(0.25 * RATE)
    for piece in range(10):
        track = np.zeros(120 * beat)
        for i in range(120):
            sound = kick if i % 4 == 0 else snare if i % 4 == 2 else hat
            add(track, i * beat, sound(rng), 0.5)
            if i % 8 == 0:
                add(track, i * beat, chord(rng, 2.0), 0.15)
        write(folder / "music" / f"piece-{piece}.wav", track)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
