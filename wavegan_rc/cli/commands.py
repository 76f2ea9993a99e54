"""The `wavegan-rc` program and its commands.

No command imports TensorFlow or an audio library before its arguments are checked.
"""

import sys
from typing import NoReturn

import wavegan_rc
from wavegan_rc.cli.explain import explain_command
from wavegan_rc.cli.export import export_command
from wavegan_rc.cli.generate import generate_command
from wavegan_rc.cli.measure import measure_command
from wavegan_rc.cli.process import EXIT_USER_ERROR, Command, run_command
from wavegan_rc.cli.report import report_command
from wavegan_rc.cli.sweep import sweep_command
from wavegan_rc.cli.train import train_command
from wavegan_rc.utils.text import did_you_mean, printable

COMMANDS: dict[str, Command] = {
    "train": train_command,
    "generate": generate_command,
    "explain": explain_command,
    "export": export_command,
    "measure": measure_command,
    "report": report_command,
    "sweep": sweep_command,
}
_EXAMPLES = """\
  wavegan-rc train --upsampler transposed
  wavegan-rc train --upsampler resize
  wavegan-rc report runs/001-transposed runs/002-resize"""


def run_script(name: str) -> NoReturn:
    """Run a command as the script of its name."""
    run_command(COMMANDS[name], f"{name}.py", sys.argv[1:])


def main() -> NoReturn:
    """Run the command that the first argument names."""
    names = "|".join(COMMANDS)
    argv = sys.argv[1:]
    if argv[:1] == ["--version"]:
        print(wavegan_rc.__version__)
        sys.exit(0)
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: wavegan-rc {names} [--help] ...\n")
        for name, command in COMMANDS.items():
            print(f"  {name:10} {command.__doc__}")
        print(f"\nexamples:\n{_EXAMPLES}")
        sys.exit(0 if argv else EXIT_USER_ERROR)
    if argv[0] not in COMMANDS:
        meant = did_you_mean(argv[0], COMMANDS)
        message = (
            f"error: the command must be one of {names}. Received: {printable(argv[0])}{meant}"
        )
        print(message, file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    run_command(COMMANDS[argv[0]], f"wavegan-rc {argv[0]}", argv[1:])
