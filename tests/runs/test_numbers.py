"""The numbers of run folders."""

import shutil
from dataclasses import replace

import pytest
from helpers.runs import smoke_config

from wavegan_rc.errors import DataError
from wavegan_rc.runs.begin import create_run, numbered_folder
from wavegan_rc.runs.run import Run


def begin(config, name=None):
    return create_run(config, {}, name=name, data_fingerprint="").path


def test_numbers_count_up_from_the_highest(tmp_path):
    config = smoke_config(tmp_path)
    first = begin(config)
    begin(replace(config, upsampler="transposed"))
    shutil.rmtree(first)
    third = begin(config)
    assert third.name == "003-resize"
    assert numbered_folder(third.parent, "sinc").name == "004-sinc"


def test_what_is_no_run_does_not_count_and_is_left_alone(tmp_path):
    config = smoke_config(tmp_path)
    runs = begin(config).parent
    for name in ("2024-notes", "002-resize"):
        (runs / name).mkdir()
        (runs / name / "notes.txt").write_text("mine")
    (runs / "900-notes.txt").write_text("mine")
    assert begin(config).name == "003-resize"
    assert (runs / "002-resize" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", [None, "mine"])
def test_a_run_that_cannot_be_written_leaves_nothing(name, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "write_record", full)
    with pytest.raises(DataError, match=r"out cannot be written: .*No space left"):
        begin(smoke_config(tmp_path), name=name)
    assert not list((tmp_path / "runs").iterdir())


def test_a_named_run_is_never_overwritten(tmp_path):
    run = begin(smoke_config(tmp_path), name="mine")
    (run / "summary.json").touch()
    with pytest.raises(DataError, match="mine exists: a run is never overwritten"):
        begin(smoke_config(tmp_path), name="mine")
    assert (run / "summary.json").exists()


def test_generated_sounds_count(tmp_path):
    for number in (1, 2):
        folder = numbered_folder(tmp_path, "resize")
        assert folder.name == f"{number:03d}-resize"
        (folder / "joined.wav").touch()


def test_a_reserved_number_counts(tmp_path):
    (tmp_path / ".007-reserved").mkdir()
    assert numbered_folder(tmp_path, "resize").name == "008-resize"
