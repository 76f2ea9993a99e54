"""Train audio WGAN-GPs with interchangeable upsamplers and measure the artifacts they leave.

The names below are the public API. They are imported when they are first used, so that importing
the package loads neither TensorFlow nor an audio library. Keras starts on TensorFlow, or on JAX
where TensorFlow is not installed, unless KERAS_BACKEND chooses.

Example:
    >>> import wavegan_rc
    >>> wavegan_rc.Config(upsampler="transposed").stage_upsamplers[0]
    'transposed'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wavegan_rc.config import Config as Config
    from wavegan_rc.figures.artifact_figures import artifact_figure as artifact_figure
    from wavegan_rc.figures.drawing import spectrogram_figure as spectrogram_figure
    from wavegan_rc.generator.file import load_generator as load_generator
    from wavegan_rc.generator.generation import generate as generate
    from wavegan_rc.measurement.measure import compare as compare
    from wavegan_rc.measurement.measure import measure as measure
    from wavegan_rc.nn.critic import build_critic as build_critic
    from wavegan_rc.nn.generator import build_generator as build_generator
    from wavegan_rc.nn.phase_shuffle import PhaseShuffle as PhaseShuffle
    from wavegan_rc.nn.upsampling import UpsampleConv1D as UpsampleConv1D
    from wavegan_rc.report.write import write_report as write_report
    from wavegan_rc.runs.run import Run as Run
    from wavegan_rc.spectrogram import predicted_comb as predicted_comb
    from wavegan_rc.training.train import train as train
    from wavegan_rc.training.wgan_gp import WGANGP as WGANGP

__version__ = "0.2.0"

_HOMES = {
    "Config": "config",
    "PhaseShuffle": "nn.phase_shuffle",
    "Run": "runs.run",
    "UpsampleConv1D": "nn.upsampling",
    "WGANGP": "training.wgan_gp",
    "artifact_figure": "figures.artifact_figures",
    "build_critic": "nn.critic",
    "build_generator": "nn.generator",
    "compare": "measurement.measure",
    "generate": "generator.generation",
    "load_generator": "generator.file",
    "measure": "measurement.measure",
    "predicted_comb": "spectrogram",
    "spectrogram_figure": "figures.drawing",
    "train": "training.train",
    "write_report": "report.write",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
