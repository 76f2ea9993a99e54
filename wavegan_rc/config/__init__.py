"""Every setting, declared once."""

from wavegan_rc.config.settings import Config

__all__ = ["Config"]
