"""A report of real runs: measured once, compared over segments."""

import json
import os
import shutil
import time

import pytest
from helpers.report_runs import document_json

from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.measurement.measure import compare
from wavegan_rc.measurement.measure import measure as measure_set
from wavegan_rc.report import measured
from wavegan_rc.report.document import build_document
from wavegan_rc.report.verdicts import judge
from wavegan_rc.report.write import write_figures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(smoke_runs, tmp_path_factory):
    """Copies of two runs, the document that measured them, and what was measured, by path."""
    folder = tmp_path_factory.mktemp("report")
    runs = [shutil.copytree(run, folder / run.name) for run in smoke_runs]
    kept = {}

    def measure(path):
        kept[path] = measure_set(path)
        return kept[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "measure", measure)
        document = document_json(runs, folder / "out")
    return runs, folder / "out", document, [kept[str(run)] for run in runs]


@pytest.fixture
def measured_again(report, monkeypatch):
    """The paths that are measured from here on: all of them copies of the first run."""
    paths = []

    def measure(path):
        paths.append(path)
        return report[3][0]

    monkeypatch.setattr(measured, "measure", measure)
    return paths


def without_time(document):
    return {name: value for name, value in document.items() if name != "created"}


def test_each_run_is_measured_once_and_each_pair_compared_once(report, measured_again):
    runs, out, document, _ = report
    for run in runs:
        assert (run / "measurement" / "artifacts.json").is_file()
    assert without_time(document_json(runs, out)) == without_time(document)
    assert measured_again == []
    assert len(list((out / "comparisons").iterdir())) == 1


def test_the_numbers_are_those_of_the_files(report):
    runs, _, document, _ = report
    for run, group in zip(runs, ("g1", "g2"), strict=True):
        result = json.loads((run / "measurement" / "artifacts.json").read_text())
        assert len(document["rows"]) == len(result["quantities"])
        rows = {(r["name"], r["stage"], r["frequency_hz"]): r for r in document["rows"]}
        for quantity in result["quantities"]:
            row = rows[quantity["name"], quantity["stage"], quantity["frequency_hz"]]
            cell = row["cells"][group]
            for name in ("value", "low", "high", "p_value", "verdict", "reason"):
                assert cell[name] == quantity[name]
            assert (cell["over"], cell["count"]) == ("segments", 512)


def test_segments_are_compared_as_measure_does(report):
    """Compared again by what the command uses."""
    _, _, document, (theirs, ours) = report
    compared = [q.to_json() for q in compare(ours, theirs).quantities]
    rows = {(r["name"], r["stage"], r["frequency_hz"]): r for r in document["rows"]}
    told = 0
    for quantity in compared:
        if quantity["difference"] is None:
            continue
        row = rows[quantity["name"], quantity["stage"], quantity["frequency_hz"]]
        found = row["differences"]["g2"]
        expected = quantity["difference"] | {
            name: quantity[name] for name in ("p_value", "verdict")
        }
        assert {name: found[name] for name in expected} == expected
        told += found["value"] is not None
    assert told > 40


def test_one_training_each_is_said_to_be_one(report):
    _, _, document, _ = report
    assert {verdict["trainings"] for verdict in document["verdicts"]} == {"one training each"}
    assert document["summary"]["finding"].startswith("After 6 steps, in one training each, ")
    assert "Another seed may give another result" in " ".join(document["summary"]["more"])
    assert "Not a fair comparison" not in " ".join(document["warnings"])


def test_a_verdict_is_what_its_rows_say(report):
    _, _, document, _ = report
    for verdict in document["verdicts"]:
        sides = [
            row["differences"]["g2"]
            for row in document["rows"]
            if row["name"] == verdict["quantity"] and row["frequency_hz"] is None
        ]
        assert verdict["difference"] in [side["value"] for side in sides]
        assert verdict["verdict"] == judge([side["verdict"] for side in sides])


@pytest.mark.parametrize("change", ["older", "schema", "form", "arrays", "real"])
def test_a_measurement_of_something_else_is_made_anew(report, tmp_path, measured_again, change):
    run = shutil.copytree(report[0][0], tmp_path / "001-transposed")
    file = run / "measurement" / "artifacts.json"
    before = json.loads(file.read_text())
    if change == "older":
        later = time.time() + 10
        os.utime(run / "generator.keras", (later, later))
    elif change == "real":  # its data could not be read then
        file.write_text(json.dumps(before | {"real": None}))
    elif change == "arrays":
        (run / "measurement" / "artifacts.npz").unlink()
    else:
        old = {"schema": before["schema"], "form": '"stopband_hz": 1700.0'}[change]
        new = {"schema": "wavegan_rc.artifacts/0", "form": '"stopband_hz": 1800.0'}[change]
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
    document = document_json([run], tmp_path / "out")
    assert measured_again == [str(run)]
    after = json.loads(file.read_text())
    assert after["quantities"] == before["quantities"]
    assert document["groups"][0]["label"] == "transposed"


def test_a_measurement_without_real_audio_is_kept_while_there_is_none(
    report, tmp_path, measured_again
):
    run = shutil.copytree(report[0][0], tmp_path / "run")
    file = run / "measurement" / "artifacts.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"real": None}))
    settings = (run / "config.yaml").read_text()
    assert "data: null" in settings
    (run / "config.yaml").write_text(settings.replace("data: null", f"data: {tmp_path / 'none'}"))
    with pytest.warns(WaveganWarning, match="there is no reference"):
        document_json([run], tmp_path / "out")
    assert measured_again == []


def test_a_generator_that_is_none_is_named(smoke_runs, tmp_path):
    run = shutil.copytree(smoke_runs[0], tmp_path / "run")
    shutil.rmtree(run / "measurement", ignore_errors=True)
    (run / "generator.keras").write_bytes(b"PK")
    with pytest.raises(DataError, match="cannot be measured: ") as error:
        document_json([run], tmp_path / "out")
    assert str(error.value).startswith(str(run))


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(
    report, tmp_path, measured_again
):
    (tmp_path / "file").write_text("")
    run = shutil.copytree(report[0][0], tmp_path / "run")
    with pytest.raises(DataError, match="out cannot be written"):
        document_json([run], tmp_path / "file" / "out")
    assert measured_again == []
    shutil.rmtree(run / "measurement")
    (run / "measurement").write_text("")
    with pytest.raises(DataError, match="measurement cannot be written"):
        document_json([run], tmp_path / "out")
    with pytest.raises(ParameterError, match="settings or seeds"):
        document_json([run, run], tmp_path / "out")
    assert measured_again == [str(run)]


def test_figures_are_drawn_of_real_runs(report, tmp_path):
    runs, out, _, _ = report
    files = write_figures(build_document(runs, out), tmp_path / "figures")
    names = {file.name for file in files}
    assert names == {
        f"{stem}{end}"
        for stem in ("spectra", "training")
        for end in (".png", ".svg", "-narrow.png")
    }
