"""Every setting of a training run, declared once."""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any, get_type_hints

from wavegan_rc.config.choices import (
    Activation,
    AdversarialLoss,
    Architecture,
    Downsampling,
    Emphasis,
    KernelInitializer,
    OnNonfinite,
    Padding,
    Precision,
    ShortRecordings,
    Upsampler,
)
from wavegan_rc.config.setting import Setting

_MOST_STEPS = 2**31 - 1


def _setting(group: str, default: Any, description: str, unit: str = "", **declared: Any) -> Any:
    """Declare a setting by attributes of `Setting`."""
    metadata = {"group": group, "help": description, "unit": unit, **declared}
    return dataclasses.field(default=default, metadata=metadata)


_data = partial(_setting, "data", unfair=True)
_generator = partial(_setting, "generator")
_critic = partial(_setting, "critic")
_emphasis = partial(_setting, "critic", unfair=True)
_training = partial(_setting, "training")
_output = partial(_setting, "output", may_change=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Declared settings, without checks; `Config` adds the checks and derived values."""

    # The upper bounds are those of memory, time and random states, not of sensible experiments.
    data: str | None = _data(
        None,
        "training recordings: a folder (searched recursively), a glob, an audio file, or one of "
        "speech-commands, librispeech-dev-clean, ljspeech (downloaded)",
        null="bundled speech",
        unfair=False,  # judged by what the recordings hold, not by their path
    )
    sample_rate: int = _data(
        16000, "sampling rate that recordings are converted to", "Hz", low=1, high=10**6
    )
    cutoff_hz: float | None = _data(
        1500.0, "highest frequency that the low-pass on the recordings keeps", "Hz", above=0
    )
    segment_length: int = _data(
        2048, "length of one training segment", "samples", low=16, high=2**20
    )
    silence_db: float = _data(
        -40.0,
        "segments below this level are not drawn; relative to the RMS level of all recordings",
        "dB",
        high=0,
    )
    short_recordings: ShortRecordings = _data(
        "skip", "use of recordings shorter than a segment: skip, or pad with silence at the end"
    )
    one_shots: bool = _data(
        False, "draw only the first segment of each recording, each with equal probability"
    )

    upsampler: tuple[Upsampler, ...] = _generator(
        ("resize",),
        f"upsampling method, one for all stages or one each: {', '.join(Upsampler.__args__)}",
        count=(1, 20),
    )
    upsampling_factors: tuple[int, ...] = _generator(
        (2,) * 7, "upsampling factor of each stage", low=2, high=2**20, count=(1, 20), unfair=True
    )
    kernel_size: int = _generator(
        22, "length of kernels", "samples", low=1, high=2**16, unfair=True
    )
    architecture: Architecture = _generator(
        "plain", "kind of stages: plain, or residual (blocks of GAN-TTS)"
    )
    activation: Activation = _generator(
        "relu", "activation: relu, or anti_aliased_relu (ReLU at twice the rate, then a low-pass)"
    )
    pixel_norm: bool = _generator(
        False, "after each activation, divide the channels of a sample by their RMS"
    )
    padding: Padding = _generator("zeros", "padding of feature maps in convolutions")
    kernel_initializer: KernelInitializer = _generator(
        "he",
        "initial kernels: he (random), linear_interpolation (in transposed stages) or icnr (equal "
        "in all phases, in subpixel stages)",
    )
    use_bias: bool = _generator(True, "biases in all layers")
    post_filter_length: int = _generator(
        0,
        "length of a learned output filter",
        "samples",
        low=0,
        high=2**20,
        zero="none",
        unfair=True,
    )
    filters: int = _generator(
        64,
        "channels of the first feature map, halved by each stage, but at least 16",
        low=1,
        high=2**14,
        unfair=True,
    )
    critic_filters: int | None = _critic(
        None,
        "channels of the last feature map; each earlier layer has half as many, but at least 16",
        low=1,
        high=2**14,
        null="as filters",
        unfair=True,
    )
    critic_downsampling: Downsampling = _critic(
        "strided",
        "low-pass before each decimation: strided (none), average, blur (a triangle) or sinc",
    )
    minibatch_std: bool = _critic(
        False, "one more channel before the last convolution: the standard deviation over a batch"
    )
    latent_dim: int = _generator(64, "length of the latent vector", low=1, high=2**16, unfair=True)
    phase_shuffle_radius: int = _critic(
        2, "largest shift of phase shuffle", "samples", low=0, high=2**20, zero="none"
    )
    phase_shuffle_per_example: bool = _critic(
        False, "draw a phase-shuffle shift for each segment instead of each batch"
    )

    emphasis: Emphasis = _emphasis(
        "whitening",
        "filter before the critic: none, first_order (x[n] - emphasis_coefficient x[n-1]) or "
        "whitening (inverse of the training recordings' spectrum)",
    )
    emphasis_coefficient: float = _emphasis(
        0.95, "coefficient of the first_order filter", low=0, below=1
    )
    emphasis_limit_db: float = _emphasis(
        40.0, "largest gain of whitening, relative to the loudest frequency", "dB", low=0, high=100
    )

    steps: int = _training(
        5000, "generator updates", low=1, high=_MOST_STEPS, may_change=True, unfair=True
    )
    growing_steps: int = _training(
        0,
        "steps of each level of progressive growing but the last; a stage whose rate is 2 kHz or "
        "more is a level",
        low=0,
        high=_MOST_STEPS,
        zero="all stages train from the start",
    )
    batch_size: int = _training(16, "segments in each update", low=1, high=2**16, unfair=True)
    critic_steps: int = _training(
        2, "critic updates for each generator update", low=1, high=100, unfair=True
    )
    loss: AdversarialLoss = _training(
        "wgan_gp",
        "adversarial loss: wgan_gp, or relativistic (pairs of scores, gradients drawn to 0; R3GAN)",
    )
    gradient_penalty_weight: float = _training(
        10.0, "weight of the gradient penalty: lambda of wgan_gp, gamma of relativistic", low=0
    )
    penalty_every: int = _training(
        1,
        "interval between critic updates with the gradient penalty, whose weight it multiplies",
        "critic updates",
        low=1,
        high=1000,
    )
    learning_rate: float = _training(
        1e-3, "learning rate of the Adam optimizers at the first step", above=0
    )
    critic_learning_rate: float | None = _training(
        None,
        "learning rate of the critic's optimizer at the first step",
        above=0,
        null="as learning_rate",
    )
    decay_steps: int = _training(
        3000,
        "steps after which learning rates are half of the first; they fall as "
        "1 / (1 + step / decay_steps)",
        low=0,
        high=_MOST_STEPS,
        zero="constant",
    )
    equalized_learning_rate: bool = _training(
        False, "multiply each kernel's learning rate by the RMS of its initial values"
    )
    adam_betas: tuple[float, ...] = _training(
        (0.5, 0.9), "decay rates of both Adam optimizers", low=0, below=1, count=(2, 2)
    )
    precision: Precision = _training(
        "float32",
        "number format of convolutions: float32, mixed_bfloat16 (weights and losses stay float32) "
        "or auto (mixed_bfloat16 where the hardware supports it)",
        unfair=True,
    )
    # Random states hold 63 bits, and the networks' seeds follow this one.
    seed: int = _training(0, "seed of all random draws", low=0, high=2**62)
    devices: int = _training(
        1,
        "GPUs per host, or parts of its CPU, that share each batch",
        low=1,
        high=1024,
        may_change=True,
    )
    on_nonfinite: OnNonfinite = _training(
        "stop",
        "reaction to a loss, gradient or weight that is not finite: stop (exit code 3), or "
        "rollback to the last checkpoint with other random draws, at most 3 times",
        may_change=True,
    )

    out: str = _output("runs", "parent folder of the numbered run folder", may_change=False)
    sample_count: int = _output(64, "WAV files written at the end", low=1, high=10**6)
    log_every: int = _output(
        10,
        "initial interval between rows of the history; it grows in long runs",
        "steps",
        low=1,
        high=_MOST_STEPS,
    )
    measure_every: int = _output(
        100,
        "initial interval between measurements of artifacts; it grows in long runs",
        "steps",
        low=0,
        high=_MOST_STEPS,
        zero="never",
    )
    save_every: int = _output(
        500,
        "interval between checkpoints, and between TensorBoard images and audio",
        "steps",
        low=1,
        high=_MOST_STEPS,
    )


SETTINGS: dict[str, Setting] = {
    field.name: Setting(
        name=field.name,
        kind=get_type_hints(Settings)[field.name],
        default=field.default,
        **field.metadata,
    )
    for field in dataclasses.fields(Settings)
}
