"""The same look for figures of the gallery and of the pages."""

from pathlib import Path

import matplotlib


def apply(_gallery_conf: dict, _name: str) -> None:
    matplotlib.rc_file(Path(__file__).with_name("matplotlibrc"))
