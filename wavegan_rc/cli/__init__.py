"""Commands: parse and check arguments, run the work, print results and one-line errors."""

import sys

from wavegan_rc.errors import WaveganError

try:
    import wavegan_rc.utils  # noqa: F401
except WaveganError as error:  # a system without what commands need: no traceback
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
