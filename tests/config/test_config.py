import dataclasses
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from helpers import PRESETS
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegan_rc.config import Config
from wavegan_rc.config.setting import as_text
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.config.yaml_file import read_values
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.runs.run import Run, config_as_yaml


def test_speech2048_writes_out_exactly_the_defaults():
    written = yaml.safe_load((PRESETS / "speech2048.yaml").read_text())
    assert list(written) == [field.name for field in dataclasses.fields(Config)]
    assert Config(**written) == Config()


@pytest.mark.parametrize("name", ["smoke", "gpu", "wavegan16384"])
def test_the_other_configs_state_only_what_differs(name):
    written = yaml.safe_load((PRESETS / f"{name}.yaml").read_text())
    config = Config(**written)
    for key, value in written.items():
        assert getattr(config, key) != getattr(Config(), key), f"{key}: {value} is the default"


def test_wavegan16384_has_the_published_shapes():
    config = Config(**yaml.safe_load((PRESETS / "wavegan16384.yaml").read_text()))
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
        ("steps", "5"),
        ("steps", 5.0),
        ("seed", True),
        ("use_bias", "no"),
        ("upsampling_factors", 2),
        ("upsampling_factors", ("2", "2")),
        ("learning_rate", "1e-4"),
        ("adam_betas", 0.5),
        ("adam_betas", (0.5,)),
        ("adam_betas", (0.5, 1.0)),
        ("critic_learning_rate", 0.0),
        ("emphasis", "loud"),
        ("emphasis_coefficient", 1.0),
        ("data", 5),
        ("padding", None),
    ],
)
def test_bad_values_are_named_with_what_was_received(setting, value):
    with pytest.raises(ParameterError) as error:
        Config(**{setting: value})
    message = str(error.value)
    assert setting in message
    assert "\n" not in message
    assert "Received:" in message


WHOLE = [field.name for field in dataclasses.fields(Config) if type(field.default) is int]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [2**62 + 1, 10**400, -1, -(10**400), math.nan, math.inf])
def test_no_whole_number_is_too_strange_to_be_refused_in_words(name, value):
    with pytest.raises(ParameterError, match=f"{name} must .* Received: "):
        Config(**{name: value})


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_takes_its_default_from_the_command_line_too(name):
    setting = SETTINGS[name]
    text = as_text(setting.default)
    assert setting.parse(text.split() if setting.is_list else text) == setting.default
    assert setting.help_text.endswith(
        f"default: {text if setting.default is not None else setting.null})"
    )


def test_minibatch_std_is_refused_where_real_and_generated_segments_are_one_batch():
    with pytest.raises(ParameterError, match=r"minibatch_std must be false .* Received: true"):
        Config(minibatch_std=True, loss="relativistic")


@pytest.mark.parametrize("name", [name for name, s in SETTINGS.items() if s.low is not None])
def test_bounds_belong_to_the_range_and_nothing_beyond_does(name):
    setting = SETTINGS[name]
    low, high = setting.low, setting.high

    def checked(value):
        return setting.check([value] * int(setting.count[0]) if setting.is_list else value)

    checked(low)
    for outside in (low - 1, *([] if high is None else [high + 1]), math.nan, True, "1"):
        with pytest.raises(ParameterError, match=rf"{name} must be .*\({low} |at least {low}\)"):
            checked(outside)
    if high is not None:
        checked(high)
    else:
        assert name in ("emphasis_coefficient", "gradient_penalty_weight", "adam_betas")


def test_whole_numbers_serve_as_real_ones_and_lists_as_tuples():
    given: dict[str, Any] = {"adam_betas": [0, np.float32(0.5)], "steps": np.int64(7)}
    config = Config(cutoff_hz=1500, **given)
    assert repr((config.cutoff_hz, config.adam_betas, config.steps)) == "(1500.0, (0.0, 0.5), 7)"
    assert config == Config(cutoff_hz=1500.0, adam_betas=(0.0, 0.5), steps=7)


def read(data: bytes) -> dict:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return read_values(Path(file.name))


def is_plain(value) -> bool:
    if isinstance(value, list | dict):
        return all(map(is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | int | float | None)


YAML_WORDS = st.sampled_from(
    [*"&*!|>%@`'\"?:-{}[],#~<=\n\t .", "\r\n", ": ", "- ", "--- ", "...\n", "!!", "&a ", "*a", "<<"]
    + [
        "a",
        "steps",
        "0x1f",
        "1_0",
        ".nan",
        ".inf",
        "1:59",
        "2001-01-32",
        "\\ud800",
        "\x85",
        "\ufeff",
    ]
    + [f"!!{tag} " for tag in ("str", "int", "float", "bool", "null", "binary", "timestamp")]
    + [f"!!{tag} " for tag in ("set", "omap", "pairs", "seq", "map", "merge", "python/tuple")]
)


@settings(max_examples=1000)
@given(st.lists(YAML_WORDS, max_size=30).map("".join) | st.text() | st.binary())
def test_whatever_a_file_holds_is_plain_settings_or_one_line(text):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    found, message = {}, ""
    try:
        found = read(data)
    except DataError as error:
        message = str(error)
    assert message.isprintable()
    assert len(message) < 400
    assert is_plain(found)


@given(
    st.dictionaries(
        st.from_regex("[a-z_]{1,8}", fullmatch=True),
        st.text()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False)
        | st.booleans()
        | st.none()
        | st.lists(st.integers() | st.text()),
    )
)
def test_plain_settings_are_read_as_they_were_written(written):
    text = yaml.safe_dump(written)
    assert read(text.encode()) == yaml.safe_load(text)


def test_hostile_settings_of_a_run_are_one_line(tmp_path):
    for text in (
        "steps: 3\nsteps: 4",
        "- " * 8000,
        "steps: !!bool abc",
        "data: 2001-99-99",
        "x: 3",
    ):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(DataError, match=r"config\.yaml: not the settings of a run"):
            Run(tmp_path).read_config()


def test_yaml_round_trip():
    words: list[Any] = ["transposed", ["resize"] * 6 + ["sinc"]]
    config = Config(upsampler=words[0], cutoff_hz=None, data="a b", segment_length=256)
    assert Config(**yaml.safe_load(config_as_yaml(config))) == config
    mixed = Config(upsampler=words[1], padding="edge", use_bias=False)
    assert Config(**yaml.safe_load(config_as_yaml(mixed))) == mixed
