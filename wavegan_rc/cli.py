"""The command line: YAML and flags become a `Config`; the only module that knows the parser.

Nothing here imports TensorFlow or an audio library before the arguments are known to be good.
"""

import contextlib
import dataclasses
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

import wavegan_rc
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganError, WaveganWarning

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class _Parser(ArgumentParser):
    """A parser whose errors are one line and an exception, and which takes `--a_b` for `--a-b`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(exit_on_error=False, allow_abbrev=False, **kwargs)

    def parse_command_line(self, argv: Sequence[str]) -> Namespace:
        try:
            return self.parse_args([_with_hyphens(argument) for argument in argv])
        except ArgumentError as error:
            raise ParameterError(_one_line(error)) from None


def _with_hyphens(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def _one_line(error: Exception) -> str:
    """A parser's message without line breaks, in this package's words where a setting is named."""
    text = " ".join(str(error).split())
    # jsonargparse writes: Parser key "steps": Expected a <class 'int'>. Got value: x
    match = re.match(r'Parser key "(\w+)".*(?:Got|Given) value: (.*)$', text)
    return f"{match[1]} must be {_kind(match[1])}. Received: {match[2]}" if match else text


def _kind(name: str) -> str:
    """What values a setting takes, in words."""
    kind = (get_type_hints(Config) | {"count": int})[name]
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if kind in words:
        return words[kind]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is tuple:
        return "a list of whole numbers"
    return f"{words[get_args(kind)[0]]} or null"


def train_command(program: str, argv: Sequence[str]) -> int:
    """Train a generator; leave WAVs, pictures and a table of its artifacts in a run folder."""
    parser = _Parser(prog=program, description=train_command.__doc__)
    parser.add_argument(
        "--config", type=str, metavar="FILE", help="YAML file of settings; flags beat it"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the resolved settings as YAML and exit"
    )
    _add_settings(parser)
    flags = parser.parse_command_line(argv)
    in_file = {}
    if flags.config is not None:
        # The file's values become the defaults, so a flag wins wherever it stands.
        in_file = _read_config(Path(flags.config))
        parser.set_defaults(in_file)
        flags = parser.parse_command_line(argv)
    try:
        config = Config(**{field.name: flags[field.name] for field in dataclasses.fields(Config)})
    except ParameterError as error:
        named = any(str(error).startswith(key) and flags[key] == in_file[key] for key in in_file)
        raise ParameterError(f"{flags.config}: {error}" if named else str(error)) from None
    if flags.print_config:
        from wavegan_rc.training.run_directory import config_as_yaml

        print(config_as_yaml(config), end="")
        return 0

    with _quiet_start():
        from wavegan_rc.training.train import train
    run, interrupted = train(config, command_line=[program, *argv])
    print(f"run: {run}")
    return EXIT_INTERRUPTED if interrupted else 0


def _add_settings(parser: ArgumentParser) -> None:
    metavars = {int: "N", float: "X", str: "PATH"}
    for name, kind in get_type_hints(Config).items():
        field = Config.__dataclass_fields__[name]
        default: Any = field.default
        options: dict[str, Any] = {"type": kind, "default": default}
        if get_origin(kind) is tuple:
            kind, *_ = get_args(kind)
            options = {"type": kind, "nargs": "+", "default": [*default]}
        plain = kind if kind in metavars else next(iter(get_args(kind)), None)
        if plain in metavars:
            options["metavar"] = metavars[plain]
        parser.add_argument("--" + name.replace("_", "-"), help=field.metadata["help"], **options)


def _read_config(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, each of the right type; errors name the file and the key."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {_one_line(error)}") from None
    except yaml.YAMLError as error:
        raise DataError(f"{path}: {_one_line(error)}") from None
    if not isinstance(given, dict):
        raise DataError(f"{path}: must hold `setting: value` lines. Received: {given!r:.80}")
    parser = _Parser()
    _add_settings(parser)
    settings = {}
    for name, value in given.items():
        key = str(name).replace("-", "_")
        if key not in Config.__dataclass_fields__:
            raise DataError(f"{path}: unknown setting: {name}")
        kind = _kind(key)
        try:
            # The parser takes null for every setting.
            if value is None and "null" not in kind:
                raise TypeError
            settings[key] = parser.parse_object({key: value})[key]
        except (ArgumentError, TypeError):
            raise DataError(f"{path}: {key} must be {kind}. Received: {value!r}") from None
    return settings


def generate_command(program: str, argv: Sequence[str]) -> int:
    """Write WAVs from a run folder or a generator.keras, with the latents that made them."""
    parser = _Parser(prog=program, description=generate_command.__doc__)
    parser.add_argument("run", type=str, help="run folder or generator.keras file")
    parser.add_argument("--count", type=int, metavar="N", default=64, help="number of WAVs")
    parser.add_argument("--seed", type=int, metavar="N", default=0, help="fixes the latents")
    parser.add_argument(
        "--out",
        type=str,
        metavar="PATH",
        default="generated",
        help="folder for the WAVs, new or empty",
    )
    parser.add_argument(
        "--latents", type=str | None, metavar="FILE", help="latents.npz to recall (sets the count)"
    )
    parser.add_argument(
        "--interpolate",
        action="store_true",
        help="walk in --count steps from one latent to another (the first two of --latents)",
    )
    flags = parser.parse_command_line(argv)

    with _quiet_start():
        from wavegan_rc.generation import generate
    out = generate(
        Path(flags.run),
        Path(flags.out).expanduser(),
        count=flags.count,
        seed=flags.seed,
        latents_file=None if flags.latents is None else Path(flags.latents),
        interpolate=flags.interpolate,
    )
    print(f"wavs: {out}")
    return 0


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """Have Keras run on TensorFlow, and hold back what that prints while it starts.

    Its first lines (oneDNN, CUDA not found) are written before any log level is read, so only the
    file descriptor can be turned away. If loading fails they are shown; who sets
    TF_CPP_MIN_LOG_LEVEL sees them all.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise ParameterError(f"KERAS_BACKEND must be tensorflow. Received: {backend}")
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            import tensorflow

            tensorflow.config.list_physical_devices()
        except Exception:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


Command = Callable[[str, Sequence[str]], int]
COMMANDS: dict[str, Command] = {"train": train_command, "generate": generate_command}


def run_command(command: Command, program: str, argv: Sequence[str]) -> NoReturn:
    """Run one command and leave the process: the user's mistakes as one line and exit code 2.

    Args:
        command: One of `COMMANDS`.
        program: What help and the run's record call it.
        argv: Its arguments.
    """
    warnings.showwarning = _show_warning
    try:
        code = command(program, argv)
    except WaveganError as error:
        print(f"error: {error}", file=sys.stderr)
        code = EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = EXIT_INTERRUPTED
    sys.exit(code)


def main() -> NoReturn:
    """The `wavegan-rc` program: its first argument names the command."""
    names = "|".join(COMMANDS)
    argv = sys.argv[1:]
    if argv[:1] == ["--version"]:
        print(wavegan_rc.__version__)
        sys.exit(0)
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: wavegan-rc {names} [--help] ...")
        for name, command in COMMANDS.items():
            print(f"  {name:10} {command.__doc__}")
        sys.exit(0 if argv else EXIT_USER_ERROR)
    if argv[0] not in COMMANDS:
        print(f"error: the command must be one of {names}. Received: {argv[0]}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    run_command(COMMANDS[argv[0]], f"wavegan-rc {argv[0]}", argv[1:])


_show_any_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Our own warnings are for the user, in one line; others name the code they came from."""
    if issubclass(category, WaveganWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        _show_any_warning(message, category, *where)
