"""The `train` command."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import EXIT_BY_SIGNAL, line_of
from wavegan_rc.cli.progress import ProgressDisplay
from wavegan_rc.config import Config
from wavegan_rc.config.setting import shown
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.config.yaml_file import PRESETS, read_settings
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.runs.run import Run, config_as_yaml, similar_name

_EXAMPLES = (
    "--upsampler resize",
    "--config gpu --data path/to/recordings --cutoff-hz null",
    "--resume runs/001-resize --steps 12000",
)


def train_command(program: str, argv: Sequence[str]) -> int:
    """Train a generator; leave WAVs, figures and a table of its artifacts in a run folder."""
    parser = train_parser(program)
    flags = parser.parse(argv)
    for other in ("config", "name"):
        if flags.resume is not None and getattr(flags, other) is not None:
            raise ParameterError(
                f"--resume cannot be combined with --{other}: settings come from the run"
            )
    if flags.name in ("", "..") or (flags.name and Path(flags.name).name != flags.name):
        raise ParameterError(f"name must be that of one folder. Received: {shown(flags.name)}")
    config = _config(flags)
    if flags.print_config:
        print(config_as_yaml(config), end="")
        return 0
    from wavegan_rc.training.callbacks.trackers import Destinations

    return train_and_tell(
        config,
        resume=flags.resume,
        name=flags.name,
        destinations=Destinations(wandb=flags.wandb, mlflow=flags.mlflow),
        command_line=[program, *argv],
    )


def train_and_tell(config: Config, **options: Any) -> int:
    """Train, show the progress, and print how it ended; return the exit code."""
    from wavegan_rc.training.train import train
    from wavegan_rc.utils.interruptions import unbroken_streams

    with unbroken_streams():
        with ProgressDisplay() as display:
            run = train(config, on_progress=display.show, **options)
        if run.path.is_dir():  # that of another host's process is gone
            print(_how_it_stopped(run, config) if run.stopped_by else _how_it_ended(run, config))
            print(f"run: {run.path}", flush=True)
    return 0 if run.stopped_by is None else EXIT_BY_SIGNAL + run.stopped_by


def _how_it_stopped(run: Run, config: Config) -> str:
    step = newest_checkpoint(run.checkpoints).step
    return (
        f"stopped after step {step} of {config.steps}; a checkpoint and the generator are saved\n"
        f"to resume: {line_of('train')} --resume {run.path}\n"
        f"to listen: {line_of('generate')} {run.path}"
    )


def _how_it_ended(run: Run, config: Config) -> str:
    from wavegan_rc.training.health import format_findings
    from wavegan_rc.training.summary import read_summary

    lines = [
        f"Next: listen to {run.joined} beside {run.real_joined.name}; make more with "
        f"`{line_of('generate')} {run.path}`; compare it with a run of another upsampler: "
        f"`{line_of('report')} {run.path} RUN`."
    ]
    if run.summary.exists():  # unless its measurement failed, with a warning
        summary, stopband_hz = read_summary(run.summary), config.stopband_hz
        lines = [*summary.in_sentences(stopband_hz), *lines, "", summary.table(stopband_hz)]
    return "\n".join(["", *lines]) + format_findings(run.health)


def train_parser(program: str) -> Parser:
    """Return the parser of `train`: settings that are not given are absent from its result."""
    usage = "[--config FILE | --resume RUN] [--SETTING VALUE ...]"
    parser = Parser(program, train_command.__doc__, _EXAMPLES, usage)
    parser.flag(
        "config",
        Path | None,
        f"preset ({', '.join(PRESETS)}) or YAML file of settings; flags take precedence",
    )
    parser.flag(
        "resume", Path | None, "run folder to resume from its last checkpoint and its settings"
    )
    parser.switch("print_config", "print all settings as YAML and exit")
    for setting in SETTINGS.values():
        parser.declare(setting, default=argparse.SUPPRESS)
    parser.flag(
        "name",
        str | None,
        "name of the run folder",
        null="the next number and the upsampler",
        metavar="WORD",
        group="output",
    )
    parser.flag(
        "wandb",
        str | None,
        "project on Weights & Biases that also gets losses, artifacts and results (needs the extra "
        "`wandb`)",
        metavar="PROJECT",
        group="output",
    )
    parser.flag(
        "mlflow",
        str | None,
        "MLflow store that also gets losses, artifacts and results (needs the extra `mlflow`)",
        metavar="URI",
        group="output",
    )
    return parser


def _config(flags: argparse.Namespace) -> Config:
    """Return the settings from flags and file; an error names the file if its values take part."""
    resumed = None if flags.resume is None else Run(flags.resume)
    if resumed is not None and not resumed.path.is_dir():
        raise DataError(f"{resumed.path}: no such run folder{similar_name(resumed.path)}")
    file = flags.config if resumed is None else resumed.config
    in_file: Mapping[str, Any] = {} if file is None else read_settings(file)
    given = {name: getattr(flags, name) for name in SETTINGS if hasattr(flags, name)}
    try:
        config = Config(**{**in_file, **given})
    except ParameterError as error:
        words = set(re.findall(r"\w+", str(error)))
        named = words & (in_file.keys() - given.keys())
        raise ParameterError(f"{file}: {error}" if named else str(error)) from None
    earlier = None if resumed is None else resumed.read_config()
    return config if earlier is None else config.resumed(earlier)
