"""Mixed precision: what stays float32, how far results move, what `auto` chooses."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from helpers.runs import SMALL as SHORT
from helpers.runs import smoke_config

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.cli.cell import cell_command
from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.nn.backend import on_jax
from wavegan_rc.runs.run import Run
from wavegan_rc.training import devices
from wavegan_rc.training.batches import batches
from wavegan_rc.training.callbacks.artifacts import artifact_values
from wavegan_rc.training.model import build_model
from wavegan_rc.training.updates import LOSSES

pytestmark = pytest.mark.slow

SMALL = Config(
    segment_length=1024,
    upsampling_factors=(4, 4, 4),
    filters=32,
    batch_size=8,
    critic_steps=2,
    learning_rate=1e-4,
    steps=30,
    precision="mixed_bfloat16",
)


def dtypes(tensors):
    return {str(tensor.dtype).split(".")[-1].strip("<>' ") for tensor in tensors}


@pytest.mark.backend
def test_only_the_layers_between_compute_in_half_precision():
    model = build_model(SMALL)
    optimizers = model.generator_optimizer.variables + model.critic_optimizer.variables
    floats = [v for v in [*model.variables, *optimizers] if "int" not in str(v.dtype)]
    assert dtypes(floats) == {"float32"}
    computes = {layer.name: layer.compute_dtype for layer in model.generator.layers}
    assert computes.pop("latents") == computes.pop("audio") == "float32"
    assert computes.pop("stage_3") == "float32"
    assert set(computes.values()) == {"bfloat16"}
    computes = {layer.name: layer.compute_dtype for layer in model.critic.layers}
    names = ("segments", "flatten", "scores")
    assert {computes.pop(name) for name in names} == {"float32"}
    assert set(computes.values()) == {"bfloat16"}
    assert {layer.compute_dtype for layer in model.average_generator.layers} == {"float32"}


def test_a_short_run_has_the_losses_and_artifacts_of_float32():
    """Losses within 2 %, decibels within 0.25: twice what was seen with seeds 0 to 4."""
    corpus = prepare_corpus(None, sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)
    segments = Segments(corpus, "training", segment_length=1024, silence_db=-40, seed=0)
    losses, artifacts = [], []
    for precision in ("float32", "mixed_bfloat16"):
        config = replace(SMALL, precision=precision)
        model = build_model(config)
        history = model.fit(
            batches(segments, config, 1, 0), steps_per_epoch=config.steps, shuffle=False, verbose=0
        ).history
        losses.append(np.array([history[name][-1] for name in LOSSES]))
        made = synthesize(model.average_generator, draw_latents(256, config.latent_dim, 0))
        values = artifact_values(
            made,
            sample_rate=16000,
            upsampling_factors=config.upsampling_factors,
            stopband_hz=1700.0,
        )
        artifacts.append(np.array([values[name] for name in sorted(values) if "_db" in name]))
    # The Wasserstein estimate is near 0 here: 0.02, the others 0.1 to 8.
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02, atol=0.003)
    np.testing.assert_allclose(artifacts[1], artifacts[0], atol=0.25)


@pytest.mark.parametrize(
    ("gpus", "amx", "chosen"),
    [
        ([("A100", 8.0)], False, "mixed_bfloat16"),
        ([("T4", 7.5)], True, "float32"),
        ([("A100", 8.0), ("T4", 7.5)], True, "float32"),
        ([], False, "float32"),
    ],
)
def test_auto_chooses_by_what_the_device_is_made_for(monkeypatch, gpus, amx, chosen):
    monkeypatch.setattr(devices, "gpus", lambda: gpus)
    monkeypatch.setattr(devices, "_cpu_has", lambda feature: amx)
    assert devices.chosen_precision("auto") == chosen
    assert devices.chosen_precision("float32") == "float32"
    assert devices.chosen_precision("mixed_bfloat16") == "mixed_bfloat16"


@pytest.mark.backend
def test_auto_takes_half_precision_on_a_cpu_with_amx_under_tensorflow_only(monkeypatch):
    monkeypatch.setattr(devices, "gpus", list)
    monkeypatch.setattr(devices, "_cpu_has", lambda feature: feature == "amx_bf16")
    expected = "float32" if on_jax() else "mixed_bfloat16"
    assert devices.chosen_precision("auto") == expected


@pytest.mark.parametrize("amx", [False, True])
def test_a_cell_goes_on_with_what_auto_stood_for_where_it_began(tmp_path, monkeypatch, caplog, amx):
    caplog.set_level("INFO", "wavegan_rc")
    monkeypatch.setattr(devices, "gpus", list)
    monkeypatch.setattr(devices, "_cpu_has", lambda feature: amx)
    config = smoke_config(tmp_path, **SHORT, precision="auto", steps=2)
    began = devices.chosen_precision("auto")

    def trained_to(steps):
        cell = {"config": asdict(replace(config, steps=steps)), "grid": {"seed": 0}}
        assert cell_command("train.py", [json.dumps(cell), "seed=0"]) == 0
        return Run(Path(config.out) / "seed=0").read_config()

    assert trained_to(2) == replace(config, precision=began)
    assert f", {began}\n" in caplog.text
    monkeypatch.setattr(devices, "_cpu_has", lambda feature: not amx)
    assert trained_to(3) == replace(config, precision=began, steps=3)
    other = ({"float32", "mixed_bfloat16"} - {began}).pop()
    with pytest.raises(ParameterError, match="precision cannot change when resuming"):
        replace(config, precision=other).resumed(replace(config, precision=began))
