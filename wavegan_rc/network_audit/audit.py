"""Audit the networks of a run, or a single generator, and write the results."""

import warnings
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import ops

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.figures.drawing import save_figure
from wavegan_rc.figures.network_figures import network_figure
from wavegan_rc.generator.file import load_generator
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.measurement.references import data_of_run
from wavegan_rc.network_audit.generator import kernel_audit, mean_maps, silence_test, stage_inputs
from wavegan_rc.network_audit.gradients import Gradients, gradient_audit
from wavegan_rc.network_audit.probes import probe_stages
from wavegan_rc.network_audit.result import NetworkAudit
from wavegan_rc.nn.backend import gradients_by_inputs
from wavegan_rc.nn.downsampling import DownsampleConv1D
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.runs.run import Run
from wavegan_rc.training.model import build_model, load_checkpoint
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.atomic_files import whole_file, write_json, writing

JSON_FILE, ARRAYS_FILE, FIGURE_FILE = "networks.json", "networks.npz", "networks.png"

_SEGMENTS = 512
# Latents for maps to shift; one batch.
_LATENTS_OF_PROBES = 8
_BATCH_SIZE = 64


def audit_networks(path: Path, out: Path, *, seed: int = 0) -> NetworkAudit:
    """Audit kernels and silence of a generator, and the gradients of a run's critic."""
    if seed < 0:
        raise ParameterError(f"seed must be at least 0. Received: {seed}")
    generator = load_generator(path)
    if not generator.weights.is_plain:
        raise DataError(
            f"{path}: only generators of plain stages with ReLU are audited: measure it without "
            "networks"
        )
    gradients = checkpoint = None
    if path.is_dir():
        try:
            gradients, checkpoint = _critic_audit(path, seed)
        except DataError as error:
            message = f"{path}: without the critic's gradients: {error}"
            warnings.warn(message, WaveganWarning, stacklevel=2)
    means = mean_maps(generator, seed)
    (maps,) = stage_inputs(generator, draw_latents(_LATENTS_OF_PROBES, generator.latent_dim, seed))
    try:
        silence, arrays = silence_test(generator, means, seed=seed)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    found = NetworkAudit(
        str(path),
        generator.sample_rate,
        kernel_audit(generator, means),
        probe_stages(generator.weights.stages, maps, seed=seed),
        silence,
        gradients,
        checkpoint,
        arrays | ({} if gradients is None else dict(gradients.arrays)),
    )
    _write(found, out)
    return found


def _critic_audit(run: Path, seed: int) -> tuple[Gradients, str]:
    """Measure the gradients of a run's critic at generated and real segments."""
    config, model, checkpoint = load_run(run)
    critic = with_independent_shifts(model, config, seed=seed)
    # Not the exported moving average, which the critic never sees.
    latents = draw_latents(_SEGMENTS, config.latent_dim, seed)
    segments = {"generated": synthesize(model.generator, latents)}
    real = data_of_run(str(run), _SEGMENTS)
    if real is not None:
        held_out, _ = real
        segments["real"] = np.concatenate(list(held_out.blocks()))

    def gradients_of(audio: np.ndarray, shuffled: bool) -> np.ndarray:
        gradients = input_gradients(critic, audio, shuffled=shuffled)
        if not np.isfinite(gradients).all():
            raise DataError(f"{checkpoint}: the critic's gradients are not finite")
        return gradients

    audited = gradient_audit(
        gradients_of,
        segments,
        strides=[
            layer.strides for layer in model.critic.layers if isinstance(layer, DownsampleConv1D)
        ],
        radius=shuffle_radius(model.critic),
        sample_rate=config.sample_rate,
        seed=seed,
    )
    return audited, checkpoint.name


def _write(found: NetworkAudit, out: Path) -> None:
    with writing():
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / JSON_FILE, found.as_json())
        with whole_file(out / ARRAYS_FILE) as partial:
            np.savez_compressed(partial, allow_pickle=False, **found.arrays)
        save_figure(network_figure(out / JSON_FILE, out / ARRAYS_FILE), out / FIGURE_FILE)


def load_run(run: Path) -> tuple[Config, WGANGP, Path]:
    """Return the settings of a run, its networks at the newest checkpoint, and that checkpoint."""
    config = Run(run).read_config()
    if config is None:
        raise DataError(f"{run}: no {Run(run).config.name}, so not a run folder")
    model = build_model(config)
    checkpoint = newest_checkpoint(Run(run).checkpoints)
    load_checkpoint(model, checkpoint)
    return config, model, checkpoint.weights


def with_independent_shifts(model: WGANGP, config: Config, *, seed: int) -> keras.Model:
    """Build a model from audio to scores (emphasis, then critic), with shifts for each example.

    In training a whole batch may share its shifts. Over many steps the average is the same, but
    resampling segments needs independent shifts.
    """
    other = build_model(replace(config, phase_shuffle_per_example=True, seed=seed))
    other.critic.set_weights(model.critic.get_weights())
    if other.emphasis is None or model.emphasis is None:
        return other.critic
    other.emphasis.set_weights(model.emphasis.get_weights())
    segments = keras.Input(other.critic.input_shape[1:])
    return keras.Model(segments, other.critic(other.emphasis(segments)))


def shuffle_radius(critic: keras.Model) -> int:
    """Return the largest shift in a critic; 0 without phase shuffle."""
    radii = [layer.radius for layer in critic.layers if isinstance(layer, PhaseShuffle)]
    return max(radii, default=0)


def input_gradients(critic: keras.Model, segments: np.ndarray, *, shuffled: bool) -> np.ndarray:
    """Return the derivative of each segment's score by its samples."""
    gradients = []
    for start in range(0, len(segments), _BATCH_SIZE):
        batch = ops.convert_to_tensor(segments[start : start + _BATCH_SIZE, :, None])
        found = gradients_by_inputs(lambda x: critic(x, training=shuffled), batch)
        gradients.append(np.asarray(found)[:, :, 0])
    return np.concatenate(gradients)
