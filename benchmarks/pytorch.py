"""The same networks and updates in PyTorch, written for speed there: channels first, no extras."""

# pyright: reportMissingImports=false
# PyTorch is an extra that only this benchmark needs.

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from wavegan_rc.config import Config
from wavegan_rc.nn.critic import KERNEL_SIZE, LEAKY_SLOPE, STRIDES, critic_widths
from wavegan_rc.nn.generator import generator_widths


class Stage(nn.Module):
    """`resize`: nearest upsampling, then a convolution; or a transposed convolution.

    Aligned as "same" in Keras: where PyTorch's padding, equal at both ends, gives a sample too
    many, it is left out.
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
        """From (batch, channels, time) to (batch, filters, time * factor)."""
        length = x.shape[-1] * self.factor
        if self.resize:
            x = functional.interpolate(x, scale_factor=self.factor, mode="nearest")
        return self.convolution(x)[..., self.first : self.first + length]


class Generator(nn.Module):
    """Like `build_generator`: (batch, latent_dim) to (batch, 1, samples)."""

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
        """Audio of latents."""
        x = self.dense(latents).view(-1, *self.shape)
        for stage in self.stages:
            x = stage(functional.relu(x))
        return torch.tanh(x.float())


class Critic(nn.Module):
    """Like `build_critic`, with time reversed: (batch, 1, samples) to (batch, 1).

    "same" of Keras has one zero more at the end (10 and 11), which equal padding cannot say but
    by a copy; read from end to start, the padding of 11 is the same.

    Args:
        config: Sizes.
        shuffle_by_index: Shift by reading at an index that is drawn on the device, so that a
            compiled step holds for every shift; otherwise by a slice and padding.
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
        """Shift all maps by one drawn number of samples, filling in by reflection."""
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
        """Scores of segments."""
        for layer, convolution in enumerate(self.convolutions, start=1):
            x = functional.leaky_relu(convolution(x), LEAKY_SLOPE)
            if self.radius and self.training and layer < len(self.convolutions):
                x = self.shuffle(x)
        return self.scores(x.flatten(1)).float()


def critic_loss(
    critic: Any, real: Any, fake: Any, mixing: Any, weight: float, functional: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of a critic update and its penalty.

    Args:
        critic: A `Critic`.
        real: Segments, shape (batch, 1, samples).
        fake: As many.
        mixing: Shape (batch, 1, 1).
        weight: Of the penalty.
        functional: Take the inner gradient by `torch.func.grad`: a compiler follows it, and then
            has to differentiate only once more, which is all it can do.
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
    """A step from segments of shape (critic_steps, batch, 1, samples) to the generator's loss.

    No moving average, no logs, no checks.

    Args:
        config: Sizes.
        generator: A `Generator`; it and the critic are on one device.
        critic: A `Critic`.
        bfloat16: Under autocast.
        backend: For `torch.compile`, of the losses with their gradients; None: eager.
    """
    device = next(critic.parameters()).device
    optimizers = [
        torch.optim.Adam(network.parameters(), rate, config.adam_betas, 1e-7, fused=True)
        for network, rate in zip((generator, critic), config.learning_rates, strict=True)
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
        of_critic = torch.compile(of_critic, backend=backend)
        of_generator = torch.compile(of_generator, backend=backend)
        fakes_of = torch.compile(fakes_of, backend=backend)

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
