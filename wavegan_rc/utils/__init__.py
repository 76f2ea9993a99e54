"""Helpers without domain knowledge: atomic files, text, CPU cores, optional packages."""

import os

from wavegan_rc.errors import WaveganError

# Here, since all that needs file locks or signals imports this folder first.
if os.name != "posix":
    raise WaveganError(
        f"the system must be Linux or another POSIX one; on Windows, use WSL. Received: {os.name}"
    )
