"""Words that settings and layers choose from, and the rules for upsamplers of several stages."""

from collections.abc import Sequence
from typing import Literal

from wavegan_rc.errors import ParameterError
from wavegan_rc.utils.text import did_you_mean

Upsampler = Literal["transposed", "resize", "linear", "sinc", "subpixel"]
UPSAMPLERS: tuple[Upsampler, ...] = Upsampler.__args__

Downsampling = Literal["strided", "average", "blur", "sinc"]
DOWNSAMPLINGS: tuple[Downsampling, ...] = Downsampling.__args__

Padding = Literal["zeros", "reflect", "edge"]
PADDINGS: tuple[Padding, ...] = Padding.__args__

Architecture = Literal["plain", "residual"]
ARCHITECTURES: tuple[Architecture, ...] = Architecture.__args__
Activation = Literal["relu", "anti_aliased_relu"]
ACTIVATIONS: tuple[Activation, ...] = Activation.__args__

AdversarialLoss = Literal["wgan_gp", "relativistic"]
KernelInitializer = Literal["he", "linear_interpolation", "icnr"]
OnNonfinite = Literal["stop", "rollback"]
ShortRecordings = Literal["skip", "pad"]
Emphasis = Literal["none", "first_order", "whitening"]
Precision = Literal["float32", "mixed_bfloat16", "auto"]

# Initializers that are made for one upsampler.
_UPSAMPLER_OF: dict[KernelInitializer, Upsampler] = {
    "linear_interpolation": "transposed",
    "icnr": "subpixel",
}


def check_word(name: str, word: str, allowed: Sequence[str]) -> None:
    """Raise a ParameterError unless the word is one of those allowed."""
    if word not in allowed:
        raise ParameterError(
            f"{name} must be one of {', '.join(allowed)}. Received: {word}"
            f"{did_you_mean(word, allowed)}"
        )


def per_stage(upsamplers: str | Sequence[str], stages: int) -> tuple[Upsampler, ...]:
    """Return the upsampler of each stage, given one word for all stages or one per stage.

    Raises:
        ParameterError: If a word is not an upsampler, or their number is wrong.

    Example:
        >>> per_stage("resize", 2), per_stage(["linear", "sinc"], 2)
        (('resize', 'resize'), ('linear', 'sinc'))
    """
    words = (upsamplers,) if isinstance(upsamplers, str) else tuple(upsamplers)
    for word in words:
        check_word("upsampler", word, UPSAMPLERS)
    if len(words) not in (1, stages):
        raise ParameterError(
            f"upsampler must be one word, or one per stage ({stages}). "
            f"Received: {' '.join(words) or 'none'}"
        )
    every: tuple[Upsampler, ...] = words * (stages if len(words) == 1 else 1)  # pyright: ignore
    return every


def initializers_per_stage(
    initializer: KernelInitializer, upsamplers: Sequence[Upsampler]
) -> tuple[KernelInitializer, ...]:
    """Return the initializer for stages whose upsampler it suits, `he` for the others.

    Raises:
        ParameterError: If the initializer is unknown or suits no stage.

    Example:
        >>> initializers_per_stage("icnr", ("resize", "subpixel"))
        ('he', 'icnr')
    """
    check_word("kernel_initializer", initializer, KernelInitializer.__args__)
    suited = _UPSAMPLER_OF.get(initializer)
    if suited is not None and suited not in upsamplers:
        raise ParameterError(
            f"kernel_initializer {initializer} needs a stage with the upsampler {suited}. "
            f"Received: {' '.join(dict.fromkeys(upsamplers))}"
        )
    return tuple(initializer if suited in (None, word) else "he" for word in upsamplers)
