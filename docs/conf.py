"""Settings of the documentation site; `sphinx-build -W docs SITE` builds it without a network."""

import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]
# For the processes that run the pages' code.
os.environ["MATPLOTLIBRC"] = str(DOCS / "_ext" / "matplotlibrc")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["WAVEGAN_RC_ROOT"] = str(DOCS.parent)

project = "wavegan_rc"
author = "the authors of wavegan_rc"
project_copyright = "the authors of wavegan_rc, Apache-2.0"
# Read, not imported: the package may be newer than what is installed.
_package = (DOCS.parent / "wavegan_rc" / "__init__.py").read_text(encoding="utf-8")
_version = re.search(r'__version__ = "([^"]+)"', _package)
release = _version[1] if _version else ""
version = release

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "formulas",
    "generated_pages",
]
exclude_patterns = [
    "_build",
    "reference/_generated",
    "gallery/README.*",
    "gallery/GALLERY_HEADER.rst",
    "examples/*.ipynb",
    "**/.ipynb_checkpoints",
]

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_in_temp = True
nb_execution_cache_path = str(DOCS / "_build" / "jupyter-cache")
nb_merge_streams = True
# Text that a library writes to the error stream (start-up notes) is no part of the page.
nb_output_stderr = "remove"

# Python API
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_mock_imports = ["jax", "mlflow", "onnxruntime", "ray", "tf2onnx", "torch", "wandb"]
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [
    ("Source", "returns_style"),
    ("Input shape", "notes_style"),
    ("Output shape", "notes_style"),
]
napoleon_use_rtype = False
napoleon_use_ivar = True
# Single backquotes in docstrings are code, as in Markdown.
default_role = "code"
# Types of NumPy, Keras and others have no pages here.
nitpick_ignore_regex = [("py:.*", ".*")]
suppress_warnings = ["config.cache", "mystnb.unknown_mime_type"]

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": "/plot_",
    "download_all_examples": False,
    "notebook_extensions": set(),
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 1000,
    "within_subsection_order": "FileNameSortKey",
    "image_srcset": ["2x"],
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib", "figure_style.apply"),
}

# HTML; nothing is loaded from another host, neither while building nor in the browser.
html_theme = "pydata_sphinx_theme"
html_title = f"wavegan_rc {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"index": [], "glossary": []}
html_copy_source = False
html_math_renderer = "svg"
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
