"""Whether a generator's archive is what this package writes, before Keras opens it.

Keras's safe mode refuses pickled functions, but calls most functions of its own that a file names,
with the arguments that the file gives, and makes layers of any size (Keras 3.15.1: a file can write
pictures to any path, open connections, change Keras's settings and fill the memory). An exported
generator needs eleven kinds of layers, so here is a list of what is allowed.
"""

import io
import json
import math
import os
import zipfile
from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from wavegan_rc.runs.weights_file import check_weights

# A .keras file is a zip archive; Keras passes over members that it does not know.
SETTINGS_MEMBER = "wavegan_rc.json"
_CONFIG = "config.json"
_WEIGHTS = "model.weights.h5"
_MEMBERS = {SETTINGS_MEMBER, _CONFIG, _WEIGHTS, "metadata.json"}

# A generator of 20 stages has 320 layers and 0.3 MB of text at most, and the widest that could be
# trained put out 2^24 values per latent. TensorFlow computes batches of 64: here 8 GiB a layer.
_MOST_TEXT = 2**22
_MOST_LAYERS = 1000
_MOST_VALUES = 2**25

# What may differ from a new layer; whatever else a file says of a layer must be as in a new one.
_FREE = {
    "InputLayer": {"batch_shape"},
    "Dense": {"units", "use_bias"},
    "Conv1D": {"filters", "kernel_size", "padding", "use_bias"},
    "Reshape": {"target_shape"},
    "Cropping1D": {"cropping"},
    "ZeroPadding1D": {"padding"},
}
_NAME = ("module", "class_name", "registered_name")
_INITIALIZERS = {
    ("keras.initializers", "GlorotUniform", None),
    ("keras.initializers", "Zeros", None),
}
_LAYER_KEYS = {*_NAME, "config", "name", "build_config", "inbound_nodes"}


def check_archive(path: Path) -> Any:
    """Refuse an archive that holds anything but an exported generator.

    Args:
        path: Of the archive.

    Returns:
        The settings in it, unchecked.

    Raises:
        Exception: `ValueError` if something is not allowed; on damage or nonsense, whatever comes.
    """
    if path.suffix != ".keras":  # any other is read by other parts of Keras
        raise ValueError("its name must end in .keras")
    with zipfile.ZipFile(path) as archive:
        _check_members(archive.infolist(), os.stat(path).st_size)
        weights = archive.read(_WEIGHTS)
        check_weights(io.BytesIO(weights), len(weights))
        _check_model(json.loads(archive.read(_CONFIG)), len(weights))
        return json.loads(archive.read(SETTINGS_MEMBER))


def check_outputs(model: keras.Model) -> None:
    """Refuse a model whose layers put out more than any generator's, or of unknown length.

    Raises:
        ValueError: If it does.
    """
    for operation in model.operations:
        shape = operation.output.shape[1:]
        if None in shape or math.prod(shape) > _MOST_VALUES:
            raise ValueError(f"{operation.name!r} puts out values of shape {shape}")


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    """Each once, and stored as they are: then they hold no more than the archive does."""
    names = sorted(member.filename for member in members)
    if names != sorted(_MEMBERS):
        raise ValueError(f"its members must be {sorted(_MEMBERS)}. Received: {names[:8]}")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("its members must not be compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members claim to be larger than the archive")
    if any(member.file_size > _MOST_TEXT for member in members if member.filename != _WEIGHTS):
        raise ValueError(f"its texts must have at most {_MOST_TEXT} bytes each")


@cache
def _new_layers() -> dict[str, dict[str, Any]]:
    """What Keras writes of new layers of the kinds that exported generators have, by class."""
    inputs = layers.Input((1,), dtype="float32", name="inputs")
    outputs = ops.concatenate([inputs, ops.take(inputs, [0], axis=1)], axis=1)
    model = keras.saving.serialize_keras_object(keras.Model(inputs, outputs, name="model"))
    options: dict[str, Any] = {"dtype": "float32", "name": "new"}
    last = {"data_format": "channels_last"}
    new = (
        layers.Dense(1, kernel_initializer="zeros", **options),
        layers.Conv1D(1, 1, kernel_initializer="zeros", **last, **options),
        layers.Reshape((1,), **options),
        layers.ReLU(**options),
        layers.Activation("tanh", **options),
        layers.Add(**options),
        layers.Cropping1D(**options),
        layers.Flatten(**last, **options),
        layers.ZeroPadding1D(**last, **options),
    )
    written = [model, *model["config"]["layers"], *map(keras.saving.serialize_keras_object, new)]
    return {layer["class_name"]: layer for layer in json.loads(json.dumps(written))}


def _check_model(model: Any, weight_bytes: int) -> None:
    try:
        _check_layers(model, weight_bytes)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{_CONFIG} is not what Keras writes: {error!r}") from None


def _check_layers(model: Any, weight_bytes: int) -> None:
    _check_class(model, {"Functional"}, {*_LAYER_KEYS, "compile_config"})
    parts = dict(model["config"])
    model_layers = parts.pop("layers")
    _check_plain(parts)
    if model.get("compile_config") or len(model_layers) > _MOST_LAYERS:
        raise ValueError(f"it is compiled, or has more than {_MOST_LAYERS} layers")
    kinds = _new_layers().keys() - {"Functional"}
    for layer in model_layers:
        _check_class(layer, kinds, _LAYER_KEYS)
        _check_layer_config(layer)
        _check_inputs(layer["inbound_nodes"])
    weights = sum(map(_weights_of, model_layers))
    if weights * 4 > weight_bytes:
        raise ValueError(f"its layers need {weights} weights, more than it has")


def _check_class(written: Any, allowed: Set[str], keys: Set[str]) -> None:
    """Of these names, and by them of Keras's own class: a custom one can have any name."""
    class_name = written["class_name"]
    if class_name not in allowed:
        raise ValueError(f"it has a layer that no exported generator has: {class_name!r}")
    new = _new_layers()[class_name]
    if any(written[key] != new[key] for key in _NAME) or written.keys() - keys:
        raise ValueError(f"it has another {class_name!r} than exported generators")
    _check_plain(written.get("build_config"))


def _check_layer_config(layer: dict[str, Any]) -> None:
    kind = layer["class_name"]
    new = _new_layers()[kind]["config"]
    for key, value in layer["config"].items():
        if key == "name" or key in _FREE.get(kind, ()):
            _check_plain(value)
        elif key.endswith("_initializer"):  # the weights are read after it
            _check_initializer(value)
        elif key not in new or _unshared(value) != new[key]:
            raise ValueError(f"{kind} has another {key} than exported generators: {value!r}")


def _unshared(value: Any) -> Any:
    """Without Keras's note that several layers have the same object: a `dtype`, here."""
    if not isinstance(value, dict):
        return value
    return {key: part for key, part in value.items() if key != "shared_object_id"}


def _check_initializer(written: Any) -> None:
    name = (written["module"], written["class_name"], written["registered_name"])
    if name not in _INITIALIZERS:
        raise ValueError(f"it has an initializer that no exported generator has: {name}")
    _check_plain(written["config"])


def _check_inputs(nodes: Any) -> None:
    """Called once, with tensors of other layers, numbers and lists of them."""
    if len(nodes) > 1 or any(node["kwargs"] for node in nodes):
        raise ValueError("it calls a layer in another way than exported generators")
    waiting = [node["args"] for node in nodes]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            _check_plain(value["config"])
        else:
            _check_plain(value)


def _check_plain(value: Any) -> None:
    """Numbers, words, and lists and dictionaries of them that Keras takes for nothing else."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("class_name") is not None or "shapes_dict" in value:
                raise ValueError(f"it has an object where no exported generator has: {value!r}")
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _weights_of(layer: dict[str, Any]) -> int:
    """Weights that Keras will make for a layer, by the input shape that it builds it for."""
    config = layer["config"]
    if layer["class_name"] == "Dense":
        outputs, taps = config["units"], [1]
    elif layer["class_name"] == "Conv1D":
        outputs, taps = config["filters"], config["kernel_size"]
    else:
        return 0
    inputs = layer["build_config"]["input_shape"][-1]
    if not all(type(size) is int and size > 0 for size in (inputs, outputs, *taps)):
        raise ValueError(f"sizes must be positive whole numbers. Received: {inputs, outputs, taps}")
    return (math.prod(taps) * inputs + bool(config["use_bias"])) * outputs
