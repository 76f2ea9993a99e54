"""Formulas drawn by Matplotlib as SVG: the browser needs no script, no font and no network."""

import html
import io
import re
import zlib

from docutils import nodes
from matplotlib import mathtext, rc_context
from matplotlib.font_manager import FontProperties
from sphinx.application import Sphinx

# Large, since sizes are whole points; STIX looks small beside the text.
_POINTS_PER_EM = 46.0
_SIDES = ("width", "height")


def svg(formula: str) -> str:
    """Return a formula as an SVG element in the colour and the size of the text around it."""
    formula = " ".join(formula.split())
    image = io.BytesIO()
    with rc_context({"mathtext.fontset": "stix", "svg.fonttype": "path"}):
        size = FontProperties(size=50)
        depth = mathtext.math_to_image(f"${formula}$", image, prop=size, dpi=72, format="svg")
    text = image.getvalue().decode()
    width, height = (float(re.search(rf'{side}="([\d.]+)pt"', text)[1]) for side in _SIDES)
    view = re.search(r'viewBox="([^"]+)"', text)[1]
    drawing = re.sub(r"(?s)^.*?</metadata>|</svg>\s*$|<style.*?</style>", "", text)
    # The white page behind the formula.
    drawing = re.sub(r'(?s)<g id="patch_1">.*?</g>', "", drawing)
    # Several formulas of a page may not share names.
    name = f"f{zlib.crc32(formula.encode()):x}-"
    drawing = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}", drawing)
    em = [f"{size / _POINTS_PER_EM:.3f}em" for size in (width, height, -depth)]
    return (
        f'<svg class="formula" role="img" aria-label="{html.escape(formula)}" '
        f'viewBox="{view}" style="width:{em[0]};height:{em[1]};vertical-align:{em[2]}">'
        f"{drawing}</svg>"
    )


def visit_inline(translator, node: nodes.math) -> None:
    translator.body.append(svg(node.astext()))
    raise nodes.SkipNode


def visit_block(translator, node: nodes.math_block) -> None:
    formula = node.astext().replace(r"\frac", r"\dfrac")
    translator.body.append(f'<div class="formulas">{svg(formula)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("svg", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
