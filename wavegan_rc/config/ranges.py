"""Ranges of the settings, so that none takes all memory or all time."""

import math
import os
import reprlib
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from wavegan_rc.errors import ParameterError

# Settings may come with somebody else's run: beyond these, what they ask for is no experiment.
_RANGES = {
    "sample_rate": (1, 10**6),
    "segment_length": (16, 2**20),
    "kernel_size": (1, 2**16),
    "filters": (1, 2**14),
    "critic_filters": (1, 2**14),
    "latent_dim": (1, 2**16),
    "post_filter_length": (0, 2**20),
    "phase_shuffle_radius": (0, 2**20),
    "steps": (1, 2**31 - 1),
    "batch_size": (1, 2**16),
    "critic_steps": (1, 100),  # each is a part of the graph
    "gradient_penalty_weight": (0, math.inf),
    "emphasis_limit_db": (0, 100),
    # Random states hold 63 bits, and the networks' seeds follow this one.
    "seed": (0, 2**62),
    "sample_count": (1, 10**6),
    "log_every": (1, 2**31 - 1),
    "measure_every": (0, 2**31 - 1),
    "save_every": (1, 2**31 - 1),
    "devices": (1, 1024),
}
_REAL = ("gradient_penalty_weight", "emphasis_limit_db")
# Each doubles the length at least.
_MOST_STAGES = 20
# 1 GiB. Training keeps each five times: gradient, average and Adam's two moments beside.
_MOST_WEIGHTS = 2**28
_CRITIC_KERNEL_SIZE = 25
# Of one feature map for all segments of a step: 16 GiB.
_MOST_VALUES = 2**32
_CHANNELS_NEAR_AUDIO = 16
# Letters of a value in a message.
_SHOWN = 80


def kind_in_words(kind: Any) -> str:
    """Describe the values of a type.

    Example:
        >>> kind_in_words(int | None), kind_in_words(tuple[float, ...])
        ('a whole number or null', 'a list of numbers')
    """
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if kind in words:
        return words[kind]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is tuple:
        element, *_ = get_args(kind)
        if element in (int, float):
            return f"a list of {'whole ' if element is int else ''}numbers"
        return f"one of {', '.join(get_args(element))}, or a list of them"
    return f"{words[get_args(kind)[0]]} or null"


def check_ranges(settings: Any) -> None:
    """Check types and ranges of all settings that bind no other.

    Raises:
        ParameterError: If one is out of its range.
    """
    _check_types(settings)
    _check_numbers(settings)
    _check_reals(settings)
    _check_paths(settings)


def _check_types(settings: Any) -> None:
    """Check that each attribute of a dataclass has the type that is annotated.

    A whole number serves as a real one. Words are left to `check_word`.

    Raises:
        ParameterError: If one has another type.

    Example:
        >>> from wavegan_rc.config import Config
        >>> Config(steps="5")
        Traceback (most recent call last):
            ...
        wavegan_rc.errors.ParameterError: steps must be a whole number. Received: '5'
    """
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if not _is_of(value, kind):
            raise ParameterError(f"{name} must be {kind_in_words(kind)}. Received: {_short(value)}")


def _is_of(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return isinstance(value, str)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_of(v, get_args(kind)[0]) for v in value)
    if get_origin(kind) is UnionType:
        return any(_is_of(value, each) for each in get_args(kind))
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return isinstance(value, kind)


def check_number(name: str, value: Any) -> None:
    """See that a setting lies in its range; most are whole numbers.

    Raises:
        ParameterError: If it does not.

    Example:
        >>> check_number("critic_steps", 1000)
        Traceback (most recent call last):
            ...
        wavegan_rc.errors.ParameterError: critic_steps must be at most 100. Received: 1000
    """
    low, high = _RANGES[name]
    # Written so that NaN fails too.
    if not low <= value < math.inf:
        rule = f"at least {low} and finite"
    elif value > high:
        rule = f"at most {high}"
    elif not _is_whole(value) and name not in _REAL:
        rule = "a whole number"
    else:
        return
    raise ParameterError(f"{name} must be {rule}. Received: {_short(value)}")


def _check_numbers(settings: Any) -> None:
    """Call `check_number` for all attributes that have a range.

    Raises:
        ParameterError: If one is out of it.
    """
    for name in _RANGES:
        if getattr(settings, name) is not None or name != "critic_filters":
            check_number(name, getattr(settings, name))


def _check_reals(settings: Any) -> None:
    """Check the settings that are real numbers with ranges of their own.

    Raises:
        ParameterError: If one is out of its range.
    """
    for name in ("learning_rate", "critic_learning_rate"):
        rate = getattr(settings, name)
        if rate is not None and not 0 < rate < math.inf:
            raise ParameterError(f"{name} must be positive and finite. Received: {rate}")
    if not -math.inf < settings.silence_db <= 0:
        raise ParameterError(
            f"silence_db must be finite and at most 0. Received: {settings.silence_db}"
        )
    betas, coefficient = settings.adam_betas, settings.emphasis_coefficient
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        received = " ".join(map(str, betas))
        raise ParameterError(
            f"adam_betas must be two numbers from 0 to below 1. Received: {_short(received)}"
        )
    if not 0 <= coefficient < 1:
        raise ParameterError(
            f"emphasis_coefficient must lie from 0 to below 1. Received: {coefficient}"
        )


def _check_paths(settings: Any) -> None:
    """Check that `data` and `out` can be names of files.

    Raises:
        ParameterError: If one cannot.
    """
    for name in ("data", "out"):
        path = getattr(settings, name)
        if path is not None and not _may_be_path(path):
            raise ParameterError(f"{name} must name a file or a folder. Received: {path!r}")


def check_factors(factors: tuple[int, ...], segment_length: int) -> None:
    """See that upsampling factors are some whole numbers, none above the segment's length.

    Raises:
        ParameterError: If they are not.
    """
    if (
        not 0 < len(factors) <= _MOST_STAGES
        or not all(map(_is_whole, factors))
        or not 2 <= min(factors) <= max(factors) <= segment_length
    ):
        raise ParameterError(
            f"upsampling_factors must be whole numbers from 2 to segment_length, {segment_length}, "
            f"one for each of at most {_MOST_STAGES} stages. Received: {_short(list(factors))}"
        )


def check_sizes(
    *,
    filters: int,
    kernel_size: int,
    latent_dim: int,
    initial_length: int,
    segment_length: int,
    batch_size: int,
    critic_steps: int,
) -> None:
    """See that the networks and what they make of a step's segments can be held at all.

    Args:
        filters: Channels of the generator's first feature map and of the critic's last.
        kernel_size: Of the generator, in samples.
        latent_dim: Length of the latent vector.
        initial_length: Samples in the generator's first feature map.
        segment_length: In samples.
        batch_size: Segments in each update.
        critic_steps: Critic updates in a step.

    Raises:
        ParameterError: If they cannot.
    """
    # Channels halve from stage to stage, so the first has most weights; the critic is alike.
    kernels = filters * filters * max(kernel_size, _CRITIC_KERNEL_SIZE)
    weights = filters * latent_dim * initial_length + kernels
    if weights > _MOST_WEIGHTS:
        raise ParameterError(
            f"filters {filters}, kernel_size {kernel_size}, latent_dim {latent_dim} and "
            f"segment_length {segment_length} must make networks of at most {_MOST_WEIGHTS:.1e} "
            f"weights. Received: about {weights:.1e}"
        )
    values = batch_size * critic_steps * segment_length * min(filters, _CHANNELS_NEAR_AUDIO)
    if values > _MOST_VALUES:
        raise ParameterError(
            f"batch_size {batch_size}, critic_steps {critic_steps} and segment_length "
            f"{segment_length} must make feature maps of at most {_MOST_VALUES:.1e} values. "
            f"Received: about {values:.1e}"
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _short(value: Any) -> str:
    """A value for a message, cut if it is long."""
    text = reprlib.repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _may_be_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text) != b""
    except UnicodeEncodeError:
        return False
