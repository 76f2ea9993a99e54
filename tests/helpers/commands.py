"""Commands as a program runs them."""

import pytest

from wavegan_rc.cli.process import run_command


def ended(command, argv, capsys, program="program"):
    """How a command ended: its exit code, its output and its errors."""
    with pytest.raises(SystemExit) as end:
        run_command(command, program, [str(word) for word in argv])
    printed = capsys.readouterr()
    return end.value.code, printed.out, printed.err
