"""Calibrate the artifact statistics: python docs/make_calibration.py (about 5 minutes, one core).

Tones of known level are planted in white noise, in the bundled speech (held-out recordings,
low-passed as by default) and in silence, and measured with the package's own statistics. Writes
calibration.json; draw_calibration.py makes a figure and tables of it.
"""

import json
from pathlib import Path

from calibration_detection import study_detection
from calibration_levels import STANDS_OUT_DB, study_levels
from calibration_p_values import ECDF_AT, study_p_values
from calibration_sets import LENGTH, RATE, backgrounds


def main() -> None:
    draws = backgrounds()
    detection, false_positives = study_detection(draws)
    found = {
        "sample_rate": RATE,
        "segment_length": LENGTH,
        "standing_out_db": STANDS_OUT_DB,
        "levels": study_levels(draws),
        "ecdf_at": ECDF_AT.tolist(),
        "p_values": study_p_values(draws),
        "detection": detection,
        "false_positives": false_positives,
    }
    Path(__file__).with_name("calibration.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
