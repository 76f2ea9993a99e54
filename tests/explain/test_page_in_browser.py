"""The page in a real browser: Debian's chromium, driven by Selenium.

Screenshots are left in $WAVEGAN_SCREENSHOTS, else in pytest's temporary folder.
"""

import base64
import re

import numpy as np
import pytest
from helpers.browser import DESKTOP, PHONE, click, emulate, find, screenshot
from scipy import signal
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from wavegan_rc.explain.page import kept_generators, render_explanation
from wavegan_rc.generator.generation import synthesize
from wavegan_rc.spectrogram import line_prominence_db, mean_power_spectrum, predicted_comb
from wavegan_rc.theory.overlap import overlap_level_db

pytestmark = pytest.mark.slow

RATE, LENGTH = 16000, 2048


@pytest.fixture(scope="module")
def generators():
    return kept_generators()


@pytest.fixture(scope="module")
def page(generators, tmp_path_factory):
    file = tmp_path_factory.mktemp("explain") / "page.html"
    file.write_text(render_explanation(generators), encoding="utf-8")
    assert file.stat().st_size < 6_000_000
    return file


# What is played is rendered offline instead, and kept with its rate.
_RENDERER = """
window.AudioContext = class extends OfflineAudioContext {
  constructor({ sampleRate }) {
    super(1, 3 * sampleRate, sampleRate);
    window.rendered = null;
    setTimeout(async () => {
      const samples = (await this.startRendering()).getChannelData(0);
      window.rendered = [sampleRate, [...samples]];
    });
  }
  close() {}
};
URL.createObjectURL = (blob) => { window.saved = blob; return "#saved"; };
"""


@pytest.fixture
def opened(browser, page):
    """The page just opened on a desktop; at the end nothing may stand in the console."""
    emulate(browser, prefers_reduced_motion="reduce")  # clicks do not wait for smooth scrolling
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get("about:blank")
    browser.get(page.as_uri())
    browser.execute_script(_RENDERER)
    yield browser
    assert browser.get_log("browser") == []


def text_of(browser, selector):
    return browser.execute_script(
        "return document.querySelector(arguments[0]).textContent.trim()", selector
    )


def wait(browser, condition, seconds=240):
    return WebDriverWait(browser, seconds, poll_frequency=0.2).until(condition)


def slide(browser, name, value):
    """Move a slider by its keys: to its start, then step by step."""
    slider = find(browser, f"#{name}")
    steps = value - int(slider.get_attribute("min"))
    slider.send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * steps)
    assert slider.get_attribute("value") == str(value)
    assert text_of(browser, f'output[for="{name}"]') == str(value)


def choose_generator(browser, word):
    """Choose by typing, as a person does; chromedriver's own choice sends no "input"."""
    select = find(browser, "#generator-which")
    select.send_keys({"resize": "nearest"}.get(word, word))
    wait(browser, lambda _: select.get_attribute("value") == word)


def heard(browser, button):
    """Press a button; return what a person hears, at the page's own rate."""
    browser.execute_script("window.rendered = null")
    click(browser, f"#{button}")
    rate, samples = wait(browser, lambda b: b.execute_script("return window.rendered"))
    wait(browser, lambda b: find(b, f"#{button}").get_attribute("aria-pressed") == "false")
    return rate, np.trim_zeros(np.array(samples), "b")


def prominence(rate, samples):
    """Prominence of the lines of seven doublings, in windows of a generator's length."""
    times = rate // RATE
    count = len(samples) // (LENGTH * times)
    windows = samples[: count * LENGTH * times].reshape(count, -1)
    frequencies, power = mean_power_spectrum(windows, rate)
    lines = [line.frequency_hz for line in predicted_comb((2,) * 7, RATE)]
    return line_prominence_db(frequencies, power, lines, rate)


def a_weighted_db(rate, samples):
    """Level under the A-weighting, by its poles (IEC 61672) and SciPy."""
    poles = [20.6, 20.6, 107.7, 737.9, 12194, 12194]
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    _, response = signal.freqs_zpk(
        [0] * 4, -2 * np.pi * np.array(poles), 1, 2 * np.pi * frequencies
    )
    _, (reference,) = signal.freqs_zpk([0] * 4, -2 * np.pi * np.array(poles), 1, [2000 * np.pi])
    spectrum = np.fft.rfft(samples) * response / abs(reference)
    return 10 * np.log10(2 * (np.abs(spectrum) ** 2).sum() / len(samples) ** 2)


def uniform(seed):
    """Return mulberry32 as a generator of numbers in [0, 1)."""
    state, whole = seed, 2**32
    while True:
        state = (state + 0x6D2B79F5) % whole
        x = (state ^ state >> 15) * (state | 1) % whole
        x ^= (x + (x ^ x >> 7) * (x | 61)) % whole
        yield (x ^ x >> 14) / whole


def latents_of(seed, count):
    numbers = uniform(seed)
    return np.array([[2 * next(numbers) - 1 for _ in range(64)] for _ in range(count)], np.float32)


def test_the_tone_of_uneven_overlap_is_pythons(opened):
    for size, factor in ((25, 4), (3, 2), (24, 4)):
        slide(opened, "overlap-kernel", size)
        slide(opened, "overlap-factor", factor)
        said = text_of(opened, "#overlap-transposed")
        expected = overlap_level_db(size, factor)
        if np.isfinite(expected):
            assert f"a tone of \u2212{abs(expected):.1f} dB at" in said
            assert said.endswith("relative to the constant")
        else:
            assert said == "all gains equal: no tone"
        assert text_of(opened, "#overlap-resize") == "all gains equal: no tone"
    assert not find(opened, "#overlap-draw").is_displayed()
    click(opened, 'button[data-set*="taps=random"]')
    assert "a tone of" in text_of(opened, "#overlap-transposed")
    assert text_of(opened, "#overlap-resize") == "all gains equal: no tone"
    before = text_of(opened, "#overlap-transposed")
    click(opened, "#overlap-draw")
    assert text_of(opened, "#overlap-transposed") != before


def test_counts_are_said_in_sentences(opened):
    for size, factor, said in (
        (1, 2, "1 tap lies at 1 of 2 output samples, none at the other."),
        (1, 3, "1 tap lies at 1 of 3 output samples, none at the others."),
        (3, 2, "2 taps meet at 1 of 2 output samples, 1 at the other."),
        (4, 2, "2 taps meet at every output sample."),
    ):
        slide(opened, "overlap-kernel", size)
        slide(opened, "overlap-factor", factor)
        assert text_of(opened, "#overlap-counts").endswith(said)
    slide(opened, "overlap-kernel", 1)
    tone = "a tone of 0.0 dB at 8000 Hz, as strong as the constant"
    assert tone in text_of(opened, "#overlap-transposed")


def test_a_checkerboard_counts_1_2_4(opened):
    click(opened, "#overlap summary")
    wait(opened, lambda b: b.find_elements(By.CSS_SELECTOR, "#overlap-board text"))
    counts = {each.text for each in opened.find_elements(By.CSS_SELECTOR, "#overlap-board text")}
    assert counts == {"1", "2", "4"}
    assert text_of(opened, "#overlap-products").startswith("1, 2, 4 taps")


def test_the_painter_steps_and_plays(opened):
    blocks = "#views-scatter rect"
    whole = len(opened.find_elements(By.CSS_SELECTOR, blocks))
    click(opened, "#views-step")
    assert text_of(opened, "#views-said").startswith("input 1 of 4")
    first = len(opened.find_elements(By.CSS_SELECTOR, blocks))
    assert first == whole - 9
    click(opened, "#views-play")
    assert find(opened, "#views-play").text == "Stop"
    wait(opened, lambda b: find(b, "#views-play").text == "Play")
    assert len(opened.find_elements(By.CSS_SELECTOR, blocks)) == whole


def test_a_cell_of_the_matrix_lights_its_row_and_column(opened):
    def lit(kind):
        cells = opened.find_elements(By.CSS_SELECTOR, f"#views-matrix .grid:first-of-type .{kind}")
        return [tuple(cell.get_attribute("data-at").split()) for cell in cells]

    cell = find(opened, '#views-matrix [data-at="3 7"]')
    opened.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", cell
    )
    ActionChains(opened).move_to_element(cell).perform()
    assert ("3", "0") in lit("row")
    assert ("0", "7") in lit("column")
    assert "= 8." in text_of(opened, "#views-cell")  # 2 x 4
    find(opened, "#views-matrix").send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert "Column 7 makes sample 7 of the long signal" in text_of(opened, "#views-cell")
    assert "= 12." in text_of(opened, "#views-cell")


def test_all_views_agree_for_every_setting_or_say_why_there_is_none(opened):
    for name, value in (("kernel", 1), ("stride", 4), ("padding", 2), ("kernel", 6), ("stride", 1)):
        slide(opened, f"views-{name}", value)
        assert text_of(opened, "#views-agree").endswith("Largest difference: 0.")
    slide(opened, "views-padding", 3)
    slide(opened, "views-kernel", 1)
    assert "nothing is left" in find(opened, "#views-error").text
    assert not find(opened, "#views-body").is_displayed()


def test_the_output_size_and_its_refusals(opened):
    assert "16 samples" in text_of(opened, "#size-formula")
    assert "every length from 16 to 17 to the same 8" in text_of(opened, "#size-range")
    click(opened, "#size-copy-torch")
    wait(opened, lambda b: text_of(b, "#size-copied"))
    slide(opened, "size-output", 2)
    assert "must be smaller than the stride, 2" in find(opened, "#size-error").text
    assert "among the 2 lengths below" in find(opened, "#size-error").text
    assert "every length from 16 to 17" in find(opened, "#size-range").text
    assert not find(opened, "#size-body").is_displayed()
    slide(opened, "size-stride", 3)
    assert "output_padding=2" in text_of(opened, "#size-torch")
    assert find(opened, "#size-copy-keras").is_enabled()
    slide(opened, "size-dilation", 2)
    assert not find(opened, "#size-copy-keras").is_enabled()
    slide(opened, "size-padding", 12)
    slide(opened, "size-length", 1)
    assert "Nothing is left" in find(opened, "#size-error").text


def test_a_channel_shows_where_it_goes(opened):
    find(opened, "#shuffle-picture").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "Channel 2 at time 0 becomes sample 0 \u00d7 3 + 2 = 2." in text_of(
        opened, "#shuffle-said"
    )
    slide(opened, "shuffle-factor", 2)
    assert "Channel 0 at time 1 becomes sample 1 \u00d7 2 + 0 = 2." in text_of(
        opened, "#shuffle-said"
    )


def test_the_whistle_is_heard_and_nearest_has_none_equally_loud(opened):
    assert "8000 Hz: a line stands out" in wait(
        opened, lambda b: text_of(b, "#hero-transposed-said")
    )
    assert "8000 Hz: a gap" in wait(opened, lambda b: text_of(b, "#hero-resize-said"))
    rate, transposed = heard(opened, "hero-transposed")
    _, nearest = heard(opened, "hero-resize")
    assert rate == 2 * RATE
    assert prominence(rate, transposed)[-1] > 20
    assert prominence(rate, nearest)[-1] < -10
    assert a_weighted_db(rate, transposed) == pytest.approx(-30, abs=0.5)
    assert a_weighted_db(rate, nearest) == pytest.approx(-30, abs=0.5)
    click(opened, "#slow")
    _, slow = heard(opened, "hero-transposed")
    assert len(slow) == pytest.approx(2 * len(transposed), rel=0.01)
    strongest = np.argmax(np.abs(np.fft.rfft(slow))[len(slow) // 20 :]) + len(slow) // 20
    assert strongest * rate / len(slow) == pytest.approx(4000, abs=4)


def test_stages_are_chosen_seen_and_heard(opened):
    opened.execute_script("document.querySelector('#stages').scrollIntoView()")
    wait(opened, lambda b: "computing" in text_of(b, "#stages-subpixel-said"))
    wait(opened, lambda b: "Hz" in text_of(b, "#stages-subpixel-said"))
    assert "a line stands out" in text_of(opened, "#stages-said")
    Select(find(opened, '[data-stage="6"]')).select_by_visible_text("nearest neighbour")
    wait(opened, lambda b: "a gap, not a line" in text_of(b, "#stages-said"))
    words = f"stages-words={'transposed%20' * 6}resize"
    wait(opened, lambda b: words in b.current_url)
    rate, mixed = heard(opened, "stages-hear")
    levels = prominence(rate, mixed)
    assert levels[-1] < -6
    assert levels[31] > 6  # 4000 Hz, of the stage before
    Select(find(opened, '[data-stage="all"]')).select_by_visible_text("linear")
    first = "return document.querySelector('[data-stage=\"0\"]').value"
    wait(opened, lambda b: b.execute_script(first) == "linear")
    field = find(opened, "#stages-factors")
    field.clear()
    for wrong in ("4 1 banana", "2 x 7"):
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(wrong)
        said = f"as in 2 2 2 2 2 2 2, with a product of at most 1024. Received: {wrong}"
        wait(opened, lambda b, s=said: s in find(b, "#stages-error").text)
    field.clear()
    field.send_keys("4 4 4 4")
    wait(opened, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#stages-list label")) == 4)
    assert find(opened, "#stages-error").text == ""


def saved_window(browser):
    click(browser, "#generator-save")
    encoded = browser.execute_async_script(
        "const done = arguments[0]; const reader = new FileReader();"
        "reader.onload = () => done(reader.result.split(',')[1]);"
        "reader.readAsDataURL(window.saved);"
    )
    content = base64.b64decode(encoded)
    assert content[:4] == b"RIFF"
    return np.frombuffer(content[44:], "<f4")


def test_samples_of_the_page_are_those_of_keras(opened, generators):
    for word, seed in (("transposed", 23), ("resize", 24)):
        choose_generator(opened, word)
        if seed == 24:
            click(opened, "#generator-draw")
        first, second = latents_of(seed, 2)
        expected = synthesize(generators[word].model, np.stack([first, second]))
        np.testing.assert_allclose(saved_window(opened), expected[0], atol=1e-5)
        slider = find(opened, "#generator-walk")
        slider.send_keys(Keys.END)
        np.testing.assert_allclose(saved_window(opened), expected[1], atol=1e-5)
        slider.send_keys(*[Keys.ARROW_LEFT] * 40)
        between = synthesize(generators[word].model, (0.4 * first + 0.6 * second)[None])[0]
        np.testing.assert_allclose(saved_window(opened), between, atol=1e-5)
        slider.send_keys(Keys.HOME)


def decibels(said):
    return float(said.replace("\u2212", "-").removesuffix(" dB"))


def test_the_chain_from_weights_to_line_closes(opened, generators):
    rows = opened.find_elements(By.CSS_SELECTOR, "#generator-chain tr")
    cells = [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in rows]
    predicted, before, audio = (decibels(row[-1]) for row in cells[1:])
    samples = synthesize(generators["transposed"].model, latents_of(23, 1))
    _, power = mean_power_spectrum(samples, RATE)
    assert audio == pytest.approx(10 * np.log10(2 * power[-1]), abs=0.1)
    # The tone is faint, so what changes slowly in the channels adds a part that can be seen.
    assert predicted == pytest.approx(before, abs=1)
    said = text_of(opened, "#generator .aside")
    assert f"its level is \u2212{abs(audio):.0f} dB" in said
    choose_generator(opened, "resize")
    assert text_of(opened, "#generator-chain tr:nth-child(2)").endswith("none")


def test_lines_are_measured_as_python_measures_them(opened, generators):
    opened.execute_script("document.querySelector('#generator').scrollIntoView()")
    mean = "#generator-lines tbody tr td:last-child"
    assert text_of(opened, mean) == "\u2026"
    wait(opened, lambda b: "dB" in text_of(b, mean))
    said = text_of(opened, "#generator .aside")
    for column in (3, 4):
        assert text_of(opened, f"#generator-lines tbody td:nth-child({column})") in said
    rows = opened.find_elements(By.CSS_SELECTOR, "#generator-lines tbody tr")
    comb = predicted_comb((2,) * 7, RATE)
    model = generators["transposed"].model
    for column, latents in ((2, latents_of(23, 1)), (3, latents_of(2026, 64))):
        frequencies, power = mean_power_spectrum(synthesize(model, latents), RATE)
        levels = line_prominence_db(frequencies, power, [line.frequency_hz for line in comb], RATE)
        for row, stage in zip(rows, range(7, 0, -1), strict=True):
            own = [level for line, level in zip(comb, levels, strict=True) if line.stage == stage]
            shown = decibels(row.find_elements(By.TAG_NAME, "td")[column].text)
            assert shown == pytest.approx(np.median(own), abs=0.15)


def test_the_artifact_is_heard_alone_and_muted_and_saved(opened):
    for choice, kept in (("alone", lambda hz: hz < 1650), ("muted", lambda hz: hz > 1750)):
        click(opened, f"#generator-{choice}")
        rate, samples = heard(opened, "generator-hear-draws")
        power = np.abs(np.fft.rfft(samples)) ** 2
        frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
        assert power[kept(frequencies)].sum() < 1e-6 * power.sum()
        saved = np.abs(np.fft.rfft(saved_window(opened))) ** 2
        assert saved[kept(np.fft.rfftfreq(LENGTH, 1 / RATE))].sum() < 1e-6 * saved.sum()
        assert a_weighted_db(rate, samples) == pytest.approx(-30, abs=1.5)
        louder = text_of(opened, "#generator-gain")
        assert (choice == "alone") == bool(re.match(r"played \d\d dB louder", louder))
    click(opened, "#generator-all")
    _, walk = heard(opened, "generator-hear-walk")
    assert len(walk) > 15 * 2 * LENGTH


def test_a_second_press_and_escape_stop_the_sound(opened):
    opened.execute_script(
        "OfflineAudioContext.prototype.startRendering = async () => new Promise(() => {})"
    )
    for key in (None, Keys.ESCAPE):
        click(opened, "#generator-hear")
        wait(opened, lambda b: find(b, "#generator-hear").get_attribute("aria-busy") is None)
        assert find(opened, "#generator-hear").get_attribute("aria-pressed") == "true"
        if key is None:
            click(opened, "#generator-hear")
        else:
            ActionChains(opened).send_keys(key).perform()
        assert find(opened, "#generator-hear").get_attribute("aria-pressed") == "false"


def test_an_address_brings_back_what_was_seen(opened, page):
    slide(opened, "overlap-kernel", 9)
    slide(opened, "size-stride", 5)
    choose_generator(opened, "resize")
    settings = "#generator&overlap-kernel=9&size-stride=5&generator-which=resize"
    wait(opened, lambda b: b.current_url.endswith(settings))
    address = opened.current_url
    opened.get("about:blank")
    opened.get(address)
    assert text_of(opened, 'output[for="overlap-kernel"]') == "9"
    assert (
        Select(find(opened, "#generator-which")).first_selected_option.text == "nearest neighbour"
    )
    assert opened.current_url == address
    for hostile in (
        "#x&overlap-kernel=999&nothing=1&=&generator-which=none&stages-words=<b>",
        "#%",
    ):
        opened.get("about:blank")
        opened.get(page.as_uri() + hostile)
        assert "Largest difference: 0" in text_of(opened, "#views-agree")


def test_every_control_is_reached_and_moved_by_keys(opened):
    """Nothing ends in the console, and no number is lost; `opened` looks."""
    opened.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for slider in opened.find_elements(By.CSS_SELECTOR, 'input[type="range"]'):
        for key in (Keys.END, Keys.HOME):
            slider.send_keys(key)
            assert "NaN" not in opened.execute_script("return document.body.innerText")
    for button in opened.find_elements(By.CSS_SELECTOR, "button"):
        if button.is_displayed():
            assert button.text or button.get_attribute("aria-label")
            button.send_keys(Keys.ENTER)
    unnamed = """return [...document.querySelectorAll('select, input:not([type=hidden])')]
        .filter((control) => !control.labels.length).length"""
    assert opened.execute_script(unnamed) == 0


# The least contrast of numbers on coloured boxes (WCAG 2.2, 1.4.3), as the browser blends colours.
_CONTRASTS = """
const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const paper = getComputedStyle(document.body).backgroundColor;
const luminance = (...layers) => {
  for (const [colour, alpha] of [[paper, 1], ...layers]) {
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
  }
  const linear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
  return 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
};
const texts = ["overlap-board", "shuffle-picture", "views-scatter", "views-phases"]
  .flatMap((id) => [...document.querySelectorAll(`#${id} rect + text`)]);
return Math.min(...texts.map((text) => {
  const [box, own] = [getComputedStyle(text.previousElementSibling), getComputedStyle(text)];
  const under = [box.fill, box.opacity * box.fillOpacity];
  const pair = [luminance(under), luminance(under, [own.fill, Number(own.opacity)])];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}));
"""
_SCROLLS = "return document.getElementById(arguments[0]).closest('.scroll').matches('.wide')"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_it_fits_desktop_and_phone_in_light_and_dark(opened, size, scheme, screenshots):
    emulate(opened, size, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    opened.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for section in ("stages", "generator"):
        opened.execute_script(f"document.querySelector('#{section}').scrollIntoView()")
        selector = {"stages": "#stages-subpixel path", "generator": "#generator-spectrum .mean"}
        wait(opened, lambda b, s=selector[section]: b.find_elements(By.CSS_SELECTOR, s))
    script = """const root = document.documentElement;
        return [root.scrollWidth, innerWidth, getComputedStyle(root).scrollBehavior];"""
    width, window, scrolling = opened.execute_script(script)
    assert width <= window
    assert scrolling == "auto"
    assert opened.execute_script(_CONTRASTS) >= 4.5
    if size == PHONE:
        assert not opened.execute_script(_SCROLLS, "views-zeros")
        slide(opened, "shuffle-factor", 8)
        wait(opened, lambda b: b.execute_script(_SCROLLS, "shuffle-picture"))
    file = screenshots / f"explain-{size[0]}-{scheme}.png"
    screenshot(opened, file)
    assert file.stat().st_size > 50_000


def test_nothing_is_loaded_from_anywhere(opened, page):
    wanted = opened.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in wanted if not name.startswith("data:")] == []
