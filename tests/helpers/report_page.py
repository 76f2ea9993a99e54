"""Documents of reports, and the recordings that they play."""

from pathlib import Path

import soundfile

from wavegan_rc.config import Config
from wavegan_rc.report.document import Document
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import Measured
from wavegan_rc.report.run_files import Run, SessionRecord
from wavegan_rc.report.sentences import Summary
from wavegan_rc.runs.run import Run as RunFolder

RATE, LENGTH, COUNT = 16000, 2048, 64
HOSTILE = "<script>alert(1)</script>"


def run_of(number, folder, *, seed=0, text="Linux", **settings):
    """A run as a report reads it; `text` stands wherever its record has some."""
    shape = {"sample_rate": RATE, "segment_length": LENGTH, "cutoff_hz": 1500.0} | settings
    versions = {"wavegan_rc": "0.1.0", "keras": "3.15.1"}
    session = SessionRecord(versions, "3.11.7", text, text, "2026-01-01T00:00:00Z")
    history = [{"step": step, "steps_per_s": 4.2} for step in (1000, 2000)]
    config = Config(**shape, seed=seed, steps=2000)
    highest = config.sample_rate / 2
    lines = ((highest / 4, 3 * highest / 4), (highest / 2,), (highest,))
    measured = Measured(COUNT, dict(enumerate(lines, 1)))
    place = RunFolder(folder)
    return Run(f"r{number}", place, config, 2000, [session], "a" * 64, history, measured)


def document_of(groups, rows=()):
    """A document of runs by the labels of their groups."""
    return Document(
        title=" and ".join(groups),
        version="0.1.0",
        created="2026-01-01T00:00:00Z",
        groups=[
            Group(f"g{i}", label, tuple(own)) for i, (label, own) in enumerate(groups.items(), 1)
        ],
        runs=[run for own in groups.values() for run in own],
        differing_settings=["upsampler"],
        warnings=[],
        summary=Summary("2 runs", "After 2,000 steps, a finding.", ("How sure it is.",)),
        verdicts=[],
        rows=list(rows),
    )


def write_run(folder: Path, audio, real, rate=RATE):
    """The recordings of a run."""
    (folder / "samples").mkdir(parents=True)
    for name, samples in (("joined", audio), ("real-joined", real)):
        soundfile.write(folder / "samples" / f"{name}.wav", samples, rate, subtype="PCM_16")
    return folder
