"""The page's arithmetic and forward pass beside Python's, and what the command refuses."""

import json
import re
from itertools import product

import keras
import numpy as np
import pytest
from helpers.commands import ended
from helpers.explain_page import WEB, run_modules

from wavegan_rc.cli.explain import explain_command
from wavegan_rc.config.choices import PADDINGS, UPSAMPLERS
from wavegan_rc.errors import DataError
from wavegan_rc.explain import page
from wavegan_rc.generator.file import Generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.spectrogram import (
    line_prominence_db,
    mean_power_spectrum,
    out_of_band_ratio_db,
    predicted_comb,
)
from wavegan_rc.theory.overlap import overlap_counts
from wavegan_rc.theory.polyphase import polyphase_fold
from wavegan_rc.theory.response import phase_gains, tone_levels_db

INTERPOLATION = page.page_data({})["interpolation"]
RANDOM = np.random.default_rng(0)


def infinite(values):
    """JSON has no infinities; JavaScript writes them as null."""
    return np.array([-np.inf if value is None else value for value in values])


def test_overlap_and_tones_are_pythons():
    cases = [(size, factor) for size in range(1, 27) for factor in range(2, 9)]
    script = """return given.map(([size, factor]) => {
        const counts = theory.overlapCounts(size, factor);
        return [counts, theory.toneLevels(counts)];
    });"""
    for (size, factor), (counts, levels) in zip(cases, run_modules(script, cases), strict=True):
        assert counts == overlap_counts(size, factor).tolist()
        expected = tone_levels_db(overlap_counts(size, factor))
        np.testing.assert_allclose(infinite(levels), expected, atol=1e-9)


def test_folds_and_phase_gains_are_pythons():
    cases = []
    for upsampler, factor, size in product(UPSAMPLERS, (2, 3, 5, 8), (1, 4, 9, 22)):
        taps = -(-size // factor) * factor if upsampler == "subpixel" else size
        kernel = RANDOM.normal(size=taps)
        cases.append([upsampler, INTERPOLATION[upsampler][factor], factor, kernel.tolist()])
    script = """return given.map(([upsampler, filter, factor, kernel]) => {
        const fold = theory.polyphaseFold(upsampler, filter, kernel.length, factor);
        return { ...fold, gains: theory.phaseGains(fold, kernel) };
    });"""
    for (upsampler, _, factor, kernel), found in zip(
        cases, run_modules(script, cases), strict=True
    ):
        expected = polyphase_fold(upsampler, len(kernel), factor)
        assert (found["before"], found["after"]) == (expected.before, expected.after)
        np.testing.assert_allclose(found["matrix"], expected.matrix, atol=1e-12)
        gains = phase_gains(upsampler, np.array(kernel), factor)
        np.testing.assert_allclose(found["gains"], gains, atol=1e-10)


def test_four_views_and_lengths_are_pythons():
    cases = []
    for size, stride, padding, dilation in product((1, 2, 3, 6), (1, 2, 3, 4), (0, 1, 3), (1, 2)):
        for extra in range(stride):
            # V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016),
            # chapter 4: a convolution of the signal with zeros inserted, cut at both ends.
            stuffed, spread = np.zeros(3 * stride + 1), np.zeros(dilation * (size - 1) + 1)
            length = len(stuffed) + len(spread) - 1 - 2 * padding + extra
            if length < 1:
                continue
            geometry = {"kernelSize": size, "stride": stride, "padding": padding}
            geometry |= {"dilation": dilation, "outputPadding": extra}
            kernel, samples = RANDOM.normal(size=size), RANDOM.normal(size=4)
            stuffed[::stride], spread[::dilation] = samples, kernel
            whole = np.pad(np.convolve(stuffed, spread), (0, extra))
            expected = whole[padding : padding + length]
            cases.append((geometry, kernel, samples, length, expected))
    script = """return given.map(([geometry, kernel, signal]) => {
        const length = theory.transposedLength(4, geometry);
        const matrix = theory.convolutionMatrix(kernel, 4, length, geometry);
        return [length, theory.convolvedLength(length, geometry), [
            theory.scatterAdd(signal, kernel, geometry),
            theory.timesTransposed(matrix, signal),
            theory.zeroInsertion(signal, kernel, geometry).output,
            ...(geometry.dilation === 1 ? [theory.polyphase(signal, kernel, geometry).output] : []),
        ]];
    });"""
    found = run_modules(script, [[g, k.tolist(), x.tolist()] for g, k, x, *_ in cases])
    assert len(cases) > 100
    for (*_, length, expected), (size, convolved, outputs) in zip(cases, found, strict=True):
        assert (size, convolved) == (length, 4)
        for output in outputs:
            np.testing.assert_allclose(output, expected, atol=1e-12)


@pytest.mark.parametrize("factors", [(2,) * 7, (4, 4, 4, 4), (3, 5, 2), (7,)])
def test_the_comb_is_pythons(factors):
    found = run_modules("return theory.predictedComb(given, 16000);", factors)
    expected = predicted_comb(factors, 16000)
    assert [(line["hz"], line["stage"]) for line in found] == [
        (line.frequency_hz, line.stage) for line in expected
    ]


@pytest.mark.parametrize("length", [256, 360])
def test_spectra_and_prominence_are_pythons(length):
    factors, rate = (2, 4), 16000
    segments = RANDOM.normal(size=(3, length)) + 2 * np.cos(np.pi / 2 * np.arange(length))
    lines = [line.frequency_hz for line in predicted_comb(factors, rate)]
    script = """const power = spectrum.meanPowerSpectrum(given.segments);
        return [power, spectrum.lineProminences(power, given.lines, 16000),
            spectrum.outOfBandRatio(power, 1700, 16000)];"""
    power, prominence, ratio = run_modules(script, {"segments": segments.tolist(), "lines": lines})
    frequencies, expected = mean_power_spectrum(segments, rate)
    np.testing.assert_allclose(power, expected, rtol=1e-9)
    levels = line_prominence_db(frequencies, expected, lines, rate)
    np.testing.assert_allclose(prominence, levels, atol=1e-9)
    assert ratio == pytest.approx(out_of_band_ratio_db(frequencies, expected, 1700))


@pytest.mark.parametrize("length", [1, 2, 7, 64, 90])
def test_the_transform_is_numpys(length):
    values = RANDOM.normal(size=(2, length))
    script = """const [re, im] = given.map((x) => Float64Array.from(x));
        fourier.fourier(re, im);
        const there = [[...re], [...im]];
        fourier.inverseFourier(re, im);
        return [there, [re, im]];"""
    there, back = run_modules(script, values.tolist())
    expected = np.fft.fft(values[0] + 1j * values[1])
    np.testing.assert_allclose(there, [expected.real, expected.imag], atol=1e-11)
    np.testing.assert_allclose(back, values, atol=1e-12)


def test_raising_the_rate_keeps_every_sample_and_the_tone_at_half_the_rate():
    samples = RANDOM.normal(size=128) + 0.5 * (-1.0) ** np.arange(128)
    found = np.array(run_modules("return spectrum.resampled(given, 4);", samples.tolist()))
    np.testing.assert_allclose(found[::4], samples, atol=1e-6)
    tone = np.abs(np.fft.rfft(found))[64] * 2 / len(found)
    assert tone == pytest.approx(np.abs(np.fft.rfft(samples))[64] / len(samples), rel=1e-5)


def test_bands_are_separated_exactly_and_loudness_is_a_weighted():
    time = np.arange(1600) / 16000
    low, high = np.sin(2 * np.pi * 1000 * time), np.sin(2 * np.pi * 4000 * time)
    script = """return [spectrum.keepFrequencies(given[0], 16000, (hz) => hz > 1700),
        spectrum.weightedPower(given[1], 16000), spectrum.weightedPower(given[2], 16000)];"""
    sounds = [(low + high).tolist(), low.tolist(), np.sin(2 * np.pi * 100 * time).tolist()]
    kept, at_1000, at_100 = run_modules(script, sounds)
    np.testing.assert_allclose(kept, high, atol=1e-6)
    # IEC 61672, table 3: 0 dB at 1 kHz, -19.1 dB at 100 Hz.
    assert 10 * np.log10(at_1000 / 0.5) == pytest.approx(0, abs=0.05)
    assert 10 * np.log10(at_100 / 0.5) == pytest.approx(-19.1, abs=0.1)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_samples_are_those_of_keras(upsampler, padding):
    whole = padding == "zeros"
    model = build_generator(
        segment_length=90,
        latent_dim=5,
        upsampling_factors=(3, 2),
        kernel_size=7,
        filters=8,
        upsampler=upsampler,
        padding=padding,
        use_bias=whole,
        post_filter_length=12 if whole else 0,
        seed=1,
    )
    model.set_weights([w + 0.05 * RANDOM.normal(size=w.shape) for w in model.get_weights()])
    generator = Generator(fold_generator(model), 16000)
    latents = RANDOM.uniform(-1, 1, (3, 5)).astype(np.float32)
    script = """const generator = network.readGenerator(given.generator);
        return given.latents.map((z) => network.forward(generator, Float32Array.from(z)).audio);"""
    found = run_modules(
        script, {"generator": page.exported(generator), "latents": latents.tolist()}
    )
    expected = keras.ops.convert_to_numpy(model(latents))[..., 0]
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_kept_generators_compute_the_same_samples_in_javascript():
    generators = page.kept_generators()
    latents = RANDOM.uniform(-1, 1, (2, 64)).astype(np.float32)
    script = """return given.generators.map((written) => given.latents.map(
        (z) => network.forward(network.readGenerator(written), Float32Array.from(z)).audio));"""
    written = [page.exported(each) for each in generators.values()]
    found = run_modules(script, {"generators": written, "latents": latents.tolist()})
    for generator, audio in zip(generators.values(), found, strict=True):
        expected = keras.ops.convert_to_numpy(generator.model(latents))[..., 0]
        np.testing.assert_allclose(audio, expected, atol=1e-5)


def test_random_stages_leave_the_lines_that_theory_predicts():
    """Seven doublings: a line at 8 kHz where zeros are inserted, a gap where samples are held."""
    script = """const sounds = {};
        for (const word of Object.keys(given)) {
            const words = Array(7).fill(word);
            sounds[word] = await stages.noiseThrough(words, Array(7).fill(2), 22, 1, given);
        }
        return sounds;"""
    levels = {}
    lines = [line.frequency_hz for line in predicted_comb((2,) * 7, 16000)]
    for word, sound in run_modules(script, INTERPOLATION).items():
        frequencies, power = mean_power_spectrum(np.reshape(sound, (-1, 2048)), 16000)
        levels[word] = line_prominence_db(frequencies, power, lines, 16000)
    for word in ("transposed", "subpixel"):
        assert levels[word][-1] > 20
    for word in ("resize", "linear"):
        assert levels[word][-1] < -10


@pytest.mark.parametrize("factors", [(4, 4, 4, 4), (8, 8, 8), (2,) * 8, (4, 4, 8, 8)])
def test_the_last_line_is_measured_however_close_the_lines_stand(factors):
    script = """const [said, { factors, filters }] = [[], given];
        for (const word of ["transposed", "resize"]) {
            const words = factors.map(() => word);
            const sound = await stages.noiseThrough(words, factors, 9, 1, filters);
            said.push(stages.lastLine(stages.plotOf(sound, factors)));
        }
        return said;"""
    given = {"factors": factors, "filters": INTERPOLATION}
    transposed, nearest = run_modules(script, given)
    assert re.fullmatch(
        r"8000 Hz: a line stands out by \d+ dB, at a level of \u2212\d+ dB", transposed
    )
    assert re.fullmatch(
        r"8000 Hz: a gap, not a line: \u2212\d+ dB, at a level of \u2212\d+ dB", nearest
    )


@pytest.mark.parametrize("upsampler", ["transposed", "resize"])
def test_the_chain_shows_the_constant_and_not_the_ends_of_what_is_slow(upsampler):
    """Plain means of even and odd samples would show a tone of -82 dB for nearest here."""
    rows, size, channels = 1024, 6, 3
    kernel = 0.05 * RANDOM.normal(size=(size, channels))
    fold = polyphase_fold(upsampler, size, 2)
    folded = np.einsum("ptk,kc->tcp", fold.matrix, kernel)
    constant = RANDOM.uniform(0.5, 1, channels)
    drift = np.sin(41 * np.pi * ((np.arange(rows) + 0.5) / rows - 0.5))
    stage = {"factor": 2, "taps": len(folded), "channels": channels, "outputs": 2}
    stage |= {"before": fold.before, "kernel": folded.ravel().tolist()}
    script = """const input = Float64Array.from(given.input);
        const audio = Float64Array.from(network.upsample(input, given.stage), Math.tanh);
        return tables.chain({ stages: [given.stage] }, { audio, input }).map(({ tone }) => tone);"""
    signal = (constant + drift[:, None]).ravel().tolist()
    predicted, before, _ = infinite(run_modules(script, {"stage": stage, "input": signal}))
    gains = [phase_gains(upsampler, kernel[:, c], 2) for c in range(channels)]
    even, odd = constant @ gains
    if upsampler == "resize":
        assert predicted < -150
        assert before < -120
    else:
        assert predicted == pytest.approx(10 * np.log10((even - odd) ** 2 / 2), abs=0.01)
        assert before == pytest.approx(predicted, abs=0.1)


def test_factors_are_read_or_refused():
    texts = [
        "2 2 2",
        "4,4, 4",
        "7",
        "2x3",
        "2 \u00d7 7",  # two stages or seven?
        "",
        "1 2",
        "9",
        "2.5",
        "a",
        "8 8 8 8",
        "2 " * 9,
    ]
    found = run_modules("return given.map(stages.factorsOf);", texts)
    assert found == [[2, 2, 2], [4, 4, 4], [7], *[None] * 9]


def test_the_keras_lines_give_the_length_that_the_page_says():
    cases = [
        {"kernelSize": k, "stride": s, "padding": p, "dilation": d, "outputPadding": o}
        for k, s, p, d, o in [
            *((4, 2, 1, 1, 0), (4, 2, 1, 1, 1), (3, 2, 0, 1, 1), (2, 5, 0, 1, 0)),
            *((2, 5, 0, 1, 4), (25, 4, 11, 1, 1), (1, 3, 0, 1, 2), (5, 1, 2, 3, 0)),
        ]
    ]
    script = """return given.map((geometry) => [theory.transposedLength(8, geometry),
        size.kerasLines(8, geometry), size.torchLine(geometry)]);"""
    for geometry, (length, lines, torch_line) in zip(
        cases, run_modules(script, cases), strict=True
    ):
        names = {"keras": keras, "x": keras.Input((8, 1)), "filters": 1}
        exec(lines, names)
        assert names["x"].shape == (None, length, 1), lines
        assert f"stride={geometry['stride']}" in torch_line
    both = {"kernelSize": 3, "stride": 2, "padding": 0, "dilation": 2, "outputPadding": 0}
    ((_, lines, _),) = run_modules(script, [both])
    assert lines.startswith("# Keras takes no dilation_rate")


def test_the_script_holds_each_module_once_after_those_that_it_imports():
    script = page.bundled_modules(WEB)
    order = re.findall(r"(?m)^// ([a-z]+)\.js$", script)
    assert sorted(order) == sorted(file.stem for file in WEB.glob("*.js"))
    assert order[-1] == "main"
    assert not re.search(r"(?m)^(import|export)\b", script)
    for file in WEB.glob("*.js"):
        for name in re.findall(r'from "\./([a-z]+)\.js"', file.read_text()):
            assert order.index(name) < order.index(file.stem)
        assert file.read_text().count("\n") <= 300
    declared = re.findall(r"(?m)^(?:async )?(?:function|const|let) (\w+)", script)
    assert len(declared) == len(set(declared))


@pytest.fixture
def small_generator(tmp_path):
    def write(folder, filters=8):
        model = build_generator(
            segment_length=64, latent_dim=4, upsampling_factors=(4,), filters=filters, seed=0
        )
        (tmp_path / folder).mkdir()
        weights = fold_generator(model)
        save_generator(Generator(weights, 8000), tmp_path / folder / "generator.keras")
        return tmp_path / folder

    return write


def command(argv, capsys):
    return ended(explain_command, argv, capsys)


def test_the_page_of_a_run_shows_its_generator_first(small_generator, tmp_path, capsys):
    run = small_generator("a <b>&lt; run")
    out = tmp_path / "deep"
    for argv in ([run, "--page"], ["--page", run]):
        code, said, _ = command([*argv, "--out", out], capsys)
        assert (code, said.startswith(f"wrote {out}/page.html (")) == (0, True)
    html = (out / "page.html").read_text()
    assert len(html.encode()) < 6_000_000
    assert "<b>" not in re.sub(r"(?s)<script.*?</script>", "", html)
    (data,) = re.findall(r'(?s)<script type="application/json" id="data">(.*?)</script>', html)
    titles = [each["title"] for each in json.loads(data)["generators"]]
    assert titles == ["a <b>&lt; run (yours)", "transposed", "resize"]
    assert not re.search(r'(src|href)="(?!#|data:)', html)
    assert not list(tmp_path.glob("deep/*.partial*"))


@pytest.mark.parametrize(
    "other",
    [{"architecture": "residual"}, {"activation": "anti_aliased_relu"}, {"pixel_norm": True}],
)
def test_a_generator_that_the_page_cannot_run_is_refused(other, tmp_path):
    generator = build_generator(segment_length=64, upsampling_factors=(4,), filters=4, **other)
    save_generator(Generator(fold_generator(generator), 8000), tmp_path / "g.keras")
    with pytest.raises(DataError, match="plain stages with ReLU only"):
        page.write_page(tmp_path / "page.html", tmp_path / "g.keras")
    assert not (tmp_path / "page.html").exists()


def test_a_generator_too_large_for_a_page_is_refused_with_its_size(
    small_generator, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(page, "_MOST_BYTES", 1_700_000)
    run = small_generator("large", filters=64)
    code, _, err = command([run, "--page", "--out", tmp_path], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "must fit a page of 1.7 MB. Received: 1." in err
    assert "generate.py" in err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["{tmp}", "--page"], "no such generator file"),
        (["--page", "{tmp}/nothing"], "no such generator file"),
        (["--page", "--upsampling-factors", "4"], "cannot be combined with --upsampling-factors"),
        (["--page", "--draws", "0"], "cannot be combined with --draws"),
        (["{tmp}"], "not a run folder"),
        (["--page", "--out", "{tmp}/file"], "out cannot be written"),
    ],
)
def test_mistakes_give_one_line_and_write_nothing(argv, named, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code, _, err = command([each.format(tmp=tmp_path) for each in argv], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert named in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
