"""The words that settings and layers choose from."""

from typing import Literal

Upsampler = Literal["transposed", "resize", "linear", "sinc", "subpixel"]
UPSAMPLERS: tuple[Upsampler, ...] = Upsampler.__args__

Padding = Literal["zeros", "reflect", "edge"]
PADDINGS: tuple[Padding, ...] = Padding.__args__

KernelInitializer = Literal["he", "linear_interpolation", "icnr"]
KERNEL_INITIALIZERS: tuple[KernelInitializer, ...] = KernelInitializer.__args__
