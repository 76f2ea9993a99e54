"""The program behind `scripts/gpu_check.sh`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import EXIT_BY_SIGNAL, run_command
from wavegan_rc.errors import DataError
from wavegan_rc.utils.extras import load_before_tensorflow

STAGES = ("prepare", "benchmark", "train", "measure")


def gpu_check_command(program: str, argv: Sequence[str]) -> int:
    """Time training, train and measure on this machine's GPU; what is done is not done again."""
    parser = Parser(program, gpu_check_command.__doc__)
    parser.argument("out", Path, "folder for all results")
    parser.add_argument(
        "stages",
        nargs="*",
        metavar="STAGE",
        help=f"stages to run: {', '.join(STAGES)} (default: all)",
    )
    parser.switch("toy", "take seconds only, to see that everything works")
    flags = parser.parse_intermixed_args(argv)
    unknown = set(flags.stages) - set(STAGES)
    if unknown:
        parser.error(f"STAGE must be one of {', '.join(STAGES)}. Received: {min(unknown)}")

    load_before_tensorflow()
    from benchmarks.gpu_check import PLAN, TOY, Check
    from benchmarks.gpu_check_table import format_results
    from wavegan_rc.utils.atomic_files import write_whole

    out = Path(flags.out).expanduser()
    folder = out / "toy" if flags.toy else out
    check = Check(TOY if flags.toy else PLAN, folder, corpus=out / "corpus")
    received = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stage in flags.stages or STAGES:
            received = getattr(check, stage)()
            if received is not None:
                break
        results = check.results()
        write_whole(folder / "gpu_check.json", json.dumps(results, indent=1))
        text = format_results(results)
        write_whole(folder / "gpu_check.txt", text + "\n")
    except BrokenPipeError:  # of the standard output
        raise
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    print(f"\n{text}", flush=True)
    return 0 if received is None else EXIT_BY_SIGNAL + received


if __name__ == "__main__":
    run_command(gpu_check_command, "gpu_check.sh", sys.argv[1:])
