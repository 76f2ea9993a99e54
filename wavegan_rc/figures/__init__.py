"""Figures, drawn from arrays and files."""

from wavegan_rc.utils.extras import prepare_matplotlib

prepare_matplotlib()
