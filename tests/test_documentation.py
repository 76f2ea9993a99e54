"""Links of the pages lead somewhere, and the trained generators that come along can be heard."""

import re

import numpy as np
import pytest
from helpers import ROOT

from wavegan_rc.explain.page import kept_generators
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.spectrogram import mean_power_spectrum, out_of_band_ratio_db

# Pages that a build of the site writes are not in the repository.
BUILT = {"_build", "_generated", "api", "examples"}
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *(
        page
        for page in sorted((ROOT / "docs").rglob("*.md"))
        if not BUILT & {*page.relative_to(ROOT).parts}
    ),
]

FOLDER = ROOT / "docs" / "explanation" / "quantities"
QUANTITIES = [page for page in sorted(FOLDER.glob("*.md")) if page.stem != "index"]


def anchors(page):
    """Names that headings have where Markdown is shown."""
    titles = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def terms():
    """Entries of the glossary."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    return set(re.findall(r"(?m)^(\w.*)\n  \w", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_terms_are_in_the_glossary(page):
    for words in re.findall(r"\{term\}`([^`]+)`", page.read_text(encoding="utf-8")):
        named = re.search(r"<(.+)>", words)
        assert (named[1] if named else words) in terms(), f"{page.name}: {words}"


@pytest.mark.parametrize("page", QUANTITIES, ids=lambda page: page.stem)
def test_a_page_on_a_quantity_has_its_six_parts(page):
    parts = re.findall(r"(?m)^\*\*([\w ]+)\.\*\*", page.read_text(encoding="utf-8"))
    six = ["Definition", "Formula", "Picture", "Calibration", "Limits", "What is good"]
    assert [part for part in parts if part in six] == six


def test_every_page_is_in_a_table_of_contents():
    docs = ROOT / "docs"
    listed = set()
    for page in PAGES:
        for entries in re.findall(
            r"(?s)```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8")
        ):
            listed |= {
                (page.parent / entry).resolve()
                for entry in entries.split()
                if not entry.startswith(":")
            }
    pages = [page for page in PAGES if docs in page.parents and page.name != "index.md"]
    missing = [str(page) for page in pages if page.with_suffix("") not in listed]
    assert not missing


def test_the_readme_is_short():
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 150


def test_the_generators_that_come_along_differ_as_the_readme_says():
    ratios = {}
    for word in ("transposed", "resize"):
        generator = kept_generators()[word]
        assert generator.stopband_hz is not None
        segments = synthesize(generator.model, draw_latents(128, generator.latent_dim, seed=0))
        frequencies, power = mean_power_spectrum(segments, generator.sample_rate)
        ratios[word] = out_of_band_ratio_db(frequencies, power, generator.stopband_hz)
        assert 0.01 < np.std(segments) < 0.5
    assert ratios["resize"] < ratios["transposed"] - 2 < -40
