"""The same networks and updates in PyTorch, written for its speed, and their timing."""

# pyright: reportMissingImports=false
# PyTorch is an extra that only benchmarks need.

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.timing import Visit, timed
from wavegan_rc.config import Config
from wavegan_rc.nn.critic import KERNEL_SIZE, LEAKY_SLOPE, STRIDES, critic_widths
from wavegan_rc.nn.generator import generator_widths
from wavegan_rc.utils.cores import usable_cores


class Stage(nn.Module):
    """Nearest-neighbour upsampling and a convolution (`resize`), or a transposed convolution.

    The output is aligned as with "same" in Keras. PyTorch pads both ends equally, which can give
    one extra sample; it is dropped.
    """

    def __init__(
        self, upsampler: str, channels: int, filters: int, kernel_size: int, factor: int
    ) -> None:
        super().__init__()
        self.resize, self.factor = upsampler == "resize", factor
        if self.resize:
            self.first = (kernel_size + 1) % 2
            self.convolution = nn.Conv1d(channels, filters, kernel_size, padding=kernel_size // 2)
        else:
            self.first, left = 0, max(kernel_size - factor, 0) // 2
            self.convolution = nn.ConvTranspose1d(
                channels, filters, kernel_size, factor, padding=left
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, time) to (batch, filters, time * factor)."""
        length = x.shape[-1] * self.factor
        if self.resize:
            x = functional.interpolate(x, scale_factor=self.factor, mode="nearest")
        return self.convolution(x)[..., self.first : self.first + length]


class Generator(nn.Module):
    """The network of `build_generator`, from (batch, latent_dim) to (batch, 1, samples)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.shape = (config.filters, config.initial_length)
        self.dense = nn.Linear(config.latent_dim, config.filters * config.initial_length)
        factors, upsamplers = config.upsampling_factors, config.stage_upsamplers
        channels, stages = config.filters, []
        widths = generator_widths(len(factors), config.filters)
        for factor, filters, upsampler in zip(factors, widths, upsamplers, strict=True):
            stages.append(Stage(upsampler, channels, filters, config.kernel_size, factor))
            channels = filters
        self.stages = nn.ModuleList(stages)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Map latents to audio."""
        x = self.dense(latents).view(-1, *self.shape)
        for stage in self.stages:
            x = stage(functional.relu(x))
        return torch.tanh(x.float())


class Critic(nn.Module):
    """The network of `build_critic` with time reversed, from (batch, 1, samples) to (batch, 1).

    "same" in Keras pads 10 zeros at the start and 11 at the end. PyTorch pads both ends equally;
    unequal padding would need a copy. With time reversed, a padding of 11 gives the same result.

    It shuffles by a slice and padding, or by gathering at indices drawn on the device, so that one
    compiled step serves every shift.
    """

    def __init__(self, config: Config, shuffle_by_index: bool = False) -> None:
        super().__init__()
        self.radius, self.shuffle_by_index = config.phase_shuffle_radius, shuffle_by_index
        widths = critic_widths(config.segment_length, config.critic_width)
        padding = (KERNEL_SIZE - STRIDES + 1) // 2
        self.convolutions = nn.ModuleList(
            nn.Conv1d(channels, filters, KERNEL_SIZE, STRIDES, padding=padding)
            for channels, filters in zip([1, *widths], widths, strict=False)
        )
        self.scores = nn.Linear(widths[-1] * config.segment_length // STRIDES ** len(widths), 1)
        self.scores.register_parameter("bias", None)

    def shuffle(self, x: torch.Tensor) -> torch.Tensor:
        """Shift all maps by one random number of samples, with reflection at the ends."""
        length, last = x.shape[-1], x.shape[-1] - 1
        if self.shuffle_by_index:
            shift = torch.randint(-self.radius, self.radius + 1, (1,), device=x.device)
            index = torch.arange(length, device=x.device) + shift
            return x.index_select(2, last - (last - index.abs()).abs())
        shift = int(torch.randint(-self.radius, self.radius + 1, (1,)))
        if shift == 0:
            return x
        kept = x[..., max(shift, 0) : length + min(shift, 0)]
        return functional.pad(kept, (max(-shift, 0), max(shift, 0)), mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map segments to scores."""
        for layer, convolution in enumerate(self.convolutions, start=1):
            x = functional.leaky_relu(convolution(x), LEAKY_SLOPE)
            if self.radius and self.training and layer < len(self.convolutions):
                x = self.shuffle(x)
        return self.scores(x.flatten(1)).float()


def critic_loss(
    critic: Any, real: Any, fake: Any, mixing: Any, weight: float, functional: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of a critic update and its penalty, of segments (batch, 1, samples).

    The functional inner gradient, `torch.func.grad`, is one that PyTorch's compiler can follow; it
    then differentiates only once, as it must.
    """
    mixed = torch.lerp(fake, real, mixing)
    if functional:
        gradients = torch.func.grad(lambda x: critic(x).sum())(mixed)
    else:
        mixed.requires_grad_()
        (gradients,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    norms = (gradients.float().square().sum(dim=(1, 2)) + 1e-12).sqrt()
    penalty = (norms - 1).square().mean()
    distance = critic(real).mean() - critic(fake).mean()
    return weight * penalty - distance, penalty


def pytorch_step(
    config: Config, generator: Generator, critic: Critic, bfloat16: bool, backend: str | None = None
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a step that maps segments to the generator's loss.

    Segments have shape (critic_steps, batch, 1, samples). The step has no moving average, no logs
    and no checks. A backend of `torch.compile` compiles losses and gradients; None means eager.
    """
    device = next(critic.parameters()).device
    optimizers = [
        torch.optim.Adam(network.parameters(), rate, config.adam_betas, 1e-7, fused=True)
        for network, rate in (
            (generator, config.learning_rate),
            (critic, config.critic_learning_rate or config.learning_rate),
        )
    ]
    shape = (config.batch_size, config.latent_dim)
    weight = config.gradient_penalty_weight

    def of_critic(real: Any, fake: Any, mixing: Any) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return critic_loss(critic, real, fake, mixing, weight, backend is not None)[0]

    def of_generator(latents: Any) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return -critic(generator(latents)).mean()

    def fakes_of(latents: Any) -> torch.Tensor:
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return generator(latents)

    if backend is not None:
        # One compilation for any number of threads: it takes half a minute on two cores.
        options = {"cpp.dynamic_threads": True} if backend == "inductor" else None
        of_critic, of_generator, fakes_of = (
            torch.compile(each, backend=backend, options=options)
            for each in (of_critic, of_generator, fakes_of)
        )

    def update(loss: torch.Tensor, network: nn.Module, optimizer: Any) -> None:
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()

    def latents() -> torch.Tensor:
        return torch.rand(shape, device=device) * 2 - 1

    def step(segments: torch.Tensor) -> torch.Tensor:
        for real in segments:
            mixing = torch.rand((config.batch_size, 1, 1), device=device)
            update(of_critic(real, fakes_of(latents()), mixing), critic, optimizers[1])
        loss = of_generator(latents())
        update(loss, generator, optimizers[0])
        return loss.detach()

    return step


def step_visit(
    backend: str | None, config: Config, precision: str, segments: np.ndarray, steps: int
) -> Visit:
    """Time steps, eager or compiled by a backend of `torch.compile`."""
    device = _set_up(precision)
    generator = Generator(config).to(device)
    critic = Critic(config, shuffle_by_index=backend is not None).to(device)
    step = pytorch_step(config, generator, critic, precision == "mixed_bfloat16", backend)
    real = torch.from_numpy(np.ascontiguousarray(segments.transpose(1, 0, 3, 2))).to(device)
    return _with_best_threads(lambda: step(real).item(), steps)


def product_visit(size: int, precision: str, count: int) -> Visit:
    """Time a matrix product, one of `count` in a row."""
    device = _set_up(precision)
    dtype = torch.bfloat16 if precision == "mixed_bfloat16" else torch.float32
    left, right = (torch.randn((size, size), device=device, dtype=dtype) for _ in range(2))
    right /= size**0.5  # with this scale, products keep the size of the first factor

    def multiply() -> float:
        product = left
        for _ in range(count):
            product = product @ right
        return product[0, 0].item()

    visit = _with_best_threads(multiply, 3)
    return lambda: [seconds / count for seconds in visit()]


def _set_up(precision: str) -> torch.device:
    """Return the device, set to compute float32 with or without TF32."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.backends.cudnn.benchmark = True  # a search for the fastest convolutions
    return torch.device("cuda")


def _with_best_threads(step: Callable[[], Any], steps: int) -> Visit:
    """Time steps with the number of threads that a short trial finds fastest."""
    cores = usable_cores()
    counts = sorted({1, max(cores // 2, 1), cores})
    trials = {}
    for count in counts[-1:] if torch.cuda.is_available() else counts:
        torch.set_num_threads(count)
        trials[count] = statistics.median(timed(step, steps))
    threads = min(trials, key=lambda count: trials[count])

    def visit() -> list[float]:
        torch.set_num_threads(threads)
        return timed(step, steps)

    return visit
