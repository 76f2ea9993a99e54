"""The `train` command."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from wavegan_rc.cli.process import EXIT_BY_SIGNAL, quiet_start
from wavegan_rc.cli.settings import Parser, add_settings, read_config
from wavegan_rc.config import Config
from wavegan_rc.config.yaml_file import shown
from wavegan_rc.errors import ParameterError
from wavegan_rc.runs.run import Run


def train_command(program: str, argv: Sequence[str]) -> int:
    """Train a generator; leave WAVs, pictures and a table of its artifacts in a run folder."""
    parser = Parser(prog=program, description=train_command.__doc__)
    parser.add_argument(
        "--config", type=str, metavar="FILE", help="YAML file of settings; flags beat it"
    )
    parser.add_argument(
        "--resume",
        type=str,
        metavar="RUN",
        help="run folder to go on with, from its last checkpoint; its settings are the defaults",
    )
    parser.add_argument(
        "--name",
        type=str | None,
        metavar="WORD",
        help="of the run folder; null: the next number and the upsampler",
    )
    parser.add_argument(
        "--wandb",
        type=str | None,
        metavar="PROJECT",
        help="send losses, artifacts and results to Weights & Biases too (extra `wandb`)",
    )
    parser.add_argument(
        "--mlflow",
        type=str | None,
        metavar="URI",
        help="send losses, artifacts and results to an MLflow store too (extra `mlflow`)",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the resolved settings as YAML and exit"
    )
    add_settings(parser)
    flags = parser.parse_command_line(argv)
    for other in ("config", "name"):
        if flags.resume is not None and flags[other] is not None:
            raise ParameterError(f"resume takes all from the run: give no {other} beside it")
    if flags.name in ("", "..") or (flags.name and Path(flags.name).name != flags.name):
        raise ParameterError(f"name must be that of one folder. Received: {shown(flags.name)}")
    run = None if flags.resume is None else Path(flags.resume).expanduser()
    file = flags.config if run is None else Run(run).config
    in_file = {}
    if file is not None:
        # The file's values become the defaults, so a flag wins wherever it stands.
        in_file = read_config(Path(file).expanduser())
        parser.set_defaults(in_file)
        flags = parser.parse_command_line(argv)
    config = _config(flags, in_file, file)
    earlier = None if run is None else Run(run).read_config()
    if earlier is not None:
        config = config.going_on(earlier)
        config.check_goes_on(earlier)
    if flags.print_config:
        from wavegan_rc.runs.run import config_as_yaml

        print(config_as_yaml(config), end="")
        return 0

    with quiet_start():
        from wavegan_rc.training.callbacks.trackers import Destinations
        from wavegan_rc.training.train import train
    folder, received = train(
        config,
        command_line=[program, *argv],
        resume=run,
        name=flags.name,
        destinations=Destinations(wandb=flags.wandb, mlflow=flags.mlflow),
    )
    if folder is not None:
        print(f"run: {folder}")
    return 0 if received is None else EXIT_BY_SIGNAL + received


def _config(flags: Namespace, in_file: Mapping[str, Any], file: str | Path | None) -> Config:
    """The settings that flags and file make; an error names the file if the value is from it."""
    try:
        return Config(**{field.name: flags[field.name] for field in dataclasses.fields(Config)})
    except ParameterError as error:
        words = re.findall(r"\w+", str(error))
        named = any(key in words and repr(flags[key]) == repr(in_file[key]) for key in in_file)
        raise ParameterError(f"{file}: {error}" if named else str(error)) from None
