"""Settings of a run, each declared once."""

from wavegan_rc.config.config import Config

__all__ = ["Config"]
