"""Figures of a report, drawn from run folders of known values."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from helpers.report_runs import SMALL, write_measurement, write_run, write_seeds
from matplotlib import image
from matplotlib.colors import to_hex

from wavegan_rc.errors import DataError
from wavegan_rc.figures.compared_figures import WIDE, spectra_figure, training_figure
from wavegan_rc.report import write as report_writer
from wavegan_rc.report.document import build_document
from wavegan_rc.report.write import read_groups, write_figures, write_report

TRANSPOSED = replace(SMALL, upsampler="transposed")


def document_of(runs, tmp_path):
    return build_document(runs, tmp_path / "out")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Three trainings of one setting beside one of another; no pair of segments is compared."""
    folder = tmp_path_factory.mktemp("figures")
    runs = write_seeds(folder, "a", [{}] * 3, TRANSPOSED) + write_seeds(folder, "b", [{}])
    document = document_of(runs, folder)
    return document, runs, read_groups(document)


def lines_by_label(axis):
    """The points of each line, as arrays: those of x, and those of y."""
    return {line.get_label(): np.asarray(line.get_data()) for line in axis.get_lines()}


def arrays_of(run):
    with np.load(run / "measurement" / "artifacts.npz") as arrays:
        return dict(arrays)


def test_spectra_are_the_files_with_bands_over_seeds_or_segments(compared):
    _, runs, groups = compared
    axis, strip = spectra_figure(groups, {1700.0}, WIDE).axes
    lines = lines_by_label(axis)
    powers = [arrays_of(run)["power"] for run in runs]
    levels = np.array([10 * np.log10(power[0] / 0.5) for power in powers])
    mean = levels[:3].mean(axis=0)
    assert lines["transposed (3 seeds)"][1] == pytest.approx(mean)
    assert lines["b-0 (one training)"][1] == pytest.approx(levels[3])
    # The bands, in the order drawn: real audio, three seeds, one training.
    _, seeds, one = [np.asarray(band.get_paths()[0].vertices) for band in axis.collections]
    frequencies = arrays_of(runs[0])["frequencies_hz"]
    for hz, low, high in zip(
        frequencies, levels[:3].min(axis=0), levels[:3].max(axis=0), strict=True
    ):
        at = seeds[seeds[:, 0] == hz, 1]
        assert (at.min(), at.max()) == pytest.approx((low, high))
    assert one[:, 1].max() == pytest.approx(10 * np.log10(powers[3][2] / 0.5).max())
    # Each line stands in the row of its stage: 4000 Hz and 8000 Hz are the last stage's.
    points = [np.asarray(line.get_data()) for line in strip.get_lines()]
    places = {y[0]: x.tolist() for x, y in points}
    assert places[2] == [4000.0, 8000.0]
    assert places[1] == [1000.0, 2000.0, 3000.0, 5000.0, 6000.0, 7000.0]


def test_the_floor_is_real_audio_of_the_first_run(compared):
    _, runs, groups = compared
    axis = spectra_figure(groups, {1700.0}, WIDE).axes[0]
    real = 10 * np.log10(arrays_of(runs[0])["real_power"][0] / 0.5)
    assert lines_by_label(axis)["real"][1] == pytest.approx(np.maximum(real, -140))


def test_training_is_drawn_by_stage_with_bands_over_seeds(compared):
    _, _, groups = compared
    ratio, first, second = training_figure(groups, {(): -86.0, (4000.0, 8000.0): 0.3}, WIDE).axes
    # The three runs have seed - step, up to step 15, and stage + seed.
    x, y = lines_by_label(ratio)["transposed (3 seeds)"]
    assert x.tolist() == list(range(1, 21))
    assert y.tolist() == [1 - min(step, 15) for step in range(1, 21)]
    assert lines_by_label(first)["transposed (3 seeds)"][1].tolist() == [2] * 20
    assert lines_by_label(second)["b-0 (one training)"][1].tolist() == [2] * 20
    titles = [axis.get_title(loc="left") for axis in (ratio, first, second)]
    ends = ["dashed: real, -86.0 dB)", "", "dashed: real, 0.3 dB)"]
    assert [title.partition(" (")[2] for title in titles] == ends
    for axis, real in ((ratio, -86.0), (second, 0.3)):
        assert real in {y for line in axis.get_lines() for y in np.asarray(line.get_ydata())}
        assert axis.get_ylim()[0] < real < axis.get_ylim()[1]
        assert "less is better" in axis.get_ylabel()
    (band,) = first.collections
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert (heights.min(), heights.max()) == (1, 3)
    assert first.get_ylim() == second.get_ylim()
    low, high = second.get_ylim()
    assert low < 1
    assert high > 4


def test_the_levels_of_real_audio_are_those_of_the_table(compared, tmp_path, monkeypatch):
    document, _, groups = compared
    seen = []
    monkeypatch.setattr(report_writer, "training_figure", lambda *each: seen.append(each[1]))
    write_figures(document, tmp_path)
    assert seen == [{(): 0.0} | dict.fromkeys(groups[0].stages.values(), 0.0)] * 2


def test_without_measurements_during_training_there_is_no_such_figure(tmp_path):
    runs = write_seeds(tmp_path, "a", [{}, {}])
    for run in runs:
        (run / "history.jsonl").write_text('{"step": 20}\n')
    document = document_of(runs, tmp_path)
    assert training_figure(read_groups(document), {}, WIDE) is None
    files = write_figures(document, tmp_path / "figures")
    assert {file.stem for file in files} == {"spectra", "spectra-narrow"}


def test_only_steps_that_all_seeds_have_are_drawn(tmp_path):
    runs = write_seeds(tmp_path, "a", [{}, {}])
    rows = [{"step": step, "out_of_band_total_db": 1.0} for step in (5, 10, 15, 20)]
    (runs[1] / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = document_of(runs, tmp_path)
    (axis,) = training_figure(read_groups(document), {}, WIDE).axes
    assert lines_by_label(axis)["resize (2 seeds)"][0].tolist() == [5, 10, 15, 20]


def test_files_are_pictures_on_white_and_alike_each_time(compared, tmp_path):
    document, _, _ = compared
    first = write_figures(document, tmp_path / "1")
    second = write_figures(document, tmp_path / "2")
    assert [file.name for file in first] == [
        *("spectra.png", "spectra.svg", "training.png", "training.svg"),
        *("spectra-narrow.png", "training-narrow.png"),
    ]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        if one.suffix == ".svg":
            assert ElementTree.parse(one).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        else:
            # A corner: white whatever lies behind, in dark mode too.
            assert image.imread(one)[0, 0].tolist() == [1, 1, 1, 1]
    assert len(list((tmp_path / "1").iterdir())) == len(first)


@pytest.mark.parametrize(
    "data", ["$\\frac{$", "<script>alert(1)</script>", "日本語\U0001f600", "a\nb"]
)
def test_hostile_labels_are_drawn_as_text(tmp_path, data):
    runs = write_seeds(tmp_path, "a", [{}, {}])
    runs += write_seeds(tmp_path, "b", [{}, {}], replace(SMALL, data=data), fingerprint="b" * 64)
    document = document_of(runs, tmp_path)
    for file in write_figures(document, tmp_path / "figures"):
        if file.suffix == ".svg":
            tags = {element.tag.rsplit("}")[-1] for element in ElementTree.parse(file).iter()}
            assert "script" not in tags


def test_many_settings_have_styles_of_their_own(tmp_path):
    runs = [
        run
        for shuffle in range(8)
        for run in write_seeds(
            tmp_path, f"{shuffle}", [{}, {}], replace(SMALL, phase_shuffle_radius=shuffle)
        )
    ]
    document = document_of(runs, tmp_path)
    groups = read_groups(document)
    styles = {(to_hex(each.style["color"]), each.style["linestyle"]) for each in groups}
    assert len(styles) == 8


def test_stages_of_other_factors_have_panels_of_their_own(tmp_path):
    other = replace(SMALL, upsampling_factors=(2, 8))
    runs = write_seeds(tmp_path, "a", [{}, {}]) + write_seeds(tmp_path, "b", [{}, {}], other)
    document = document_of(runs, tmp_path)
    groups = read_groups(document)
    assert len(spectra_figure(groups, {1700.0}, WIDE).axes) == 3
    panels = training_figure(groups, {(): -86.0}, WIDE).axes
    assert len(panels) == 5
    # The first has those of both groups, and the level of real audio.
    assert [len(axis.get_lines()) for axis in panels] == [3, 1, 1, 1, 1]


@pytest.mark.parametrize("damage", ["not an archive", "shape", "missing"])
def test_arrays_that_cannot_be_drawn_are_named(tmp_path, damage):
    run = write_run(tmp_path / "a")
    document = document_of([run], tmp_path)
    file = run / "measurement" / "artifacts.npz"
    if damage == "missing":
        file.unlink()
    elif damage == "shape":
        np.savez(file, frequencies_hz=np.zeros(5), power=np.zeros((3, 4)))
    else:
        file.write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="cannot be drawn") as error:
        write_figures(document, tmp_path / "figures")
    assert str(file) in str(error.value)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    run = write_run(tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="out cannot be written"):
        write_report([run], tmp_path / "file")


def test_sets_of_other_rates_stand_on_one_axis(tmp_path):
    slow = replace(SMALL, sample_rate=8000)
    runs = write_seeds(tmp_path, "a", [{}, {}]) + write_seeds(tmp_path, "b", [{}, {}], slow)
    write_measurement(runs[0], [], segments=64)
    document = document_of(runs, tmp_path)
    axis = spectra_figure(read_groups(document), {1700.0}, WIDE).axes[0]
    assert axis.get_xlim()[1] == pytest.approx(1.01 * 8000)
