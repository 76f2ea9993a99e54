"""The page that explains upsampling, plays it, and runs trained generators: one HTML file."""

import base64
import json
import re
from graphlib import TopologicalSorter
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import wavegan_rc
from wavegan_rc.config.choices import UPSAMPLERS, Upsampler
from wavegan_rc.errors import DataError
from wavegan_rc.generator.file import Generator, load_generator
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.utils.atomic_files import write_whole, writing
from wavegan_rc.utils.text import printable

# Largest factor that the page's sliders offer.
LARGEST_FACTOR = 8
# Of the whole file. Browsers on phones open it in seconds.
_MOST_BYTES = 6_000_000
# Kept in the package, for those who have trained nothing yet.
_KEPT = ("transposed", "resize")
_NAMES = {
    "transposed": "transposed",
    "resize": "nearest neighbour",
    "linear": "linear",
    "sinc": "sinc",
    "subpixel": "pixel shuffle",
}
_MEANINGS = {
    "transposed": "zeros between the samples, then the kernel",
    "resize": "each sample repeated, then the kernel",
    "linear": "straight lines between the samples, then the kernel",
    "sinc": "band-limited interpolation, then the kernel",
    "subpixel": "a kernel for each phase",
}
_IMPORT = re.compile(r'(?m)^import \{[^}]*\} from "\./([a-z_]+)\.js";\n')


def write_page(out: Path, run: Path | None = None) -> int:
    """Write the page, whole or not at all.

    Returns:
        Size of the file in bytes.

    Raises:
        DataError: If there is no generator that the page can run, it is too large, or `out` cannot
            be written.
    """
    generators = kept_generators()
    if run is not None:
        own = load_generator(run)
        if not own.weights.is_plain:
            raise DataError(
                f"{run}: the page runs generators of plain stages with ReLU only; hear this one "
                "with generate.py, measure it with measure.py"
            )
        generators = {f"{printable(run.resolve().name)} (yours)": own} | generators
    html = render_explanation(generators)
    size = len(html.encode())
    if run is not None and size > _MOST_BYTES:
        raise DataError(
            f"{run}: the generator must fit a page of {_MOST_BYTES / 1e6:g} MB. Received: "
            f"{size / 1e6:.1f} MB with it; hear it with generate.py, measure it with measure.py"
        )
    with writing():
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, html)
    return size


def kept_generators() -> dict[str, Generator]:
    """Return the trained generators of this package, by upsampler."""
    folder = resources.files("wavegan_rc.explain") / "generators"
    generators = {}
    for word in _KEPT:
        with resources.as_file(folder / f"{word}.keras") as file:
            generators[word] = load_generator(file)
    return generators


def render_explanation(generators: dict[str, Generator]) -> str:
    """Render the page as HTML that opens from disk and loads nothing."""
    web = resources.files("wavegan_rc.explain") / "web"
    environment = Environment(
        loader=PackageLoader("wavegan_rc.explain", "web"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    data = json.dumps(page_data(generators), separators=(",", ":"), allow_nan=False)
    return environment.get_template("page.html.j2").render(
        css=Markup((web / "page.css").read_text(encoding="utf-8")),
        script=Markup(bundled_modules(web)),
        data=Markup(data.replace("<", "\\u003c")),
        upsamplers=UPSAMPLERS,
        largest_factor=LARGEST_FACTOR,
        names=_NAMES,
        meanings=_MEANINGS,
        titles=[(title, _NAMES.get(title, title)) for title in generators],
        version=wavegan_rc.__version__,
    )


def bundled_modules(folder: Traversable) -> str:
    """Join the JavaScript modules of a folder to one script.

    A module follows those that it imports. Import lines and the word `export` are left out, so all
    modules share one scope: a name that two of them declare is a syntax error in any browser.
    """
    texts = {
        file.name.removesuffix(".js"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".js")
    }
    imports = {name: sorted(_IMPORT.findall(texts[name])) for name in sorted(texts)}
    order = TopologicalSorter(imports).static_order()
    return "\n".join(
        f"// {name}.js\n" + re.sub(r"(?m)^export ", "", _IMPORT.sub("", texts[name]))
        for name in order
    )


def page_data(generators: dict[str, Generator]) -> dict[str, Any]:
    """Return the numbers that the page takes from this package, as JSON values."""
    return {
        "interpolation": {
            word: {factor: _filter(word, factor) for factor in range(2, LARGEST_FACTOR + 1)}
            for word in UPSAMPLERS
        },
        "generators": [{"title": title} | exported(each) for title, each in generators.items()],
    }


def _filter(upsampler: Upsampler, factor: int) -> dict[str, Any]:
    taps, first = interpolation_kernel(upsampler, factor)
    return {"taps": taps.tolist(), "first": first}


class _Arrays:
    """Float32 arrays one after the other; each is named by its first number and its length."""

    def __init__(self) -> None:
        self._arrays: list[np.ndarray] = []
        self._size = 0

    def place(self, array: np.ndarray | None) -> list[int] | None:
        if array is None:
            return None
        self._arrays.append(array.ravel())
        self._size += array.size
        return [self._size - array.size, array.size]

    def end(self, matrix: np.ndarray | None) -> dict[str, Any] | None:
        if matrix is None:
            return None
        rows, columns = matrix.shape
        return {"matrix": self.place(matrix), "rows": rows, "columns": columns}

    def text(self) -> str:
        values = np.concatenate(self._arrays).astype("<f4")
        return base64.b64encode(values.tobytes()).decode()


def exported(generator: Generator) -> dict[str, Any]:
    """Return a generator as JSON values: sizes, and all arrays in one text, float32 in base64."""
    weights, arrays = generator.weights, _Arrays()
    dense = {
        "kernel": arrays.place(weights.kernel),
        "bias": arrays.place(weights.bias),
        "columns": weights.kernel.shape[1],
    }
    stages = [
        dict(zip(("taps", "channels", "outputs"), stage.kernel.shape, strict=True))
        | {"factor": stage.factor, "before": stage.before}
        | {"kernel": arrays.place(stage.kernel), "bias": arrays.place(stage.bias)}
        | {"head": arrays.end(stage.head), "tail": arrays.end(stage.tail)}
        for stage in weights.stages
    ]
    return {
        "sampleRate": generator.sample_rate,
        "stopbandHz": generator.stopband_hz,
        "latentDim": generator.latent_dim,
        "segmentLength": generator.segment_length,
        "padding": weights.padding,
        "dense": dense,
        "stages": stages,
        "postFilter": arrays.place(weights.post_filter),
        "weights": arrays.text(),
    }
