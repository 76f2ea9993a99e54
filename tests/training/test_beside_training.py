"""What is not training ends none, and comes after the checkpoint of its step."""

import errno
import io
import json
import os
import signal
from dataclasses import replace

import pytest
from helpers.runs import SMALL, history, newest_step, smoke_config

from wavegan_rc.cli.train import train_and_tell
from wavegan_rc.errors import DivergenceError, WaveganWarning
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.training.callbacks import artifacts
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal
from wavegan_rc.training.callbacks.tensorboard import EventFile
from wavegan_rc.training.health import Watch
from wavegan_rc.training.train import train
from wavegan_rc.utils import interruptions
from wavegan_rc.utils.atomic_files import whole_file, write_whole
from wavegan_rc.utils.interruptions import unbroken_streams

pytestmark = pytest.mark.slow


def test_failures_beside_training_are_a_warning_each_and_come_after_the_checkpoint(
    tmp_path, monkeypatch, capsys
):
    run = tmp_path / "runs" / "001-resize"
    saved = []

    def fail(*_, **__):
        saved.append(newest_step(run))
        raise RuntimeError("no\nLaTeX")

    def fill_disk(self, step, values):
        saved.append(newest_step(run))
        (run / "summary.json").touch()  # as an earlier session leaves it
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "artifact_values", fail)
    monkeypatch.setattr("wavegan_rc.figures.drawing.spectrogram_figure", fail)
    monkeypatch.setattr("wavegan_rc.figures.history_figure.losses_figure", fail)
    monkeypatch.setattr("wavegan_rc.training.results.summarise", fail)
    monkeypatch.setattr(Watch, "add", fail)
    monkeypatch.setattr(EventFile, "scalars", fill_disk)
    every = {"log_every": 1, "measure_every": 1, "save_every": 1}
    config = smoke_config(tmp_path, steps=3, **SMALL | every)
    with pytest.warns(WaveganWarning) as caught:
        assert train_and_tell(config) == 0
    ours = [warning for warning in caught if warning.category is WaveganWarning]
    said = sorted(str(warning.message) for warning in ours)
    assert [text.split(" failed; training continues without it: ") for text in said] == [
        ["the event file of TensorBoard", "[Errno 28] No space left on device"],
        ["the measurement", "no LaTeX"],
        ["the pictures of the sound", "no LaTeX"],
        ["the pictures of the training", "no LaTeX"],
        ["the preview", "no LaTeX"],
        ["the record of bad signs", "no LaTeX"],
        ["the summary", "no LaTeX"],
    ]
    # Measurement, events, bad signs and preview of each step; then summary and pictures.
    assert saved == [1] * 4 + [2] * 4 + [3] * 4 + [3] * 3
    assert [row["step"] for row in history(run)] == [1, 2, 3]
    assert len(list((run / "samples").glob("0*.wav"))) == 2
    assert (run / "generator.keras").is_file()
    *_, then, last = capsys.readouterr().out.splitlines()
    assert then.startswith(f"Next: listen to {run}/samples/joined.wav")
    assert last == f"run: {run}"
    assert not (run / "summary.json").exists()  # nor one of an earlier step


def test_an_error_of_the_callers_function_is_raised_after_the_checkpoint(tmp_path):
    """As it is: neither as a disk that is full, nor as a training that diverged."""

    def failing_at(step, error):
        def report(work, done, total, note):
            if (work, done) == ("training", step):
                raise error

        return report

    run = tmp_path / "runs" / "001-resize"
    config = smoke_config(tmp_path, steps=4, **SMALL | {"save_every": 4})
    error = OSError(errno.EIO, "my window is closed")
    with pytest.raises(OSError, match="my window") as caught:
        train(config, on_progress=failing_at(2, error))
    assert caught.value is error
    assert newest_step(run) == 2
    assert (run / "generator.keras").is_file()
    with pytest.raises(KeyboardInterrupt):  # a second Ctrl-C waits for nothing
        train(config, resume=run, on_progress=failing_at(0, KeyboardInterrupt()))
    diverged = DivergenceError("mine", step=1, tensor="mine")
    with pytest.raises(DivergenceError, match=r"^mine$"):
        train(config, resume=run, on_progress=failing_at(2, diverged))
    assert newest_step(run) == 4
    assert [row["step"] for row in history(run)] == [2, 4]
    assert (run / "summary.json").is_file()


def test_what_follows_a_checkpoint_is_made_up_for_when_training_continues(tmp_path):
    """Killed between the checkpoint of a step and its measurement, line and preview."""
    every = {"log_every": 2, "measure_every": 2, "save_every": 2}
    config = smoke_config(tmp_path, steps=4, **SMALL | every)
    run = train(config).path
    expected = history(run)
    assert [("rms_db" in row) for row in expected] == [True, True]
    for path in (run / "checkpoints").glob("step-000004*"):
        path.unlink()
    lengths = json.loads((run / "checkpoints" / "step-000002.json").read_text())["log_lengths"]
    assert "history.jsonl" not in lengths  # the state was saved before its line
    train(config, resume=run)
    assert history(run) == expected
    # And where the last step is saved already.
    (run / "history.jsonl").write_text("")
    with pytest.warns(WaveganWarning, match="bytes from before step 4 are lost"):
        train(config, resume=run)
    assert history(run) == expected[-1:]
    # Longer, the last step is no longer one to measure at.
    odd = smoke_config(tmp_path, steps=3, **SMALL | every)
    run = train(odd).path
    assert "rms_db" in history(run)[-1]
    train(replace(odd, steps=4), resume=run)
    assert history(run) == expected


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGXCPU,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ],
)
def test_every_signal_that_asks_for_an_end_is_one_and_once_more_is_not_at_once(number, caplog):
    """A terminal and its shell both send SIGHUP; `timeout` sends a signal twice."""
    handlers = {signal.SIGINT: signal.default_int_handler}
    inherited = signal.signal(number, handlers.get(number, signal.SIG_DFL))  # `nohup` ignores some
    before = signal.getsignal(number)
    with StopOnSignal() as stop:
        os.kill(os.getpid(), number)
        assert stop.received == number
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        else:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == number
    assert signal.getsignal(number) == before
    signal.signal(number, inherited)
    assert "press Ctrl-C again to stop now" in caplog.text


def test_a_signal_just_before_the_end_is_answered(caplog):
    """On a busy machine, the thread reads both at once."""
    reading, writing = os.pipe()
    os.write(writing, bytes([signal.SIGTERM, 0]))
    os.close(writing)
    StopOnSignal()._answer(reading)
    assert "press Ctrl-C again to stop now" in caplog.text


def test_a_signal_that_is_ignored_stays_so():
    """As `nohup` starts programs."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopOnSignal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK])
def test_without_locks_a_run_is_trained_with_a_warning(number, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    match = "cannot be locked: train in it from one process only"
    with pytest.warns(WaveganWarning, match=match), run_lock(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["process"] == os.getpid()


def test_a_file_system_that_cannot_flush_keeps_files_all_the_same(tmp_path, monkeypatch):
    def refuse(number):
        def fsync(_):
            raise OSError(number, os.strerror(number))

        return fsync

    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    write_whole(tmp_path / "a.txt", "caf\udce9")
    assert (tmp_path / "a.txt").read_bytes() == rb"caf\udce9"
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), whole_file(tmp_path / "a") as file:
        file.touch()


class Broken(io.StringIO):
    error: Exception

    def write(self, text):
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(errno.EIO, ""), ValueError("closed")])
def test_what_cannot_be_printed_is_dropped(error, monkeypatch):
    stream = Broken()
    stream.error = error
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", stream)
    with unbroken_streams():
        print("nobody reads this", flush=True)
        print("nor this", file=interruptions.sys.stderr)
        assert not interruptions.sys.stdout.isatty()
    with pytest.raises(type(error)):
        print("this")


def test_half_an_event_does_not_stay_in_the_file(tmp_path):
    """After it, none could be read."""
    with EventFile(tmp_path) as writer:
        writer.scalars(1, {"a": 1.0})
        (file,) = tmp_path.iterdir()
        whole = file.read_bytes()
        opened = writer._records._writer

        class Full:
            def write(self, data):
                opened.write(data[:5])
                opened.flush()
                raise OSError(errno.ENOSPC, "full")

            def close(self):
                opened.close()
                raise OSError(errno.EDQUOT, "over quota")

        writer._records._writer = Full()
        with pytest.raises(OSError, match="full"):
            writer.scalars(2, {"a": 1.0})
        assert file.read_bytes() == whole
        writer.scalars(3, {"a": 1.0})  # dropped
    assert file.read_bytes() == whole
