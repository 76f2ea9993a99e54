"""The audit command on runs, arrays and recordings, clean and planted, good and bad."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from matplotlib import image
from scipy import signal

from wavegan_rc.cli.findings import in_three_lines
from wavegan_rc.cli.measure import measure_command
from wavegan_rc.cli.process import run_command
from wavegan_rc.errors import ParameterError, WaveganError, WaveganWarning
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.evaluator import QUANTITIES
from wavegan_rc.measurement.gate import check_limits, parse_limits
from wavegan_rc.measurement.measure import compare, measure
from wavegan_rc.measurement.quantities import Quantity, QuantityList
from wavegan_rc.measurement.sources import open_segments
from wavegan_rc.report.measured import Interval
from wavegan_rc.report.words import interval_text

RATE, LENGTH, COUNT = 16000, 512, 300


def run(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(measure_command, "measure.py", [*map(str, argv), "--all"])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def low_passed_noise(seed, count=COUNT):
    rng = np.random.default_rng(seed)
    taps = signal.firwin(201, 1300, fs=RATE)
    long = signal.fftconvolve(rng.standard_normal(count * LENGTH + 200), taps, mode="valid")
    return (0.3 * long.reshape(count, LENGTH)).astype(np.float32)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Clean segments, others drawn alike, and the clean ones with a faint tone at 4000 Hz."""
    folder = tmp_path_factory.mktemp("arrays")
    clean, reference = low_passed_noise(0), low_passed_noise(1, 2 * COUNT)
    hiss = 1e-4 * np.random.default_rng(2).standard_normal(reference.shape).astype(np.float32)
    clean, reference = clean + hiss[:COUNT], reference + np.roll(hiss, 1, axis=0)
    tone = 1e-3 * np.sin(2 * np.pi * 4000 * np.arange(LENGTH) / RATE + 0.3)
    np.save(folder / "clean.npy", clean)
    np.save(folder / "reference.npy", reference)
    np.save(folder / "tone.npy", (clean + tone).astype(np.float32))
    return folder


def options(arrays, out, **others):
    given = {
        "reference": arrays / "reference.npy",
        "sample-rate": RATE,
        "stopband-hz": 1700,
        "out": out,
    } | others
    flags = [word for name, value in given.items() for word in (f"--{name}", value)]
    return [*flags, "--upsampling-factors", 4, 4]


def quantities(folder):
    result = json.loads((folder / "artifacts.json").read_text())
    assert result["schema"] == "wavegan_rc.artifacts/4"
    return {(q["name"], q["stage"], q["frequency_hz"]): q for q in result["quantities"]}


def test_a_planted_tone_is_found_and_everything_else_is_as_real(arrays, tmp_path, capsys):
    code, out, err = run([arrays / "tone.npy", *options(arrays, tmp_path / "m")], capsys)
    assert (code, err) == (0, "")
    found = quantities(tmp_path / "m")
    assert {name for name, _, _ in found} == set(QUANTITIES)
    line = found["line_prominence_db", 2, 4000.0]
    assert line["verdict"] == "above"
    assert line["low"] > 10
    assert found["phase_locking", 2, 4000.0]["verdict"] == "locked"
    planted = 10 * np.log10(0.5e-6 / np.mean(np.load(arrays / "tone.npy") ** 2))
    assert found["out_of_band_lines_db", None, None]["value"] == pytest.approx(planted, abs=0.5)
    others = [q for (name, stage, hz), q in found.items() if name == "image_coherence"]
    assert all(abs(q["value"]) < 0.01 for q in others)
    assert f"{line['value']:.1f}" in out
    assert "1 of them locked in phase, 1 more firmly" in out


def test_clean_segments_are_not_different_from_others_drawn_alike(arrays, tmp_path, capsys):
    run([arrays / "clean.npy", *options(arrays, tmp_path / "m")], capsys)
    verdicts = [q["verdict"] for q in quantities(tmp_path / "m").values() if q["verdict"]]
    assert len(verdicts) > 20
    wrong = [v for v in verdicts if v in ("above", "below", "locked")]
    assert len(wrong) <= 0.1 * len(verdicts)
    # Two sets of 300 segments agree within a margin that is named, where they can be told to.
    assert {"equal within 1 dB", "equal within 0.01"} <= set(verdicts)


def test_files_are_complete_and_figures_are_drawn_from_them(arrays, tmp_path, capsys):
    run([arrays / "tone.npy", *options(arrays, tmp_path / "m")], capsys)
    with np.load(tmp_path / "m" / "artifacts.npz", allow_pickle=False) as data:
        assert data["power"].shape == (3, LENGTH // 2 + 1)
        assert data["image_coherence"].shape == (2, LENGTH // 2 + 1)
        assert {"real_power", "real_phase_locking"} <= set(data)
        assert data["frequencies_hz"][data["power"][0][100:].argmax() + 100] == 4000
    pixels = image.imread(tmp_path / "m" / "artifacts.png")
    assert np.ptp(pixels[..., :3]) > 0.5
    for quantity in quantities(tmp_path / "m").values():
        assert quantity["reason"] or None not in (quantity["value"], quantity["low"])
        if quantity["low"] is not None:
            assert quantity["low"] <= quantity["value"] <= quantity["high"], quantity


@pytest.mark.parametrize(("limit", "code"), [("line_prominence_db=6", 1), ("rms_db=0", 0)])
def test_a_limit_makes_it_a_gate(arrays, tmp_path, capsys, limit, code):
    argv = [arrays / "tone.npy", *options(arrays, tmp_path / "m"), "--fail-above", limit]
    ended, _, err = run(argv, capsys)
    assert ended == code
    assert ("fail: " in err) == (code == 1)


def test_recordings_of_any_length_are_cut_into_segments(arrays, tmp_path, capsys):
    audio = np.load(arrays / "clean.npy").ravel()
    for name, part in (("a.wav", audio[:120000]), ("b.flac", audio[120000:])):
        soundfile.write(tmp_path / name, part, RATE)
    argv = [tmp_path / "*.*", *options(arrays, tmp_path / "m"), "--segment-length", LENGTH]
    argv[argv.index("--sample-rate") : argv.index("--sample-rate") + 2] = []
    argv[argv.index(arrays / "reference.npy")] = tmp_path / "a.wav"
    code, out, _ = run(argv, capsys)
    assert code == 0
    assert f"{120000 // LENGTH + (len(audio) - 120000) // LENGTH} segments" in out


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_a_reference_of_another_rate_is_resampled_and_said_to_be(arrays, tmp_path, capsys):
    audio = np.load(arrays / "reference.npy").ravel()
    soundfile.write(tmp_path / "low.wav", audio[::2], RATE // 2)
    np.save(tmp_path / "few.npy", np.load(arrays / "tone.npy")[:30])
    argv = [tmp_path / "few.npy", *options(arrays, tmp_path / "m", reference=tmp_path / "low.wav")]
    code, _, err = run(argv, capsys)
    assert code == 0
    assert err == (
        f"warning: {tmp_path / 'low.wav'}: 1 of 1 files are resampled to 16000 Hz; "
        "those of 8000 Hz hold nothing above 4000 Hz\n"
    )
    ratio = quantities(tmp_path / "m")["rms_db", None, None]
    assert ratio["reference"]["value"] == pytest.approx(ratio["value"], abs=0.5)


def test_a_generated_reference_of_another_rate_is_resampled_and_cut(smoke_runs):
    """The oracle is another resampler."""
    low = low_passed_noise(0)[:64, :128]
    fitted = "segments of 512 samples at 16000 Hz are resampled and cut to 128 samples at 8000 Hz"
    with pytest.warns(WaveganWarning, match=fitted):
        found = measure(low, sample_rate=8000, upsampling_factors=[4], reference=smoke_runs[1])
    (level,) = [q.reference for q in found.quantities if q.name == "rms_db"]
    generated = np.concatenate([*open_segments(smoke_runs[1]).blocks()])
    second_part = np.arange(512) // 8 % 2 == 1
    expected = signal.resample_poly(generated[second_part], 1, 2, axis=1)[:, :128]
    assert level.value == pytest.approx(10 * np.log10(np.mean(expected**2)), abs=0.1)


def test_a_generated_reference_of_shorter_segments_is_refused(smoke_runs):
    long = low_passed_noise(0)[:64, :300]
    rule = r"at least as long as those of array, 300 samples at 8000 Hz\. Received: 512 .* 16000 Hz"
    with pytest.raises(ParameterError, match=rule):
        measure(long, sample_rate=8000, upsampling_factors=[4], reference=smoke_runs[1])


def test_the_rate_of_an_array_as_reference_is_given_or_said_to_be_assumed(arrays, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.load(arrays / "clean.npy").ravel(), RATE)
    given = {"reference": arrays / "reference.npy", "upsampling_factors": [4, 4]}
    given["segment_length"] = LENGTH
    assumed = r"reference\.npy: the rate of an array is not known; 16000 Hz is assumed, that of the"
    with pytest.warns(WaveganWarning, match=assumed):
        measure(tmp_path / "a.wav", **given)
    measure(tmp_path / "a.wav", sample_rate=RATE, **given)


@pytest.mark.parametrize("length", [None, LENGTH])
def test_sets_that_cannot_be_compared_are_found_before_any_is_measured(
    arrays, tmp_path, capsys, length
):
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    audio = np.load(arrays / "clean.npy").ravel()
    soundfile.write(paths[0], audio, RATE)
    soundfile.write(paths[1], audio, RATE // 2)
    argv = [*paths, "--out", tmp_path / "m", *(["--segment-length", length] if length else [])]
    code, out, err = run(argv, capsys)
    assert (code, out) == (2, "")
    form = f"{{}} Hz, {length or 2048} samples"
    assert err == (
        f"error: {paths[1]}: sample_rate and segment_length must be those of {paths[0]}, "
        f"{form.format(16000)}. Received: {form.format(8000)}\n"
    )
    assert not (tmp_path / "m").exists()


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_without_factors_no_lines_are_looked_for(arrays, tmp_path, capsys):
    argv = [arrays / "tone.npy", *options(arrays, tmp_path / "m")][:-3]
    code, out, err = run(argv, capsys)
    assert code == 0
    assert err.startswith("warning: ")
    assert err.count("\n") == 1
    found = quantities(tmp_path / "m")
    assert {stage for _, stage, _ in found} == {None}
    assert found["out_of_band_total_db", None, None]["verdict"] == "above"
    assert "predicted lines" not in out


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_without_factors_a_comb_is_found_and_clean_audio_has_none(arrays, tmp_path, capsys):
    clean = np.load(arrays / "clean.npy")
    time = np.arange(LENGTH) / RATE
    tones = sum(np.sin(2 * np.pi * k * 1000 * time + k) for k in range(1, 8))
    np.save(tmp_path / "comb.npy", (clean + 1e-3 * tones).astype(np.float32))
    np.save(tmp_path / "few.npy", clean[:200])
    for path, spacings in ((tmp_path / "comb.npy", [1000.0]), (tmp_path / "few.npy", [])):
        code, out, _ = run([path, *options(arrays, tmp_path / path.stem)][:-3], capsys)
        assert code == 0
        result = json.loads((tmp_path / path.stem / "artifacts.json").read_text())
        assert [comb["spacing_hz"] for comb in result["found_combs"]] == spacings
        assert all(comb["stage"] is None for comb in result["found_combs"])
        assert "stage" not in out
        assert ("multiples of 1000 Hz (period 16)" in out) == bool(spacings)


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_a_comb_that_no_stage_can_make_is_not_put_down_to_upsampling(arrays, tmp_path, capsys):
    """Factors 4 and 4 repeat every 16 and 4 samples: not every 12, as tones 1333 Hz apart do."""
    clean = np.load(arrays / "clean.npy")[:40]
    time = np.arange(LENGTH) / RATE
    for period, stage, words in (
        (16, 1, "; stage 1 repeats every 16 samples and can make them"),
        (
            12,
            None,
            "; no stage has this period, so it is no image of upsampling; evenly spaced tones",
        ),
    ):
        tones = sum(np.sin(2 * np.pi * k * RATE / period * time + k) for k in range(1, 6))
        path = tmp_path / f"{period}.npy"
        np.save(path, (clean + 1e-3 * tones).astype(np.float32))
        code, out, _ = run([path, *options(arrays, tmp_path / str(period))], capsys)
        assert code == 0
        result = json.loads((tmp_path / str(period) / "artifacts.json").read_text())
        found = [(comb["period"], comb["stage"]) for comb in result["found_combs"]]
        assert found == [(period, stage)]
        (line,) = [line for line in out.splitlines() if line.startswith("found without")]
        assert words in line


def test_results_of_another_set_are_neither_replaced_nor_left_beside(arrays, tmp_path, capsys):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.load(arrays / "clean.npy")[:12])
    a, b, out = tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "m"
    given = ["--sample-rate", RATE, "--out", out, "--upsampling-factors", 4, 4]
    assert run([a, b, *given], capsys)[0] == 0
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    for paths in ([a], [b, a], [b]):
        code, _, err = run([*paths, *given], capsys)
        assert (code, err.count("\n")) == (2, 1)
        assert err.startswith("error: --out must be a new folder, or one with results of the same")
    for paths in ([tmp_path / "nowhere"], [b, tmp_path / "nowhere"]):
        assert run([*paths, *given], capsys)[2].startswith(f"error: {tmp_path / 'nowhere'}: ")
    assert before == {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert run([a, b, *given, "--seed", 1], capsys)[0] == 0
    (out / "02" / "artifacts.json").write_text("{}")
    assert "02/artifacts.json is of something else" in run([a, b, *given], capsys)[2]


def test_segments_that_repeat_count_once(arrays, tmp_path, capsys):
    np.save(tmp_path / "again.npy", np.tile(np.load(arrays / "clean.npy")[:10], (6, 1)))
    code, out, _ = run([tmp_path / "again.npy", *options(arrays, tmp_path / "m")], capsys)
    assert code == 0
    assert "again.npy: 60 segments (10 without overlap and repeats) of 512 samples" in out
    about = json.loads((tmp_path / "m" / "artifacts.json").read_text())
    assert (about["set"]["segments"], about["set"]["independent_segments"]) == (60, 10)
    assert about["real"]["independent_segments"] == about["real"]["segments"] == 296


def test_lines_that_stand_too_close_are_said_to_be_so_and_not_silent(arrays, tmp_path, capsys):
    """64 samples have 2 bins from one multiple of 500 Hz to the next."""
    np.save(tmp_path / "short.npy", np.load(arrays / "clean.npy")[:, :64])
    given = ["--sample-rate", RATE, "--out", tmp_path / "m", "--stopband-hz", 1700]
    assert run([tmp_path / "short.npy", *given, "--upsampling-factors", 2, 16], capsys)[0] == 0
    found = quantities(tmp_path / "m")
    too_close = (
        "lines too close together for this segment length: 2 bins apart; segments of 2048 samples "
        "separate them"
    )
    for name, stage in (("line_prominence_db", 2), ("out_of_band_lines_db", None)):
        assert found[name, stage, None]["reason"] == too_close
    images = "images too close together for this segment length: 2 bins apart"
    assert found["image_coherence", 1, None]["reason"] == images
    assert found["filtering_db", None, None]["reason"] == "no real audio to compare with"


def test_without_a_stopband_edge_it_is_said_why_nothing_is_out_of_band(arrays, tmp_path, capsys):
    np.save(tmp_path / "few.npy", np.load(arrays / "clean.npy")[:12])
    given = ["--sample-rate", RATE, "--out", tmp_path / "m", "--upsampling-factors", 4, 4]
    code, _, err = run(
        [tmp_path / "few.npy", *given, "--fail-above", "out_of_band_total_db=0"], capsys
    )
    assert code == 1
    assert "was not measured: no stopband_hz: no band is known to be empty" in err


@pytest.mark.parametrize("limit", ["line_prominence_db=6", "out_of_band_lines_db=-60"])
def test_a_gate_that_measures_nothing_is_not_passed(arrays, tmp_path, capsys, limit):
    np.save(tmp_path / "silence.npy", np.zeros((COUNT, LENGTH), np.float32))
    argv = [tmp_path / "silence.npy", *options(arrays, tmp_path / "m")]
    code, _, err = run([*argv, "--fail-above", limit], capsys)
    assert code == 1
    assert "was not measured: silence" in err


def test_lines_that_noise_could_hide_have_a_floor_and_say_so(arrays, tmp_path, capsys):
    argv = [arrays / "clean.npy", *options(arrays, tmp_path / "m")]
    code, out, _ = run([*argv, "--fail-above", "out_of_band_lines_db=-60"], capsys)
    assert code == 0
    lines = quantities(tmp_path / "m")["out_of_band_lines_db", None, None]
    assert lines["low"] <= lines["value"] < -80
    assert lines["reason"] == "below the detection limit: noise could hide as much"
    assert f"; {lines['reason']}\n" in out


def test_silence_gives_reasons_not_numbers(arrays, tmp_path, capsys):
    np.save(tmp_path / "silence.npy", np.zeros((COUNT, LENGTH), np.float32))
    code, out, _ = run([tmp_path / "silence.npy", *options(arrays, tmp_path / "m")], capsys)
    assert code == 0
    found = quantities(tmp_path / "m")
    assert found["line_prominence_db", 2, 4000.0]["value"] is None
    assert {q["reason"] for q in found.values() if q["value"] is None} == {"silence"}
    assert "not measured: silence" in out


@pytest.mark.slow
def test_a_run_is_measured_beside_its_own_data_and_agrees_with_its_summary(
    smoke_runs, tmp_path, capsys
):
    run_folder = smoke_runs[1]
    capsys.readouterr()
    code, out, err = run([run_folder, "--out", tmp_path / "m"], capsys)
    assert (code, err) == (0, "")
    found = quantities(tmp_path / "m")
    summary = json.loads((run_folder / "summary.json").read_text())
    ratio = found["out_of_band_total_db", None, None]
    assert ratio["value"] == pytest.approx(summary["out_of_band_ratio_db"]["generated"], abs=0.1)
    assert ratio["reference"]["value"] == pytest.approx(
        summary["out_of_band_ratio_db"]["real"], abs=0.1
    )
    assert f"the training is unfinished: {summary['unfinished']}\n" in out
    about = json.loads((tmp_path / "m" / "artifacts.json").read_text())
    assert about["set"]["training_unfinished"] == summary["unfinished"]
    independent = about["real"]["independent_segments"]
    assert independent == summary["segments"]["real_independent"]
    assert f"reference: 512 real segments ({independent} without overlap and repeats)" in out
    for line in summary["lines"]:
        measured = found["line_prominence_db", line["stage"], line["frequency_hz"]]
        assert measured["value"] == pytest.approx(line["generated_prominence_db"], abs=0.1)
    assert found["frechet_distance", None, None]["verdict"] == "above"
    argv = [run_folder, "--out", tmp_path / "again", "--networks"]
    again = run(argv, capsys)[1].splitlines()
    before = out.splitlines()[:-1]
    assert again[: len(before)] == before
    assert again[len(before) + 1] == f"networks of {run_folder}:"
    assert (tmp_path / "again" / "networks.json").is_file()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sample-rate", 8000, "--stopband-hz", 4000], "--stopband-hz"),
        (["--reference", "nowhere.npy"], "nowhere.npy"),
        (["--sample-rate", "many"], "--sample-rate"),
        (["--seed", -1], "seed"),
        (["--segment-length", 100], "segment"),
        (["--upsampling-factors", 3, 7], "--upsampling-factors"),
        (["--fail-above", "bogus=1"], "--fail-above must name one of out_of_band_total_db, "),
        (["--fail-above", "rms_db"], "--fail-above must be NAME=X"),
        (["--networks"], "networks needs runs or generator files. Received: {folder}/clean.npy"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_measured(
    arrays, flags, message, tmp_path, capsys
):
    argv = [arrays / "clean.npy", *options(arrays, tmp_path / "m"), *flags]
    code, out, err = run(argv, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert message.format(folder=arrays) in err
    assert not (tmp_path / "m").exists()


def test_of_too_few_segments_everything_else_is_given(arrays, tmp_path, capsys):
    np.save(tmp_path / "few.npy", np.load(arrays / "tone.npy")[:20])
    code, out, err = run([tmp_path / "few.npy", *options(arrays, tmp_path / "m")], capsys)
    assert (code, err) == (0, "")
    found = quantities(tmp_path / "m")
    distance = found["frechet_distance", None, None]
    assert distance["value"] is None
    assert distance["reason"] == "needs 100 segments, and the set has 20"
    assert "needs 100 segments" in out
    line = found["line_prominence_db", 2, 4000.0]
    assert (line["verdict"], line["low"] is None) == ("above", False)
    argv = [tmp_path / "few.npy", *options(arrays, tmp_path / "m")]
    assert run([*argv, "--fail-above", "frechet_distance=1"], capsys)[0] == 1


def test_three_segments_have_values_without_intervals(arrays, tmp_path, capsys):
    np.save(tmp_path / "three.npy", np.load(arrays / "tone.npy")[:3])
    assert run([tmp_path / "three.npy", *options(arrays, tmp_path / "m")], capsys)[0] == 0
    line = quantities(tmp_path / "m")["line_prominence_db", 2, 4000.0]
    assert line["value"] > 10
    assert line["low"] is None
    assert line["verdict"] == "cannot be told: 3 independent segments, at least 10 are needed"
    assert line["reason"].startswith("no interval")


def test_a_reference_too_small_for_distances_still_serves_as_real(arrays, tmp_path, capsys):
    np.save(tmp_path / "small.npy", np.load(arrays / "reference.npy")[:120])
    argv = [arrays / "tone.npy", *options(arrays, tmp_path / "m", reference=tmp_path / "small.npy")]
    assert run(argv, capsys)[0] == 0
    found = quantities(tmp_path / "m")
    assert found["line_prominence_db", 2, 4000.0]["verdict"] == "above"
    assert "the reference" in found["frechet_distance", None, None]["reason"]
    np.save(tmp_path / "small.npy", np.load(arrays / "reference.npy")[:9])
    code, _, err = run(argv, capsys)
    assert code == 2
    assert "at least 16 segments. Received: 9" in err


def test_segments_too_short_for_features_are_measured_without_distances():
    noise = np.random.default_rng(0).normal(0, 0.1, (400, 64)).astype(np.float32)
    found = measure(noise[:200], reference=noise[200:], sample_rate=RATE, upsampling_factors=[4])
    of = {q.name: q for q in found.quantities if q.stage is None}
    for name in ("frechet_distance", "kernel_distance", "nearest_distance"):
        assert of[name].estimate is None
        assert of[name].reason == "segments must have at least 112 samples. Received: 64"
    assert of["rms_db"].difference is not None
    assert "not measured: segments must have at least 112 samples" in found.table()


def test_an_array_gives_the_numbers_of_its_file_and_records_are_flat(arrays, tmp_path, capsys):
    given = [arrays / "tone.npy", *options(arrays, tmp_path / "m")]
    assert run(given, capsys)[0] == 0
    found = measure(
        np.load(arrays / "tone.npy"),
        sample_rate=RATE,
        reference=np.load(arrays / "reference.npy"),
        stopband_hz=1700,
        upsampling_factors=[4, 4],
    )
    records = found.to_records()
    for record, of_file in zip(records, quantities(tmp_path / "m").values(), strict=True):
        assert all(
            value is None or isinstance(value, (str, int, float)) for value in record.values()
        )
        for end in ("value", "low", "high"):
            assert record[end] == of_file[end]
            for other in ("reference", "difference"):
                assert record[f"{other}_{end}"] == (of_file[other] or {end: None})[end]
    units = {record["name"]: record["unit"] for record in records}
    assert (units["rms_db"], units["jensen_shannon_bits"], units["clipped_share"]) == (
        "dB",
        "bits",
        "",
    )


@pytest.mark.parametrize(
    ("array", "arguments", "words"),
    [
        (np.zeros((4, 512)), {}, "sample_rate must be given for array"),
        (
            np.zeros(4096),
            {"sample_rate": RATE},
            r"shape \(segments, samples\).*or \(samples,\) with",
        ),
        (np.zeros(100), {"sample_rate": RATE, "segment_length": 128}, "neither of them zero"),
        (np.zeros((4, 512)), {"sample_rate": RATE, "segment_length": 256}, "Received: 256"),
        (np.full((4, 512), np.nan), {"sample_rate": RATE}, "NaN or infinite"),
        (np.array([["a", "b"]]), {"sample_rate": RATE}, "float or int16"),
        (np.zeros((4, 512)), {"sample_rate": RATE, "upsampling_factors": []}, "upsampling_factors"),
    ],
)
def test_arrays_that_cannot_be_measured_are_refused(array, arguments, words):
    with pytest.raises(WaveganError, match=words):
        measure(array, **arguments)


def comparison(folder):
    result = json.loads((folder / "comparison.json").read_text())
    found = {(q["name"], q["stage"], q["frequency_hz"]): q for q in result["quantities"]}
    return result, found


def test_sets_are_compared_with_the_first(arrays, tmp_path, capsys):
    argv = [arrays / "clean.npy", arrays / "tone.npy", *options(arrays, tmp_path / "m")]
    code, out, err = run(argv, capsys)
    assert (code, err) == (0, "")
    assert f"{arrays / 'tone.npy'} compared with {arrays / 'clean.npy'}:" in out
    result, found = comparison(tmp_path / "m" / "02")
    assert result["reference"]["name"] == str(arrays / "clean.npy")
    line = found["line_prominence_db", 2, 4000.0]
    assert (line["verdict"], line["p_value"]) == ("above", pytest.approx(1 / 1001))
    assert line["difference"]["low"] > 10
    own = quantities(tmp_path / "m" / "02")["line_prominence_db", 2, 4000.0]
    assert own["value"] == line["value"]
    # The rest is the same audio.
    others = [q["verdict"] for q in found.values() if q["frequency_hz"] not in (4000.0, None)]
    assert set(others) <= {"equal within 1 dB", "equal within 0.01", "cannot be told"}
    # 999 permutations more would be needed to know of a smaller one.
    assert "< 0.002  above" in out


@pytest.mark.slow
def test_two_sets_drawn_alike_are_rarely_found_different():
    """40 pairs: p-values of one statistic are as often below 5 % as they say."""
    rng = np.random.default_rng(0)
    options = {"sample_rate": RATE, "upsampling_factors": (4, 4), "stopband_hz": 1700.0}
    p_values = []
    for _ in range(40):
        sets = rng.standard_normal((2, 60, LENGTH)).astype(np.float32)
        found = {(q.name, q.stage): q for q in compare(*sets, **options).quantities}
        p_values.append(found["out_of_band_total_db", None].p_value)
    # Three standard errors of 40 draws at 5 % are 0.10, at one half 0.24.
    assert np.mean(np.array(p_values) < 0.05) <= 0.15
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.24)


def test_a_set_beside_itself_is_not_different_for_certain_nor_uncertain_for_free(arrays):
    """Resampled alike, both would have a difference of 0 without any spread."""
    segments = np.load(arrays / "clean.npy")
    options = {"sample_rate": RATE, "upsampling_factors": (4, 4), "stopband_hz": 1700.0}
    result = compare(segments, segments, **options)
    levels = {q.name: q.difference for q in result.quantities}
    for name in ("rms_db", "out_of_band_total_db"):
        assert levels[name].value == 0
        assert levels[name].low < -0.01 < 0.01 < levels[name].high


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_sets_of_other_factors_are_compared_without_lines(arrays, tmp_path):
    measurements = [
        measure(
            arrays / name,
            reference=arrays / "reference.npy",
            upsampling_factors=factors,
            sample_rate=RATE,
            stopband_hz=1700.0,
        )
        for name, factors in (("tone.npy", (4, 4)), ("clean.npy", (2, 2, 2)))
    ]
    with pytest.warns(WaveganWarning, match="lines are not compared"):
        result = compare(*measurements)
    result.save(tmp_path)
    assert comparison(tmp_path)[0]["reference"]["name"] == str(arrays / "clean.npy")
    assert {q.stage for q in result.quantities} == {None}
    assert {q.name: q for q in result.quantities}["out_of_band_total_db"].verdict == "above"


def test_stretches_of_a_recording_are_resampled_together(arrays, tmp_path, capsys):
    """Each third of a second has a loudness of its own: its 10 segments tell no more than one."""
    rng = np.random.default_rng(0)
    loudness = np.repeat(10 ** rng.normal(0, 0.3, 100), 10)[:, None]
    audio = 0.05 * loudness * rng.standard_normal((1000, LENGTH))
    soundfile.write(tmp_path / "a.wav", audio.ravel(), RATE, subtype="FLOAT")
    np.save(tmp_path / "a.npy", audio.astype(np.float32))
    widths = []
    for name in ("a.wav", "a.npy"):
        folder = tmp_path / f"{name}.m"
        argv = [tmp_path / name, *options(arrays, folder), "--segment-length", LENGTH]
        code, out, _ = run(argv, capsys)
        assert code == 0
        assert ("independent stretches of " in out) == (name == "a.wav")
        level = quantities(folder)["rms_db", None, None]
        widths.append(level["high"] - level["low"])
    # 100 loudnesses, not 1000: sqrt(10) = 3.2 times as wide.
    assert 2.2 < widths[0] / widths[1] < 4.5


def test_a_generator_that_always_starts_alike_locks_all_bins_but_no_line_more(arrays):
    """The same click at the start of every segment: all phases stand, the lines' no firmer."""
    segments = np.load(arrays / "clean.npy").copy()
    segments[:, 200] += 1
    result = measure(segments, sample_rate=RATE, upsampling_factors=(4, 4))
    found = {(q.name, q.stage): q for q in result.quantities}
    assert found["phase_locking", 2].estimate.low > 0.9
    excess = found["phase_locking_excess", 2].estimate
    assert excess.low < 0.02
    assert excess.high < 0.05


def test_short_recordings_are_as_independent_as_they_are_many(arrays, tmp_path, capsys):
    for number, segment in enumerate(np.load(arrays / "tone.npy")[:64]):
        soundfile.write(tmp_path / f"{number}.wav", segment, RATE, subtype="FLOAT")
    argv = [tmp_path / "*.wav", *options(arrays, tmp_path / "m"), "--segment-length", LENGTH]
    assert run(argv, capsys)[0] == 0
    line = quantities(tmp_path / "m")["line_prominence_db", 2, 4000.0]
    assert line["low"] is not None
    assert line["verdict"] == "above"


def test_notes_that_last_a_second_do_not_lock_a_line():
    """Each note has a phase of its own; its 32 segments agree, but say it only once."""
    time = np.arange(32 * LENGTH) / RATE
    locked = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        phases = rng.uniform(0, 2 * np.pi, 16)
        notes = [np.sin(2 * np.pi * 4000 * time + phase).reshape(32, LENGTH) for phase in phases]
        segments = np.concatenate(notes) + 0.1 * rng.standard_normal((512, LENGTH))
        options = {"upsampling_factors": (4, 4), "segment_length": LENGTH}
        result = measure(segments.ravel(), sample_rate=RATE, **options)
        found = {(q.name, q.frequency_hz): q for q in result.quantities}
        locked += found["phase_locking", 4000.0].verdict == "locked"
    assert locked <= 4  # of 20 at 5 %: more than 4 once in 400


@pytest.mark.parametrize("locked", [False, True])
def test_a_pitch_that_falls_on_a_line_is_not_put_down_to_the_stage(locked):
    """Two speakers differ by a tone at 1 kHz, a line of stage 1, whose phase is random."""
    rng = np.random.default_rng(0)
    ours, theirs = 0.1 * rng.standard_normal((2, 200, LENGTH))
    theirs = np.concatenate([theirs, 0.1 * rng.standard_normal((200, LENGTH))])
    phases = np.zeros((200, 1)) if locked else rng.uniform(0, 2 * np.pi, (200, 1))
    ours += 0.05 * np.sin(2 * np.pi * 1000 * np.arange(LENGTH) / RATE + phases)
    found = measure(ours, reference=theirs, sample_rate=RATE, upsampling_factors=(4, 4))
    notes = set()
    for quantity in found.quantities:
        if quantity.name.startswith("line_") and quantity.stage == 1:
            at_tone = quantity.frequency_hz in (None, 1000)
            assert quantity.locked is (locked and at_tone)
            if quantity.verdict == "above":
                assert at_tone
                notes.add(quantity.note)
                assert quantity.to_json()["locked"] is locked
    own = [q for q in found.quantities if q.frequency_hz == 1000 and q.name.startswith("line_")]
    assert {q.verdict for q in own} == {"above"}
    assert len(own) == 2
    (note,) = notes
    _, artifact, origin = in_three_lines(found).splitlines()
    if locked:
        assert note is None
        assert artifact.startswith("The strongest artifact is a line at 1000 Hz, ")
        assert origin == "It comes from upsampling stage 1."
    else:
        assert note.startswith("not locked in phase, so it may be a pitch of the sound")
        assert f"above; {note}" in found.table()
        assert artifact.startswith("The strongest line, at 1000 Hz, ")
        assert artifact.endswith(" is not locked in phase: it may be a pitch of the sound.")
        assert origin == "No upsampling stage can be named."


def test_the_line_at_half_the_rate_is_measured_where_lines_are_8_bins_apart(tmp_path, capsys):
    """Issue 19: a tone of 0.05 at half the rate in noise of 0.1; its stage was "not measured"."""
    segments = 0.1 * np.random.default_rng(0).normal(size=(256, 2048))
    np.save(tmp_path / "x.npy", segments + 0.05 * (-1.0) ** np.arange(2048))
    expected = 10 * np.log10(1 + 0.05**2 / (0.1**2 * 1.5 / 2048))
    for factors in ((8, 8, 4), (2,) * 7):
        argv = ["--sample-rate", 22050, "--out", tmp_path / "m", "--upsampling-factors", *factors]
        limit = ["--fail-above", "line_prominence_db=6"]
        code, _, err = run([tmp_path / "x.npy", *argv, *limit], capsys)
        assert code == 1
        assert "line_prominence_db" in err
        line = quantities(tmp_path / "m")["line_prominence_db", len(factors), 11025.0]
        assert line["value"] == pytest.approx(expected, abs=0.5)


def test_recordings_are_cut_as_their_factors_need(tmp_path, capsys):
    """Factors 8 8 4 put lines 8 bins apart in 2048 samples, and 16 in 4096."""
    noise = 0.1 * np.random.default_rng(0).normal(size=22050)
    soundfile.write(tmp_path / "a.wav", noise, 22050)
    argv = [tmp_path / "a.wav", "--out", tmp_path / "m", "--upsampling-factors", 8, 8, 4]
    for given, length in (([], 4096), (["--segment-length", 2048], 2048)):
        code, out, _ = run([*argv, *given], capsys)
        assert code == 0
        assert f"of {length} samples" in out


def planted(hz=4000.0, level=0.05, count=64, seed=0, rate=RATE):
    rng = np.random.default_rng(seed)
    tone = level * np.sin(2 * np.pi * hz * np.arange(LENGTH) / rate + 0.3)
    return (0.1 * rng.standard_normal((count, LENGTH)) + tone).astype(np.float32)


@pytest.fixture(scope="module")
def gated():
    """A measurement with a line at 4000 Hz beside a clean reference."""
    options = {"sample_rate": RATE, "upsampling_factors": (4, 4), "stopband_hz": 1700.0}
    return measure(planted(), reference=planted(level=0, count=128, seed=1), **options)


@pytest.mark.parametrize(
    ("limit", "passed", "words"),
    [
        ("line_prominence_db=6", False, r"line_prominence_db, 4000 Hz, stage 2 \(bandwidth 46.9"),
        (
            "line_prominence_db=40",
            True,
            "line_prominence_db, 4000 Hz, stage 2 .* is .*, at most 40",
        ),
        ("difference.line_level_db=3", False, "difference.line_level_db, .* is .*, above 3"),
        ("difference.rms_db=3", True, "difference.rms_db is .*, at most 3"),
        ("above=0", False, "above is [0-9]+, above 0"),
        ("found=0", True, "found is 0, at most 0"),
        ("not_measured=0", False, "not_measured is 5, above 0"),
        ("frechet_distance=1", False, "frechet_distance was not measured: needs 100 segments"),
    ],
)
def test_a_line_for_each_limit_says_whether_it_is_kept(gated, limit, passed, words):
    outcome, skipped = check_limits(gated, parse_limits([limit]))[::-1]
    assert outcome.passed == passed
    assert re.match(words, outcome.words), outcome.words
    assert skipped == (True, "skipped is 0, at most 0")


def test_without_reference_or_factors_a_limit_is_not_kept():
    alone = measure(planted(), sample_rate=RATE, upsampling_factors=(4, 4))
    outcome = check_limits(alone, parse_limits(["difference.rms_db=3"]))[-1]
    assert outcome == (False, "difference.rms_db was not measured: no reference to compare with")
    with pytest.warns(WaveganWarning):
        unknown = measure(planted(), sample_rate=RATE)
    outcome = check_limits(unknown, parse_limits(["line_prominence_db=99"]))[-1]
    assert outcome.words == "line_prominence_db was not measured: no upsampling factors are known"
    assert not outcome.passed


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_three_of_four_files_that_are_nan_are_no_pass(tmp_path, capsys):
    for number in range(4):
        audio = planted(level=0, seed=number).ravel()
        soundfile.write(tmp_path / f"{number}.wav", audio, RATE, subtype="FLOAT")
    given = ["--upsampling-factors", 4, 4, "--out", tmp_path / "m"]
    argv = [tmp_path / "*.wav", *given, "--fail-above", "line_prominence_db=12"]
    code, out, err = run(argv, capsys)
    assert (code, err, out.count("\npass: ")) == (0, "", 2)
    for number in range(1, 4):
        nothing = np.full(LENGTH, np.nan, np.float32)
        soundfile.write(tmp_path / f"{number}.wav", nothing, RATE, subtype="FLOAT")
    code, _, err = run(argv, capsys)
    assert code == 1
    assert "skipped is 3, above 0" in err
    assert run([*argv, "skipped=3"], capsys)[0] == 0


@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
def test_what_the_reference_lacks_is_no_pass_either(tmp_path):
    """A file of NaN among the reference's is skipped; beside silence nothing has a level."""
    for number in range(4):
        audio = planted(level=0, seed=number).ravel() * (number > 0)
        soundfile.write(tmp_path / f"{number}.wav", audio, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "9.wav", np.full(LENGTH, np.nan), RATE, subtype="FLOAT")
    options = {"sample_rate": RATE, "upsampling_factors": (4, 4), "stopband_hz": 1700.0}
    found = measure(planted(), reference=tmp_path, **options)
    assert check_limits(found, parse_limits(["above=99"]))[0].words == "skipped is 1, above 0"
    silent = measure(planted(), reference=0 * planted(), **options)
    alone = measure(planted(), **options)
    counts = [
        int(check_limits(each, parse_limits(["not_measured=0"]))[-1].words.split()[2].rstrip(","))
        for each in (silent, alone)
    ]
    assert counts[0] > counts[1] + 20


@pytest.mark.parametrize(
    "name", ["jensen_shannon_bits", "frechet_distance", "kernel_distance", "image_coherence"]
)
def test_what_cannot_be_negative_is_not_shown_as_negative(name):
    numbers = -0.046, -0.1, 0.02
    low = Estimate(*numbers)
    (row,) = QuantityList((Quantity(name, estimate=low, reference=low),)).table().splitlines()[1:]
    assert row.split()[1:] == ["0.0000", "[0.0000,", "0.0200]"] * 2
    assert "\N{MINUS SIGN}" not in interval_text(Interval(*numbers), name)
    assert Quantity(name, estimate=low).to_json()["value"] == -0.046


def test_the_table_says_what_could_tell():
    wide, narrow = Estimate(1.0, -5.0, 7.0), Estimate(0.1, -0.2, 0.3)
    footer = "(cannot be told: the interval is too wide; more segments or recordings may settle it)"
    for difference, last in ((wide, [footer]), (narrow, [])):
        told = Quantity("rms_db", estimate=wide, difference=difference, p_value=0.5)
        assert QuantityList((told,)).table().splitlines()[2:] == last


def test_without_a_p_value_there_is_no_verdict():
    """Of two sets of noise, lines were `above` because one resample was minus infinity."""
    difference = Estimate(3.0, 1.0, np.inf)
    found = Quantity("out_of_band_lines_db", estimate=difference, difference=difference)
    assert found.verdict == ""
    assert replace(found, p_value=0.2).verdict == "cannot be told"
    assert replace(found, p_value=0.01).verdict == "above"
    assert replace(found, untold="2 recordings").verdict == "cannot be told: 2 recordings"
