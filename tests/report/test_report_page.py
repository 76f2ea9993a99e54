"""The page of a report in a real browser: Debian's chromium, driven by Selenium.

Screenshots are left in $WAVEGAN_SCREENSHOTS, else in pytest's temporary folder.
"""

import base64
import json
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from helpers import report_runs
from helpers.browser import DESKTOP, PHONE, click, emulate, find, screenshot
from helpers.commands import ended
from helpers.report_page import COUNT, HOSTILE, LENGTH, RATE, document_of, run_of, write_run
from matplotlib.figure import Figure
from scipy import stats
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from wavegan_rc.cli.report import report_command
from wavegan_rc.report.measured import Cell, Difference, Interval
from wavegan_rc.report.page import render_page
from wavegan_rc.report.rows import Row
from wavegan_rc.report.sentences import Summary
from wavegan_rc.report.sounds import collect_sounds
from wavegan_rc.report.verdicts import Verdict
from wavegan_rc.report.write import write_report

pytestmark = pytest.mark.slow

NON_ASCII = "Läufe 日本 ẞ"
WINDOW_SECONDS = LENGTH / RATE
# Window i of a sound holds one tone, so that what is played tells where it comes from.
SPACING_HZ = 1 / WINDOW_SECONDS
FIRST_HZ = {"sound-r1": 10, "sound-r2": 10, "sound-r3": 80}


def windows_of_tones(first, amplitude):
    """Window i holds a whole number of periods of a tone: `first + i`."""
    time = np.arange(LENGTH) / LENGTH
    windows = [np.sin(2 * np.pi * (first + i) * time) for i in range(COUNT)]
    return amplitude * np.concatenate(windows)


def number(kind, value, p_value=0.5, verdict="cannot be told", **others):
    low, high = (None, None) if value is None else (value - 1, value + 1)
    return kind(value, low, high, p_value=p_value, verdict=verdict, **others)


def table_rows():
    """A row for the whole, some for stages and lines; one value is missing."""
    rows = []
    places = [
        (None, None),
        (1, None),
        (2, None),
        (1, 2000.0),
        (1, 6000.0),
        (2, 4000.0),
        (3, 8000.0),
    ]
    for i, (stage, hz) in enumerate(places):
        value = None if hz == 6000.0 else [-3.0, 10.5, 2.25, 0.5, 0.0, 100.0, -20.0][i]
        two = {"over": "seeds", "count": 2, "runs": {"r1": value, "r2": value}}
        one = {"over": "segments", "count": COUNT, "runs": {"r3": 1.0}}
        row = Row(
            "out_of_band_total_db" if stage is None else "line_prominence_db",
            "dB",
            stage,
            hz,
            [2000.0, 6000.0] if stage == 1 else [],
            Interval(-86.2, -86.6, -85.8),
            {"g1": number(Cell, value, **two), "g2": number(Cell, 1.0, 0.0001, "above", **one)},
            {"g2": number(Difference, 2.0, 0.012, "above")},
        )
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of two settings, the first with two seeds, with hostile and foreign names."""
    folder = tmp_path_factory.mktemp("report")
    real = windows_of_tones(10, 0.25)
    places = {"sound-r1": (HOSTILE.replace("/", "|"), 0.5), "sound-r2": (NON_ASCII, 0.25)}
    places["sound-r3"] = ("c", 0.25)
    first, second, third = (
        write_run(folder / place, windows_of_tones(FIRST_HZ[name], level), real)
        for name, (place, level) in places.items()
    )
    groups = {
        HOSTILE: [run_of(1, first, text=HOSTILE), run_of(2, second, seed=1)],
        NON_ASCII: [run_of(3, third)],
    }
    text = f"8.6 dB [7.9, 9.2], than {HOSTILE}"
    finding = f"{NON_ASCII} has lines that stand out less than {HOSTILE}."
    document = replace(
        document_of(groups, table_rows()),
        warnings=[f"{HOSTILE} and {NON_ASCII} differ in data"],
        summary=Summary(f"3 runs of {HOSTILE}", finding, ("Both are far from real audio.",)),
        verdicts=[Verdict("line_prominence_db", "g2", "g1", "better", text, of_stages="1 of 7")],
    )
    figures = [
        folder / f"{name}{end}"
        for name in ("spectra", "training")
        for end in (".png", ".svg", "-narrow.png")
    ]
    for file in figures:
        figure = Figure(figsize=(8, 3), layout="constrained")
        figure.subplots().plot([0, 1], [0, 1], label="resize")
        figure.savefig(file)
    html = folder / "index.html"
    html.write_text(render_page(document, collect_sounds(document), figures))
    return html


# Keeps what is played: every 16th sample (the tones lie below 1.2 kHz), their rate, the gain.
_RECORDER = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start;
const connect = AudioNode.prototype.connect;
AudioBufferSourceNode.prototype.connect = function (node) {
  this.volume = node;
  return connect.call(this, node);
};
AudioBufferSourceNode.prototype.start = function () {
  window.played.push({
    samples: [...this.buffer.getChannelData(0).filter((_, i) => i % 16 === 0)]
      .map((x) => Math.round(32767 * x)),
    rate: this.buffer.sampleRate / 16,
    gain: this.volume.gain.value,
  });
  return start.call(this);
};
"""


@pytest.fixture
def opened(browser, page):
    """The page just opened on a desktop; at the end nothing may stand in the console."""
    emulate(browser, prefers_color_scheme="light")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page.as_uri())
    browser.execute_script(_RECORDER)
    yield browser
    assert browser.get_log("browser") == []


def wait(browser, script):
    return WebDriverWait(browser, 20, 0.02).until(lambda b: b.execute_script(f"return {script}"))


def played_windows(browser, index=-1):
    """The tones in each window of what was played, in periods per window."""
    wait(browser, "played.length > 0")
    recording = browser.execute_script("return played.at(arguments[0])", index)
    samples = np.array(recording["samples"])
    place = np.arange(len(samples)) / recording["rate"] / WINDOW_SECONDS
    windows = [samples[place.astype(int) == window] for window in range(round(place[-1] + 0.1))]
    # The windows are not cut on the sample at the sound card's rate, by less than half a bin.
    tones = [np.abs(np.fft.rfft(window)).argmax() for window in windows]
    return np.array(tones), recording


def test_it_opens_from_disk_and_asks_nothing_of_a_network(opened, page):
    addresses = []
    for entry in opened.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            addresses.append(message["params"]["request"]["url"])
    assert page.as_uri() in addresses
    assert {urlsplit(address).scheme for address in addresses} <= {"file", "data"}
    assert [address for address in addresses if address.startswith("file")] == [page.as_uri()]
    broken = "[...document.images].filter((image) => !image.complete || !image.naturalWidth).length"
    assert opened.execute_script(f"return {broken}") == 0


def test_its_policy_stops_what_is_not_its_own(browser, page):
    browser.get(page.as_uri())
    stopped = browser.execute_async_script("""
        const [done] = arguments, found = [];
        document.addEventListener("securitypolicyviolation", (event) => {
          found.push(event.effectiveDirective);
          if (found.length === 4) done(found);
        });
        document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:9/a.png" }));
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<b onclick='1' style='color: red'>x</b>");
    """)
    assert set(stopped) == {"img-src", "script-src-elem", "script-src-attr", "style-src-attr"}
    assert not browser.execute_script("return window.ran")
    assert browser.get_log("browser")  # and forget what it says of that


def test_names_are_text(opened):
    with pytest.raises(Exception, match="no such alert"):
        opened.switch_to.alert.text  # noqa: B018
    assert opened.execute_script("return document.scripts.length") == 1
    for place in ("title", "h1", ".warnings", ".cards", "#spectrograms h3", "#table", "#runs"):
        text = opened.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent).join()",
            place,
        )
        assert HOSTILE in text, place
    assert NON_ASCII in find(opened, ".cards").text
    assert HOSTILE in find(opened, ".mark a").get_attribute("title")
    assert HOSTILE in Select(find(opened, "#choice-a")).first_selected_option.text


def press_play(browser, sound):
    """Click a player's own button, at its left end: browsers let sound start by a click only."""
    audio = find(browser, f"#{sound} audio")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", audio)
    offset = 24 - audio.size["width"] // 2
    ActionChains(browser).move_to_element_with_offset(audio, offset, 0).click().perform()
    wait(browser, f"!document.querySelector('#{sound} audio').paused")


def test_players_play_and_the_playhead_follows(opened):
    state = "[...document.querySelectorAll('audio')].every((audio) => audio.readyState >= 1)"
    wait(opened, state)
    durations = opened.execute_script(
        "return [...document.querySelectorAll('audio')].map((audio) => audio.duration)"
    )
    assert len(durations) == 4 + 3  # all runs and real audio; artifacts of the first seeds
    assert durations == pytest.approx([COUNT * WINDOW_SECONDS] * 7, abs=1e-3)
    press_play(opened, "sound-r1")
    place = "parseFloat(document.querySelector('#sound-r1 .playhead').getAttribute('x1'))"
    places = [wait(opened, f"{place} > {least} && {place}") for least in (0, 3, 6)]
    assert all(before < after for before, after in pairwise(places))
    audio = "document.querySelector('#sound-r1 audio')"
    time, place_then = opened.execute_script(
        f"{audio}.pause(); return [{audio}.currentTime, {place}]"
    )
    # A frame of the screen may lie between.
    assert place_then == pytest.approx(100 * time / (COUNT * WINDOW_SECONDS), abs=5)
    opened.execute_script("document.querySelector('#sound-r3 audio').currentTime = 4.096")
    wait(opened, "document.querySelector('#sound-r3 .playhead').getAttribute('x1') === '50%'")


def test_one_player_at_a_time(opened):
    press_play(opened, "sound-r1")
    press_play(opened, "sound-r3")
    wait(opened, "document.querySelector('#sound-r1 audio').paused")
    click(opened, "#sound-r1 .play")
    wait(opened, "document.querySelector('#sound-r3 audio').paused")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_clicking_a_window_plays_that_window(opened, size):
    emulate(opened, size, prefers_color_scheme="light")
    slider = find(opened, "#sound-r3 .windows")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
    places = []
    for window in (0, 37, 63):
        offset = slider.size["width"] * ((window + 0.5) / COUNT - 0.5)
        ActionChains(opened).move_to_element_with_offset(
            slider, round(offset), 20
        ).click().perform()
        wait(opened, f"played.length > {len(places)}")
        tones, recording = played_windows(opened)
        assert tones.tolist() == [FIRST_HZ["sound-r3"] + window]
        assert len(recording["samples"]) / recording["rate"] == pytest.approx(
            WINDOW_SECONDS, abs=1e-3
        )
        assert f"segment {window + 1} of 64" in find(opened, "#sound-r3 .where").text
        wait(opened, "!document.querySelector('#sound-r3').classList.contains('playing')")
        place = find(opened, "#sound-r3 .playhead").get_attribute("x1")
        places.append(float(place.removesuffix("%")) * COUNT / 100)
        assert window <= places[-1] <= window + 1.01
    assert find(opened, "#sound-r3 .windows").get_attribute("aria-valuenow") == "64"


def test_windows_by_keyboard_and_buttons(opened):
    slider = find(opened, "#sound-r3 .windows")
    chosen = lambda: int(slider.get_attribute("aria-valuenow"))  # noqa: E731
    slider.send_keys(Keys.END, Keys.ARROW_LEFT)
    assert chosen() == 63
    slider.send_keys(Keys.HOME, Keys.PAGE_DOWN, Keys.ARROW_LEFT, Keys.ARROW_RIGHT)
    assert chosen() == 2  # page down goes back, as a slider's value does
    slider.send_keys(Keys.PAGE_UP, Keys.ENTER)
    assert played_windows(opened)[0].tolist() == [FIRST_HZ["sound-r3"] + 9]
    click(opened, "#sound-r3 .next")
    wait(opened, "played.length === 2")
    assert played_windows(opened)[0].tolist() == [FIRST_HZ["sound-r3"] + 10]
    click(opened, "#sound-r3 .previous")
    wait(opened, "played.length === 3")
    assert chosen() == 10


def test_marks_are_toggled(opened):
    def shown(kind):
        marks = f"[...document.querySelectorAll('.marks .{kind}')]"
        return opened.execute_script(
            f"return {marks}.map((mark) => getComputedStyle(mark).display !== 'none')"
        )

    assert all(shown("edge"))
    assert all(shown("line"))  # few, so that they are shown from the start
    assert len(shown("line")) == 4 * 4 * 2  # on either axis
    click(opened, "#show-lines")
    click(opened, "#show-edge")
    assert not any(shown("line"))
    assert not any(shown("edge"))
    height = "document.querySelector('#sound-r1 .linear .edge line').getAttribute('y1')"
    assert opened.execute_script(f"return {height}") == "78.75%"  # 1700 of 8000 Hz


def test_the_frequency_axis_is_chosen(opened):
    linear, mel = (find(opened, f"#sound-r1 img.{scale}") for scale in ("linear", "mel"))
    assert (mel.is_displayed(), linear.is_displayed()) == (True, False)
    click(opened, "input[name=scale][value=linear]")
    assert (mel.is_displayed(), linear.is_displayed()) == (False, True)
    assert find(opened, "#sound-r1 .axis.linear").is_displayed()


def test_a_card_plays_its_sound_by_one_click_or_key(opened):
    button = find(opened, ".card.g2 .hear")
    assert button.get_attribute("aria-label") == f"play {NON_ASCII}, seed 0"
    button.click()
    wait(opened, "!document.querySelector('#sound-r3 audio').paused")
    assert "stop" in button.text
    button.send_keys(Keys.ENTER)
    wait(opened, "document.querySelector('#sound-r3 audio').paused")
    wait(opened, "document.querySelector('.card.g2 .hear').textContent.includes('play')")


def test_a_mark_leads_to_its_rows(opened):
    mark = find(opened, ".card.g2 .mark a")
    assert mark.text == "✓ better, 1 of 7"
    mark.send_keys(Keys.ENTER)
    wait(opened, "document.querySelector('input[value=stage]').checked")
    assert find(opened, "#row-line_prominence_db").is_displayed()


@pytest.mark.parametrize("place", [".card.g2", "#table"])
def test_a_name_leads_to_what_it_means(opened, place):
    entry = find(opened, "#term-out_of_band_total_db")
    assert not entry.is_displayed()  # folded
    find(opened, f"{place} .term[href='#term-out_of_band_total_db']").send_keys(Keys.ENTER)
    wait(opened, "document.querySelector('#terms details').open")
    assert entry.is_displayed()
    assert (
        0 <= opened.execute_script("return arguments[0].getBoundingClientRect().top", entry) < 900
    )


def test_one_setting_has_one_colour_everywhere(opened):
    colors = opened.execute_script("""
        const color = (e, name) => getComputedStyle(e)[name];
        return [".card.g2", ".row.g2 .panel", ".card.g2 .hear"].map((place) => {
          const element = document.querySelector(place);
          return place.endsWith("panel") ? color(element, "outlineColor")
            : color(element, "borderTopColor");
        });
    """)
    chips = opened.execute_script(
        "return [...document.querySelectorAll('.card.g2 .chip line, thead th:nth-child(4) line')]"
        ".map((line) => line.getAttribute('stroke'))"
    )
    assert set(colors) == {"rgb(213, 94, 0)"}  # vermilion of Okabe and Ito
    assert set(chips) == {"#D55E00"}


def test_seeds_are_chosen(opened):
    assert find(opened, "#sound-r1").is_displayed()
    assert not find(opened, "#sound-r2").is_displayed()
    Select(find(opened, ".seed-choice")).select_by_visible_text("1")
    assert not find(opened, "#sound-r1").is_displayed()
    assert find(opened, "#sound-r2").is_displayed()


def column(browser, index):
    rows = "[...document.querySelectorAll('#table tbody:not([hidden]) tr:not(.heading)')]"
    value = f"row.cells[{index}].dataset.value ?? ''"
    return browser.execute_script(f"return {rows}.map((row) => {value})")


def test_the_table_is_filtered_and_sorted(opened):
    assert column(opened, 2) == ["-3.0"]
    click(opened, "input[value='stage']")
    assert column(opened, 2) == ["10.5", "2.25"]
    click(opened, "input[value='line']")
    assert column(opened, 2) == ["0.5", "", "100.0", "-20.0"]
    click(opened, "#table th:nth-child(3) button")
    assert column(opened, 2) == ["-20.0", "0.5", "100.0", ""]
    assert find(opened, "#table th:nth-child(3)").get_attribute("aria-sort") == "ascending"
    click(opened, "#table th:nth-child(3) button")
    assert column(opened, 2) == ["100.0", "0.5", "-20.0", ""]
    click(opened, "#table th:nth-child(1) button")
    assert opened.execute_script("return document.querySelectorAll('[aria-sort]').length") == 1
    # The heading stays above its rows.
    first = "document.querySelector('#table tbody:not([hidden]) tr').className"
    assert opened.execute_script(f"return {first}") == "heading"


def test_the_table_says_every_number_and_what_is_better(opened):
    click(opened, "input[value='line']")
    text = find(opened, "#table tbody:not([hidden])").text
    minus = "\N{MINUS SIGN}"
    for part in (
        "line prominence (dB)",
        "less is better",
        f"{minus}86.2 [{minus}86.6, {minus}85.8]",
        "0.5 [",
        "worse; difference 2.0 [1.0, 3.0], p 0.012",
        "2 kHz, stage 1",
    ):
        assert part in text
    cell = find(opened, "#table tbody:not([hidden]) tr:nth-child(2) td:nth-child(3)")
    assert cell.get_attribute("title") == "seeds: 0.5, 0.5"


def copied(browser, button):
    click(browser, button)
    wait(browser, "document.querySelector('#copied').textContent !== ''")
    return browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")


def test_the_table_is_copied(opened):
    permission = {"permission": {"name": "clipboard-read"}, "setting": "granted"}
    opened.execute_cdp_cmd("Browser.setPermission", permission)
    click(opened, "input[value='line']")
    rows = copied(opened, "#copy-markdown").splitlines()
    assert len(rows) == 2 + 1 + 4
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert rows[0].startswith("| quantity | real | \\<script\\>alert(1)\\</script\\> |")
    assert rows[3].startswith("| 2 kHz, stage 1 |")
    assert "| 0.5 [\N{MINUS SIGN}0.5, 1.5]; cannot be told from real |" in rows[3]
    latex = copied(opened, "#copy-latex")
    assert latex.startswith("\\begin{tabular}{lrrr}\n\\hline\nquantity & real & ")
    assert "$<$script$>$" in latex
    assert latex.count("\\\\\n") == 6


def test_where_the_clipboard_is_refused_the_text_is_shown(opened):
    opened.execute_script("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    click(opened, "#copy-latex")
    area = find(opened, "#copy-text")
    wait(opened, "!document.querySelector('#copy-text').hidden")
    value = area.get_attribute("value")
    assert value.startswith("\\begin{tabular}")
    assert opened.execute_script("return getSelection().toString()") == value
    assert "Ctrl-C" in find(opened, "#copied").text


def matched_gains(browser):
    words = re.findall(r"([AB]) (.?[0-9.]+) dB", find(browser, "#matched").text)
    return {name: 10 ** (float(db.replace("\N{MINUS SIGN}", "-")) / 20) for name, db in words}


def test_loudness_is_matched_by_turning_the_louder_down(opened):
    Select(find(opened, "#choice-b")).select_by_value("sound-r2")  # the same at half the amplitude
    assert matched_gains(opened) == pytest.approx({"A": 0.5, "B": 1}, abs=0.005)
    Select(find(opened, "#choice-b")).select_by_value("sound-r1")
    Select(find(opened, "#choice-a")).select_by_value("sound-r2")
    assert matched_gains(opened) == pytest.approx({"A": 1, "B": 0.5}, abs=0.005)


def test_a_blind_test_is_fair_and_scored(opened):
    gains = matched_gains(opened)
    assert gains["B"] == 1
    first = {"A": FIRST_HZ["sound-r1"], "B": FIRST_HZ["sound-r3"]}
    right, drawn, heard = 0, [], []
    for trial in range(12):
        windows = {}
        for name in "ABX":
            opened.execute_script("played.length = 0")
            click(opened, f"#play-{name.lower()}")
            tones, recording = played_windows(opened)
            assert len(tones) * WINDOW_SECONDS == pytest.approx(2, abs=WINDOW_SECONDS)
            source = name if name != "X" else "B" if tones[0] >= first["B"] else "A"
            windows[name] = set(tones - first[source])
            assert recording["gain"] == pytest.approx(gains[source], abs=0.01)
            if name == "X":
                drawn.append(source)
                heard.append(frozenset(windows[name]))
                # The ear may not know it by its words.
                assert not windows["X"] & windows[source]
        guess = "AB"[trial % 2]
        click(opened, f"#x-is-{guess.lower()}")
        right += guess == drawn[-1]
        assert f"X was {drawn[-1]}" in find(opened, "#answer").text
        assert find(opened, "#answer").text.startswith("Right" if guess == drawn[-1] else "Wrong")
        assert f"{right} of {trial + 1} right" in find(opened, "#score").text
        p_value = float(find(opened, "#score").get_attribute("data-p-value"))
        expected = stats.binomtest(right, trial + 1, alternative="greater").pvalue
        assert p_value == pytest.approx(expected, rel=1e-12)
    assert set(drawn) == {"A", "B"}  # all alike once in 2048
    assert len(set(heard)) == 12
    Select(find(opened, "#choice-b")).select_by_value("sound-real-r1")
    assert find(opened, "#score").text == "No answer yet."
    Select(find(opened, "#choice-b")).select_by_value("sound-r1")
    assert not find(opened, "#play-x").is_enabled()
    assert "two different" in find(opened, "#matched").text


def test_p_values_are_those_of_the_binomial_distribution(opened):
    for count in (1, 2, 16, 100, 500):
        for right in {0, 1, count // 2, count - 1, count}:
            found = opened.execute_script("return pValue(...arguments)", right, count)
            expected = stats.binomtest(right, count, alternative="greater").pvalue
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_and_can_be_read(opened, screenshots, size, scheme):
    emulate(opened, size, prefers_color_scheme=scheme)
    kind = "phone" if size == PHONE else "desktop"
    opened.execute_script("document.querySelector('#terms details').open = true")
    screenshot(opened, screenshots / f"{kind}-{scheme}.png")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= size[0]
    beyond = opened.execute_script("""
        return [...document.querySelectorAll("body *")]
          .filter((e) => !e.closest("svg, [hidden]"))
          .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
          .map((e) => e.outerHTML.slice(0, 200));
    """)
    assert beyond == []
    for ink in ("ink", "faint", "link"):
        for paper in ("paper", "tint", "warn-paper"):
            assert contrast(opened, ink, paper) >= 4.5, (ink, paper)  # WCAG 2.2, 1.4.3
    dark = luminance(color(opened, "paper")) < 0.05
    assert dark == (scheme == "dark")


def color(browser, name):
    text = browser.execute_script(
        "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0]).trim()",
        f"--{name}",
    )
    return [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(browser, ink, paper):
    dark, light = sorted(luminance(color(browser, name)) for name in (ink, paper))
    return (light + 0.05) / (dark + 0.05)


def test_every_control_has_a_name(opened):
    roles = {
        "button",
        "checkbox",
        "radio",
        "combobox",
        "slider",
        "textbox",
        "link",
        "image",
        "Audio",
    }
    unnamed, seen = [], set()
    for node in opened.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]:
        role = node.get("role", {}).get("value")
        if not node["ignored"] and role in roles:
            seen.add(role)
            if not node.get("name", {}).get("value"):
                unnamed.append(node)
    assert {"button", "checkbox", "radio", "combobox", "slider", "link", "image"} <= seen
    assert unnamed == []


def test_it_prints(opened, screenshots):
    emulate(opened, media="print", prefers_color_scheme="dark")
    assert luminance(color(opened, "paper")) == pytest.approx(1)
    for selector in ("#sound-r1 .controls", "#listening", "nav", "fieldset"):
        assert not find(opened, selector).is_displayed(), selector
    for selector in ("#sound-r1 .picture", ".cards", "#table", ".drawing"):
        assert find(opened, selector).is_displayed(), selector
    emulate(opened, prefers_color_scheme="light")
    pdf = opened.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    (screenshots / "print.pdf").write_bytes(base64.b64decode(pdf["data"]))
    assert base64.b64decode(pdf["data"]).startswith(b"%PDF")
    assert opened.execute_script(
        "return [...document.querySelectorAll('details')].every((d) => d.open)"
    )


FIVE = {"filters": 16, "batch_size": 8, "latent_dim": 8, "kernel_size": 12, "learning_rate": 1e-3}


@pytest.mark.parametrize("differing", [1, 5])
@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_it_fits_whatever_is_compared(browser, tmp_path, screenshots, count, differing):
    """Two seeds of settings that differ in the radius of phase shuffle, or in five more."""
    runs = []
    rng = np.random.default_rng(0)
    audio = 0.1 * rng.standard_normal(16 * 512)
    for i in range(count):
        changes = {"phase_shuffle_radius": 2 + i, **(FIVE if differing == 5 else {})}
        config = replace(report_runs.SMALL, **(changes if i else {}))
        values = [{"out_of_band_total_db": 9.0 - i + 0.1 * seed} for seed in range(2)]
        own = report_runs.write_seeds(tmp_path, f"{i}", values, config)
        for run in own:
            write_run(run, audio, audio)
        runs += own
    page = write_report(runs, tmp_path / "report")
    for size in (DESKTOP, PHONE):
        for scheme in ("light", "dark"):
            emulate(browser, size, prefers_color_scheme=scheme)
            browser.get(page.as_uri())
            kind = "phone" if size == PHONE else "desktop"
            screenshot(browser, screenshots / f"{count}-{differing}-{kind}-{scheme}.png")
            assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
            heights = browser.execute_script(
                "return ['h1', '.warnings'].map((e) => document.querySelector(e)?.offsetHeight)"
            )
            assert heights[0] <= (160 if size == PHONE else 100)
            assert (heights[1] or 0) <= (420 if size == PHONE else 260)
            hear = [e.rect["y"] for e in browser.find_elements(By.CSS_SELECTOR, ".hear")]
            assert hear[0] < size[1]  # on the first screen
            assert len(hear) == count + 1


@pytest.fixture(scope="module")
def smoke_report(smoke_runs, tmp_path_factory):
    """What the command makes of two runs, one in a folder with a hostile name.

    Both are copies of one run, the second under another setting.
    """
    folder = tmp_path_factory.mktemp("smoke")
    first = shutil.copytree(smoke_runs[1], folder / "<img src=x onerror=alert(1)>")
    second = shutil.copytree(first, folder / NON_ASCII)
    settings = yaml.safe_load((second / "config.yaml").read_text()) | {"learning_rate": 0.5}
    (second / "config.yaml").write_text(yaml.safe_dump(settings))
    runs = [first, second]
    out = folder / "report"
    assert report_command("report.py", [*map(str, runs), "--out", str(out)]) == 0
    return out


def test_the_command_leaves_page_numbers_and_figures(smoke_report):
    numbers = json.loads((smoke_report / "report.json").read_text(encoding="utf-8"))
    assert numbers["schema"] == "wavegan_rc.report/3"
    # The other name has the form of a sweep's.
    assert [group["label"] for group in numbers["groups"]] == ["learning rate 0.001", NON_ASCII]
    figures = {file.name for file in (smoke_report / "figures").iterdir()}
    assert {"spectra.png", "spectra.svg", "spectra-narrow.png", "training.svg"} <= figures
    assert (smoke_report / "index.html").stat().st_size < 6e6


def test_the_report_of_two_runs_opens(browser, smoke_report, screenshots):
    emulate(browser, prefers_color_scheme="light")
    browser.get_log("browser")
    browser.get((smoke_report / "index.html").as_uri())
    broken = "[...document.images].filter((image) => !image.complete || !image.naturalWidth).length"
    assert browser.execute_script(f"return {broken}") == 0
    wait(browser, "[...document.querySelectorAll('audio')].every((audio) => audio.readyState >= 1)")
    assert browser.execute_script("return document.querySelectorAll('.drawing').length") >= 2
    screenshot(browser, screenshots / "smoke.png")
    for name in ("<img src=x onerror=alert(1)>", NON_ASCII):
        assert name in find(browser, "#runs").text
    click(browser, "#copy-markdown")
    wait(browser, "document.querySelector('#copied').textContent !== ''")
    assert browser.get_log("browser") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "runs"), (["nowhere"], "nowhere: no such run folder"), (["--out"], "out")],
)
def test_the_commands_mistakes_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, error = ended(report_command, arguments, capsys)
    assert code == 2
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
