"""Every setting of a training run, with its default, its unit and the rules that bind them."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from wavegan_rc.config.choices import (
    EMPHASES,
    ON_NONFINITE,
    PADDINGS,
    PRECISIONS,
    SHORT_RECORDINGS,
    Emphasis,
    KernelInitializer,
    OnNonfinite,
    Padding,
    Precision,
    ShortRecordings,
    Upsampler,
    check_word,
    initializers_per_stage,
    per_stage,
)
from wavegan_rc.config.ranges import check_factors, check_ranges, check_sizes
from wavegan_rc.errors import ParameterError

# The low-pass needs room between the last frequency it keeps and the first it removes.
TRANSITION_HZ = 200.0


def _setting(default: Any, description: str, *, may_change: bool = False) -> Any:
    """A field whose description serves `--help`; `Config` is the one place to state a setting.

    What may change does not alter what is trained on what: a run can go on with another value.
    """
    return dataclasses.field(
        default=default, metadata={"help": description, "may_change": may_change}
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one run; the field descriptions are the text of `train.py --help`.

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

    data: str | None = _setting(
        None,
        "folder (searched recursively), glob or audio file, or speech-commands, "
        "librispeech-dev-clean, ljspeech (downloaded); null: the bundled speech",
    )
    sample_rate: int = _setting(16000, "rate that recordings are resampled to, in Hz")
    cutoff_hz: float | None = _setting(
        1500.0, "highest frequency that the low-pass keeps, in Hz; null: no low-pass"
    )
    segment_length: int = _setting(2048, "length of one training example, in samples")
    silence_db: float = _setting(
        -40.0, "segments quieter than this are not drawn, in dB relative to the corpus's RMS level"
    )
    short_recordings: ShortRecordings = _setting(
        "skip",
        "recordings shorter than a segment: skip, or pad: draw them from their start, followed by "
        "silence, as often as their duration says",
    )
    one_shots: bool = _setting(
        False, "draw each recording, long or short, only from its start, all equally often"
    )

    upsampler: tuple[Upsampler, ...] = _setting(
        ("resize",), "how the generator raises the sampling rate: one word, or one per stage"
    )
    upsampling_factors: tuple[int, ...] = _setting(
        (2, 2, 2, 2, 2, 2, 2), "upsampling factor of each generator stage"
    )
    kernel_size: int = _setting(22, "length of the generator's kernels, in samples")
    padding: Padding = _setting(
        "zeros", "what the generator's convolutions see beyond the ends of feature maps"
    )
    kernel_initializer: KernelInitializer = _setting(
        "he",
        "how the generator's kernels start: random (he), interpolating (linear_interpolation, in "
        "transposed stages) or equal in all phases (icnr, in subpixel stages)",
    )
    use_bias: bool = _setting(True, "biases in the generator")
    post_filter_length: int = _setting(
        0, "taps of a learned filter after the generator's tanh; 0: none"
    )
    filters: int = _setting(
        64,
        "channels of the generator's first feature map (halved by each stage) "
        "and of the critic's last (doubled by each layer); never below 16",
    )
    critic_filters: int | None = _setting(
        None, "channels of the critic's last feature map; null: as many as filters"
    )
    latent_dim: int = _setting(64, "length of the latent vector")
    phase_shuffle_radius: int = _setting(2, "largest phase-shuffle shift, in samples; 0: none")
    phase_shuffle_per_example: bool = _setting(
        False, "draw a shift for each example instead of one for the batch"
    )

    emphasis: Emphasis = _setting(
        "whitening",
        "filter through which the critic hears real and generated segments: first_order "
        "(x[n] - emphasis_coefficient x[n-1]) or whitening (the inverse of the training "
        "recordings' spectrum); generated audio is never filtered",
    )
    emphasis_coefficient: float = _setting(0.95, "coefficient of first_order, from 0 to below 1")
    emphasis_limit_db: float = _setting(
        40.0, "largest gain of whitening, relative to its gain at the loudest frequency, in dB"
    )

    steps: int = _setting(6000, "generator updates", may_change=True)
    batch_size: int = _setting(16, "segments in each update")
    critic_steps: int = _setting(2, "critic updates before each generator update")
    gradient_penalty_weight: float = _setting(10.0, "weight (lambda) of the gradient penalty")
    learning_rate: float = _setting(4e-4, "learning rate of both Adam optimizers")
    critic_learning_rate: float | None = _setting(
        None, "learning rate of the critic's Adam optimizer; null: learning_rate"
    )
    adam_betas: tuple[float, ...] = _setting(
        (0.5, 0.9), "decay rates of both Adam optimizers' first and second moment"
    )
    precision: Precision = _setting(
        "float32",
        "of the convolutions in training: float32, mixed_bfloat16 (weights, losses, penalty and "
        "audio stay float32), or auto: mixed_bfloat16 where the device is made for it",
    )
    seed: int = _setting(0, "fixes the initial weights, the data order and all random draws")

    devices: int = _setting(
        1,
        "GPUs of each host (or parts of its CPU) that share each batch",
        may_change=True,
    )
    on_nonfinite: OnNonfinite = _setting(
        "stop",
        "what to do when a loss or gradient is not finite: stop (exit code 3), or rollback: go on "
        "from the last checkpoint with other random draws, at most 3 times",
        may_change=True,
    )

    out: str = _setting("runs", "folder in which the numbered run folder is made")
    sample_count: int = _setting(64, "WAV files written at the end", may_change=True)
    log_every: int = _setting(
        10,
        "steps between lines of the history; from 1000 lines on, more with each doubling",
        may_change=True,
    )
    measure_every: int = _setting(
        100,
        "steps between measurements of artifacts, more after 1000 of them; 0: never",
        may_change=True,
    )
    save_every: int = _setting(
        500,
        "steps between checkpoints, and pictures and audio for TensorBoard, more after 100 of them",
        may_change=True,
    )

    def __post_init__(self) -> None:
        # A list from YAML or argparse would make the frozen config unhashable.
        for name in ("upsampling_factors", "adam_betas", "upsampler"):
            value = getattr(self, name)
            if isinstance(value, list | str):
                value = (value,) if isinstance(value, str) else tuple(value)
                object.__setattr__(self, name, value)
        check_ranges(self)
        self._check_lengths()
        if self.batch_size % self.devices:
            raise ParameterError(
                f"batch_size must be a multiple of devices, {self.devices}. "
                f"Received: {self.batch_size}"
            )
        self._check_words()
        self._check_cutoff()

    @property
    def initial_length(self) -> int:
        """Samples in the generator's first feature map, before any upsampling."""
        return self.segment_length // math.prod(self.upsampling_factors)

    def check_goes_on(self, earlier: "Config") -> None:
        """See that a run that began with other settings can go on with these.

        Raises:
            ParameterError: If a setting differs that changes the networks, the draws or updates.

        Example:
            >>> Config(steps=4000).check_goes_on(Config())
            >>> Config(seed=1).check_goes_on(Config())
            Traceback (most recent call last):
                ...
            wavegan_rc.errors.ParameterError: seed cannot change in a run, being 0. Received: 1
        """
        for field in dataclasses.fields(self):
            before, now = getattr(earlier, field.name), getattr(self, field.name)
            if field.name == "data":  # may have moved; what it holds is compared later
                continue
            if before != now and not field.metadata["may_change"]:
                raise ParameterError(
                    f"{field.name} cannot change in a run, being {before}. Received: {now}"
                )

    def going_on(self, earlier: "Config") -> "Config":
        """These settings for a run that has begun: `auto` is what it stood for there.

        Example:
            >>> Config(precision="auto").going_on(Config(precision="float32")).precision
            'float32'
        """
        if self.precision != "auto":
            return self
        return dataclasses.replace(self, precision=earlier.precision)

    @property
    def stage_upsamplers(self) -> tuple[Upsampler, ...]:
        """The upsampler of each stage."""
        return per_stage(self.upsampler, len(self.upsampling_factors))

    @property
    def critic_width(self) -> int:
        """Channels of the critic's last feature map."""
        return self.filters if self.critic_filters is None else self.critic_filters

    @property
    def learning_rates(self) -> tuple[float, float]:
        """Learning rates of the generator's and of the critic's optimizer."""
        return self.learning_rate, self.critic_learning_rate or self.learning_rate

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

    def _check_words(self) -> None:
        check_word("padding", self.padding, PADDINGS)
        check_word("emphasis", self.emphasis, EMPHASES)
        check_word("short_recordings", self.short_recordings, SHORT_RECORDINGS)
        check_word("on_nonfinite", self.on_nonfinite, ON_NONFINITE)
        check_word("precision", self.precision, PRECISIONS)
        initializers_per_stage(self.kernel_initializer, self.stage_upsamplers)

    def _check_lengths(self) -> None:
        if self.post_filter_length > self.segment_length:
            raise ParameterError(
                f"post_filter_length must be at most segment_length, {self.segment_length}. "
                f"Received: {self.post_filter_length}"
            )
        factors = self.upsampling_factors
        check_factors(factors, self.segment_length)
        if self.segment_length % math.prod(factors):
            product = f"{' x '.join(map(str, factors))} = {math.prod(factors)}"
            raise ParameterError(
                "segment_length must be a multiple of the product of upsampling_factors, "
                f"{product}. Received: {self.segment_length}"
            )

        check_sizes(
            filters=max(self.filters, self.critic_width),
            kernel_size=self.kernel_size,
            latent_dim=self.latent_dim,
            initial_length=self.initial_length,
            segment_length=self.segment_length,
            batch_size=self.batch_size,
            critic_steps=self.critic_steps,
        )

    def _check_cutoff(self) -> None:
        if self.cutoff_hz is None:
            return
        highest = self.sample_rate / 2 - TRANSITION_HZ
        if not 0 < self.cutoff_hz < highest:
            raise ParameterError(
                f"cutoff_hz must lie between 0 and {highest:g} Hz, {TRANSITION_HZ:g} Hz below half "
                f"of sample_rate ({self.sample_rate}). Received: {self.cutoff_hz}"
            )
