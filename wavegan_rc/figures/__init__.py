"""Figures, drawn from arrays and files."""

from wavegan_rc.utils.extras import load_matplotlib

load_matplotlib()
