import dataclasses
import math

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.training.run_directory import config_as_yaml


def test_speech2048_writes_out_exactly_the_defaults():
    written = yaml.safe_load((ROOT / "configs" / "speech2048.yaml").read_text())
    assert list(written) == [field.name for field in dataclasses.fields(Config)]
    assert Config(**written) == Config()


@pytest.mark.parametrize("name", ["smoke", "gpu", "wavegan16384"])
def test_the_other_configs_state_only_what_differs(name):
    written = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    config = Config(**written)
    for key, value in written.items():
        assert getattr(config, key) != getattr(Config(), key), f"{key}: {value} is the default"


def test_wavegan16384_has_the_published_shapes():
    config = Config(**yaml.safe_load((ROOT / "configs" / "wavegan16384.yaml").read_text()))
    assert config.initial_length == 16
    assert config.stopband_hz is None


@given(st.lists(st.integers(2, 5), min_size=1, max_size=5), st.integers(1, 4))
def test_any_factors_that_divide_the_length_are_accepted(factors, initial):
    length = math.prod(factors) * initial * 16
    config = Config(segment_length=length, upsampling_factors=factors)
    assert config.initial_length * math.prod(factors) == length


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("upsampling_factors", (2, 3)),
        ("upsampling_factors", ()),
        ("upsampling_factors", (2, 1)),
        ("cutoff_hz", 8000.0),
        ("cutoff_hz", 7800.0),
        ("cutoff_hz", 0.0),
        ("cutoff_hz", math.nan),
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("gradient_penalty_weight", math.nan),
        ("steps", 0),
        ("batch_size", -1),
        ("seed", -1),
        ("seed", 2**63),
        ("silence_db", 3.0),
        ("silence_db", -math.inf),
        ("upsampler", "deconv"),
        ("upsampler", ("resize", "linear")),
        ("upsampler", ()),
        ("padding", "same"),
        ("kernel_initializer", "glorot"),
        ("kernel_initializer", "icnr"),
        ("post_filter_length", -1),
        ("post_filter_length", 4096),
        ("measure_every", -10),
        ("measure_every", 15),
        ("log_every", 30),
    ],
)
def test_bad_values_are_named_with_what_was_received(setting, value):
    with pytest.raises(ParameterError) as error:
        Config(**{setting: value})
    message = str(error.value)
    assert setting in message
    assert "\n" not in message
    assert "Received:" in message


def test_yaml_round_trip():
    config = Config(upsampler="transposed", cutoff_hz=None, data="a b", segment_length=256)
    assert Config(**yaml.safe_load(config_as_yaml(config))) == config
    mixed = Config(upsampler=["resize"] * 6 + ["sinc"], padding="edge", use_bias=False)
    assert Config(**yaml.safe_load(config_as_yaml(mixed))) == mixed
