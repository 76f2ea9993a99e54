"""The words that settings and layers choose from, and the rules that bind them."""

from collections.abc import Sequence
from typing import Literal

from wavegan_rc.errors import ParameterError

Upsampler = Literal["transposed", "resize", "linear", "sinc", "subpixel"]
UPSAMPLERS: tuple[Upsampler, ...] = Upsampler.__args__

Padding = Literal["zeros", "reflect", "edge"]
PADDINGS: tuple[Padding, ...] = Padding.__args__

KernelInitializer = Literal["he", "linear_interpolation", "icnr"]
KERNEL_INITIALIZERS: tuple[KernelInitializer, ...] = KernelInitializer.__args__

OnNonfinite = Literal["stop", "rollback"]
ON_NONFINITE: tuple[OnNonfinite, ...] = OnNonfinite.__args__

ShortRecordings = Literal["skip", "pad"]
SHORT_RECORDINGS: tuple[ShortRecordings, ...] = ShortRecordings.__args__

Emphasis = Literal["none", "first_order", "whitening"]
EMPHASES: tuple[Emphasis, ...] = Emphasis.__args__

Precision = Literal["float32", "mixed_bfloat16", "auto"]
PRECISIONS: tuple[Precision, ...] = Precision.__args__

# Initializers that are made for one upsampler.
_SUITED: dict[KernelInitializer, Upsampler] = {
    "linear_interpolation": "transposed",
    "icnr": "subpixel",
}


def check_word(name: str, word: str, allowed: Sequence[str]) -> None:
    """Raise a ParameterError unless the word is one of those allowed."""
    if word not in allowed:
        raise ParameterError(f"{name} must be one of {', '.join(allowed)}. Received: {word}")


def per_stage(upsamplers: str | Sequence[str], stages: int) -> tuple[Upsampler, ...]:
    """The upsampler of each stage, from one word for all or one per stage.

    Raises:
        ParameterError: If a word is no upsampler, or there are neither one nor as many as stages.

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
    """The initializer where it suits the stage's upsampler, `he` elsewhere.

    Raises:
        ParameterError: If it is unknown, or suits no stage.

    Example:
        >>> initializers_per_stage("icnr", ("resize", "subpixel"))
        ('he', 'icnr')
    """
    check_word("kernel_initializer", initializer, KERNEL_INITIALIZERS)
    suited = _SUITED.get(initializer)
    if suited is not None and suited not in upsamplers:
        raise ParameterError(
            f"kernel_initializer {initializer} is for the upsampler {suited}, which no stage has. "
            f"Received: {' '.join(dict.fromkeys(upsamplers))}"
        )
    return tuple(initializer if suited in (None, word) else "he" for word in upsamplers)
