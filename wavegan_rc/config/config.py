"""The settings of one run: the rules that bind them, and values derived from them."""

import dataclasses
import math
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any, Self

from wavegan_rc.config.choices import Upsampler, initializers_per_stage, per_stage
from wavegan_rc.config.setting import as_text
from wavegan_rc.config.settings import SETTINGS, Settings
from wavegan_rc.errors import ParameterError

# Distance from the highest frequency that the low-pass keeps to the lowest that it removes.
TRANSITION_HZ = 200.0
# Least rate at which progressive growing starts.
LOWEST_LEVEL_HZ = 2000
# Weights of a network: 1 GiB. Training holds five more arrays of this size: gradients, moving
# average and Adam's two moments.
_MOST_WEIGHTS = 2**28
_CRITIC_KERNEL_SIZE = 25
# Values of one feature map for all segments of a step: 16 GiB.
_MOST_VALUES = 2**32
_CHANNELS_NEAR_AUDIO = 16


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of one run. `train --help` lists each with its unit, range and default.

    Raises:
        ParameterError: If a value is out of range or two settings contradict each other.

    Example:
        >>> Config(segment_length=1024).initial_length
        8
        >>> Config(upsampling_factors=(2, 3))
        Traceback (most recent call last):
            ...
        wavegan_rc.errors.ParameterError: segment_length must be a multiple of the product of \
upsampling_factors, 2 x 3 = 6. Received: 2048
    """

    @classmethod
    def read(cls, file: str | Path, **changes: Any) -> Self:
        """Read settings from a preset, such as `gpu` or `smoke`, or from a YAML file.

        Args:
            file: Name of the preset, or path of the file.
            changes: Settings that replace those of the file.

        Raises:
            DataError: If the file cannot be read.
            ParameterError: If a value is out of range or two settings contradict each other.

        Example:
            >>> Config.read("gpu", upsampler="sinc").filters
            512
        """
        from wavegan_rc.config.yaml_file import read_settings

        return cls(**read_settings(file) | changes)

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            object.__setattr__(self, name, setting.check(getattr(self, name)))
        self._check_lengths()
        self._check_sizes()
        self._check_growing()
        initializers_per_stage(self.kernel_initializer, self.stage_upsamplers)
        if self.minibatch_std and self.loss == "relativistic":
            raise ParameterError(
                "minibatch_std must be false with loss relativistic, which scores real and "
                "generated segments in one batch. Received: true"
            )
        if self.batch_size % self.devices:
            raise ParameterError(
                f"batch_size must be a multiple of devices, {self.devices}. "
                f"Received: {self.batch_size}"
            )
        highest = self.sample_rate / 2 - TRANSITION_HZ
        if self.cutoff_hz is not None and self.cutoff_hz >= highest:
            raise ParameterError(
                f"cutoff_hz must be below {highest:g} Hz, {TRANSITION_HZ:g} Hz below half of "
                f"sample_rate ({self.sample_rate}). Received: {self.cutoff_hz}"
            )

    def _check_lengths(self) -> None:
        product = math.prod(self.upsampling_factors)
        if self.segment_length % product:
            factors = " x ".join(map(str, self.upsampling_factors))
            raise ParameterError(
                "segment_length must be a multiple of the product of upsampling_factors, "
                f"{factors} = {product}. Received: {self.segment_length}"
            )
        if self.post_filter_length > self.segment_length:
            raise ParameterError(
                f"post_filter_length must be at most segment_length, {self.segment_length}. "
                f"Received: {self.post_filter_length}"
            )

    def _check_growing(self) -> None:
        if not self.growing_steps:
            return
        if self.architecture != "plain" or self.levels == 1:
            raise ParameterError(
                "growing_steps must be 0 unless architecture is plain and two stages have a rate "
                f"of {LOWEST_LEVEL_HZ} Hz or more. Received: {self.growing_steps}"
            )

    def _check_sizes(self) -> None:
        """Check that the networks and a step's feature maps fit into memory."""
        filters = max(self.filters, self.critic_width)
        # Channels halve from stage to stage, so the first holds most weights; the critic is alike.
        kernels = filters * filters * max(self.kernel_size, _CRITIC_KERNEL_SIZE)
        weights = filters * self.latent_dim * self.initial_length + kernels
        if weights > _MOST_WEIGHTS:
            raise ParameterError(
                f"filters {filters}, kernel_size {self.kernel_size}, latent_dim {self.latent_dim} "
                f"and segment_length {self.segment_length} must make networks of at most "
                f"{_MOST_WEIGHTS:.1e} weights. Received: about {weights:.1e}"
            )
        segments = self.batch_size * self.critic_steps
        values = segments * self.segment_length * min(filters, _CHANNELS_NEAR_AUDIO)
        if values > _MOST_VALUES:
            raise ParameterError(
                f"batch_size {self.batch_size}, critic_steps {self.critic_steps} and "
                f"segment_length {self.segment_length} must make feature maps of at most "
                f"{_MOST_VALUES:.1e} values. Received: about {values:.1e}"
            )

    def resumed(self, run: "Config") -> "Config":
        """Return these settings for resuming a run, with its precision in place of `auto`.

        Args:
            run: Settings of the run. `data` may differ: its recordings are compared elsewhere.

        Raises:
            ParameterError: If a setting differs that changes the networks, the draws or the
                updates.

        Example:
            >>> Config(steps=4000, precision="auto").resumed(Config()).precision
            'float32'
            >>> Config(seed=1).resumed(Config())
            Traceback (most recent call last):
                ...
            wavegan_rc.errors.ParameterError: seed cannot change when resuming. Run: 0. Received: 1
        """
        precision = run.precision if self.precision == "auto" else self.precision
        config = dataclasses.replace(self, precision=precision)
        for name, setting in SETTINGS.items():
            before, now = getattr(run, name), getattr(config, name)
            if before != now and not setting.may_change and name != "data":
                raise ParameterError(
                    f"{name} cannot change when resuming. Run: {as_text(before)}. "
                    f"Received: {as_text(now)}"
                )
        return config

    def as_flags(self) -> list[str]:
        """Return the flags of `train` that give these settings, without defaults.

        Example:
            >>> Config(upsampler="sinc", cutoff_hz=None, seed=3).as_flags()
            ['--cutoff-hz=null', '--upsampler', 'sinc', '--seed=3']
        """
        flags = []
        for name, setting in SETTINGS.items():
            value = getattr(self, name)
            if value == setting.default:
                continue
            if setting.is_list:
                flags += [setting.flag, *map(as_text, value)]
            else:
                flags.append(f"{setting.flag}={as_text(value)}")
        return flags

    @property
    def initial_length(self) -> int:
        """Length of the generator's first feature map, before any upsampling, in samples."""
        return self.segment_length // math.prod(self.upsampling_factors)

    @property
    def levels(self) -> int:
        """Number of stages with an output of their own: 1 unless the generator grows.

        Example:
            >>> Config(growing_steps=500).levels  # 2, 4, 8 and 16 kHz
            4
        """
        ratios = accumulate(reversed(self.upsampling_factors[1:]), mul, initial=1)
        rates = [self.sample_rate / ratio for ratio in ratios]
        return sum(rate >= LOWEST_LEVEL_HZ for rate in rates) if self.growing_steps else 1

    @property
    def stage_upsamplers(self) -> tuple[Upsampler, ...]:
        """The upsampler of each stage."""
        return per_stage(self.upsampler, len(self.upsampling_factors))

    @property
    def critic_width(self) -> int:
        """Channels of the critic's last feature map."""
        return self.filters if self.critic_filters is None else self.critic_filters

    @property
    def upsampler_name(self) -> str:
        """The upsamplers used, as one word.

        Example:
            >>> Config(upsampler=("resize",) * 6 + ("linear",)).upsampler_name
            'resize+linear'
        """
        return "+".join(dict.fromkeys(self.upsampler))

    @property
    def stopband_hz(self) -> float | None:
        """Frequency above which the low-pass leaves nothing, in Hz; None without a low-pass."""
        return None if self.cutoff_hz is None else self.cutoff_hz + TRANSITION_HZ
