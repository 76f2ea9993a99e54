"""The `train` command."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import EXIT_BY_SIGNAL, quiet_start
from wavegan_rc.config import Config
from wavegan_rc.config.setting import shown
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.config.yaml_file import read_settings
from wavegan_rc.errors import ParameterError
from wavegan_rc.runs.run import Run, config_as_yaml


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
    file = flags.config if flags.resume is None else Run(flags.resume).config
    config = _config(flags, {} if file is None else read_settings(file), file)
    if flags.resume is not None and (earlier := Run(flags.resume).read_config()) is not None:
        config = config.resumed(earlier)
    if flags.print_config:
        print(config_as_yaml(config), end="")
        return 0

    with quiet_start():
        from wavegan_rc.training.callbacks.trackers import Destinations
        from wavegan_rc.training.train import train
    folder, received = train(
        config,
        command_line=[program, *argv],
        resume=flags.resume,
        name=flags.name,
        destinations=Destinations(wandb=flags.wandb, mlflow=flags.mlflow),
    )
    if folder is not None:
        print(f"run: {folder}")
    return 0 if received is None else EXIT_BY_SIGNAL + received


def train_parser(program: str) -> Parser:
    """Return the parser of `train`: settings that are not given are absent from its result."""
    usage = f"{program} [--config FILE | --resume RUN] [--SETTING VALUE ...]"
    parser = Parser(program, train_command.__doc__, usage)
    parser.flag("config", Path | None, "YAML file of settings; flags take precedence")
    parser.flag(
        "resume", Path | None, "run folder to resume from its last checkpoint and its settings"
    )
    parser.flag(
        "name",
        str | None,
        "name of the run folder",
        null="the next number and the upsampler",
        metavar="WORD",
    )
    parser.flag(
        "wandb",
        str | None,
        "project on Weights & Biases that also gets losses, artifacts and results (needs the extra "
        "`wandb`)",
        metavar="PROJECT",
    )
    parser.flag(
        "mlflow",
        str | None,
        "MLflow store that also gets losses, artifacts and results (needs the extra `mlflow`)",
        metavar="URI",
    )
    parser.switch("print_config", "print all settings as YAML and exit")
    for setting in SETTINGS.values():
        parser.declare(setting, default=argparse.SUPPRESS)
    return parser


def _config(flags: argparse.Namespace, in_file: Mapping[str, Any], file: Path | None) -> Config:
    """Return the settings from flags and file; an error names the file if its values take part."""
    given = {name: getattr(flags, name) for name in SETTINGS if hasattr(flags, name)}
    try:
        return Config(**{**in_file, **given})
    except ParameterError as error:
        words = set(re.findall(r"\w+", str(error)))
        named = words & (in_file.keys() - given.keys())
        raise ParameterError(f"{file}: {error}" if named else str(error)) from None
