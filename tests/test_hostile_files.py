"""Files from strangers: each hostile file is made, refused in one line, and has done nothing."""

import codecs
import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager

import h5py
import keras
import numpy as np
import pytest
import yaml
from conftest import ROOT

from wavegan_rc.config import Config
from wavegan_rc.config.choices import PADDINGS, UPSAMPLERS
from wavegan_rc.errors import DataError
from wavegan_rc.generator.file import load_generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.generator.generation import draw_latents, generate
from wavegan_rc.measure.sources import open_segments
from wavegan_rc.network_audit.critic import load_run
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.runs.checkpoints import Checkpoint, save_checkpoint
from wavegan_rc.runs.weights_file import check_weights_file
from wavegan_rc.training.model import build_model, load_checkpoint

SETTINGS = {"sample_rate": 8000}
CONFIG, WEIGHTS, OURS = "config.json", "model.weights.h5", "wavegan_rc.json"
SECRET = "the canary sings\n"

# What a refused file may not cause: everything that Python reports of files, sockets, processes,
# pickles and new modules while it is loaded.
_WATCHED = ("open", "socket.", "subprocess.", "os.", "pickle.", "shutil.", "tempfile.", "urllib.")
_seen: list[str] | None = None


def _note(event, arguments):
    if _seen is not None and (event == "import" or event.startswith(_WATCHED)):
        _seen.append(f"{event} {arguments[:2]}")


sys.addaudithook(_note)


@contextmanager
def nothing_happens_but_reading(path):
    """No event but opening this one file, for reading; Keras's settings are as before."""
    global _seen
    settings = keras.config.floatx(), keras.config.image_data_format(), keras.config.backend()
    _seen = events = []
    try:
        yield
    finally:
        _seen = None
        after = keras.config.floatx(), keras.config.image_data_format(), keras.config.backend()
        keras.config.set_floatx(settings[0])
        keras.config.set_image_data_format(settings[1])
    allowed = {f"open {(str(path), mode)}" for mode in ("r", "rb")}
    assert set(events) <= allowed
    assert after == settings


def refusal(path, load=load_generator):
    """What a file is refused with: one short, printable line that begins with its name."""
    with pytest.raises(DataError) as refused:
        load(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < len(str(path)) + 450
    return message


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    path = tmp_path_factory.mktemp("valid") / "generator.keras"
    generator = build_generator(
        segment_length=64, upsampling_factors=(4,), kernel_size=5, filters=4, latent_dim=3, seed=0
    )
    save_generator(fold_generator(generator), path, SETTINGS)
    load_generator(path)  # imports that wait for a first call are made
    codecs.lookup("ascii")  # h5py's
    return path


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def spoilt(valid, tmp_path):
    """Write the valid generator with a member changed; config.json as what it says."""

    def spoil(member, change):
        members = members_of(valid)
        if member == CONFIG:
            config = json.loads(members[CONFIG])
            members[CONFIG] = json.dumps(change(config) or config)
        elif member == WEIGHTS:
            stream = io.BytesIO(members[WEIGHTS])
            with h5py.File(stream, "a") as file:
                change(file)
            members[WEIGHTS] = stream.getvalue()
        else:
            members[member] = change(members.get(member))
        return write(tmp_path / "stranger.keras", members)

    return spoil


@pytest.fixture
def without_keras(monkeypatch):
    """Keras may not even open the file."""
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras opens it"))


# Normal files


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_what_this_package_exports_still_loads(upsampler, padding, tmp_path):
    generator = build_generator(
        segment_length=96,
        upsampling_factors=(2, 4),
        kernel_size=7,
        filters=4,
        latent_dim=3,
        upsampler=upsampler,
        padding=padding,
        use_bias=padding != "edge",
        post_filter_length=4,
        seed=1,
    )
    path = tmp_path / "g.keras"
    settings = SETTINGS | {"upsampling_factors": (2, 4), "stopband_hz": 1700.0}
    save_generator(fold_generator(generator), path, settings)
    loaded, found = load_generator(path)
    assert found == settings | {"upsampling_factors": [2, 4]}
    latents = draw_latents(3, 3, seed=0)
    np.testing.assert_allclose(loaded(latents), generator(latents), atol=1e-5)
    save_generator(loaded, tmp_path / "again.keras", found)
    again, _ = load_generator(tmp_path / "again.keras")
    np.testing.assert_array_equal(again(latents), loaded(latents))


def test_a_link_to_a_generator_is_followed(valid, tmp_path):
    (tmp_path / "link.keras").symlink_to(valid)
    model, _ = load_generator(tmp_path / "link.keras")
    assert model.output_shape == (None, 64, 1)


# Code, other files and connections


def tensor(name, shape):
    history = {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": history}


def layer(module, class_name, config, *, registered_name=None, args=None, kwargs=None):
    return {
        "module": module,
        "class_name": class_name,
        "config": {"name": "evil", **config},
        "registered_name": registered_name,
        "name": "evil",
        "build_config": {"input_shape": [None, 3]},
        "inbound_nodes": [
            {
                "args": [tensor("latents", [None, 3])] if args is None else args,
                "kwargs": kwargs or {},
            }
        ],
    }


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def call(module, name, inputs, **arguments):
    """A layer that calls a function of Keras with what the file says, as Keras calls it."""
    config = {"function": function(module, name), "arguments": arguments, "dtype": "float32"}
    return layer("keras.layers", "Lambda", config, args=[], kwargs={"inputs": inputs})


def pickled_lambda(marker):
    run_code = keras.layers.Lambda(
        lambda x: (os.makedirs(marker, exist_ok=True), x)[1], name="evil"
    )
    config = keras.saving.serialize_keras_object(run_code)["config"]
    return layer("keras.layers", "Lambda", json.loads(json.dumps(config)))


def picture(marker):
    pixels = {"class_name": "__numpy__", "config": {"value": [[[[0, 0, 0]] * 8] * 8]}}
    pixels["config"]["dtype"] = "uint8"
    options = {"path": f"{marker}.png", "rows": 1, "cols": 1, "value_range": [0, 255]}
    return call("keras.visualization", "plot_image_gallery", pixels, **options)


def activation(value):
    return layer("keras.layers", "Activation", {"activation": value})


PAYLOADS = {
    "pickled lambda": pickled_lambda,
    "os.system": lambda marker: layer("os", "system", {"command": f"touch {marker}"}),
    "a shell as function": lambda marker: call("subprocess", "getoutput", f"touch {marker}"),
    "exec": lambda marker: call("builtins", "exec", f"open({marker!r}, 'w')"),
    "a picture to any path": picture,
    "a download": lambda marker: call(
        "keras.utils", "get_file", "x", origin="http://127.0.0.1:9/x", cache_dir=marker
    ),
    "a data set's download": lambda marker: call(
        "keras.datasets.california_housing", "load_data", "small"
    ),
    "another floatx": lambda _: call("keras.config", "set_floatx", "float64"),
    "another data format": lambda _: call(
        "keras.config", "set_image_data_format", "channels_first"
    ),
    "another backend": lambda _: call("keras.config", "set_backend", "jax"),
    "a function as activation": lambda _: activation(function("keras.config", "set_floatx")),
    "another backend's import": lambda _: layer("keras.src.backend.torch", "Layer", {}),
    "a pickled torch module": lambda _: layer(
        "keras.layers", "TorchModuleWrapper", {"module": "x"}
    ),
    "a SavedModel": lambda marker: layer(
        "keras.layers", "TFSMLayer", {"filepath": marker, "call_endpoint": "serve"}
    ),
    "a vocabulary": lambda marker: layer(
        "keras.layers", "StringLookup", {"vocabulary": f"{marker}.txt"}
    ),
    "a vocabulary of text": lambda marker: layer(
        "keras.layers", "TextVectorization", {"vocabulary": f"{marker}.txt"}
    ),
    "a registered class": lambda _: layer(
        "wavegan_rc.nn.upsampling",
        "UpsampleConv1D",
        {"filters": 1, "kernel_size": 3, "factor": 2, "upsampler": "resize"},
        registered_name="wavegan_rc>UpsampleConv1D",
    ),
    "a registered class by a known name": lambda _: layer(
        "keras.layers", "ReLU", {}, registered_name="wavegan_rc>UpsampleConv1D"
    ),
    "a known name elsewhere": lambda _: layer("keras.src.layers.activations.relu", "ReLU", {}),
    "a layer of the old format": lambda _: {
        key: value for key, value in layer("", "ReLU", {}).items() if key != "module"
    },
    "an object for a number": lambda _: layer(
        "keras.layers", "Reshape", {"target_shape": function("keras.config", "set_floatx")}
    ),
    "an object as name": lambda _: layer("keras.layers", "ReLU", {"name": activation("relu")}),
    "an object among the inputs": lambda _: layer(
        "keras.layers", "ReLU", {}, args=[{"class_name": "__numpy__", "config": {"value": [1]}}]
    ),
    "a layer with arguments": lambda _: layer(
        "keras.layers", "ReLU", {}, kwargs={"mask": function("keras.config", "floatx")}
    ),
}


def planted(spoilt, payload):
    return spoilt(CONFIG, lambda config: config["config"]["layers"].insert(1, payload))


@pytest.mark.parametrize("name", PAYLOADS)
def test_nothing_in_a_file_is_run_read_or_fetched(name, spoilt, tmp_path, without_keras):
    (tmp_path / "marker.txt").write_text(SECRET)
    payload = PAYLOADS[name](str(tmp_path / "marker"))
    path = planted(spoilt, payload)
    before = sorted(tmp_path.iterdir())
    with nothing_happens_but_reading(path):
        message = refusal(path)
    assert "exported generator" in message or name == "a layer of the old format"
    assert "canary" not in message
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "safe_mode"), [("pickled lambda", False), ("a picture to any path", True)]
)
def test_the_planted_code_would_have_run(name, safe_mode, spoilt, tmp_path):
    """Else the test above could not fail. Keras 3.15.1 writes the picture in its safe mode."""
    path = planted(spoilt, PAYLOADS[name](str(tmp_path / "marker")))
    try:
        keras.saving.load_model(path, compile=False, safe_mode=safe_mode)
    except ValueError as error:
        pytest.skip(f"this Keras refuses it too: {error}")
    assert list(tmp_path.glob("marker*"))


# What a layer may say


def first(config, kind):
    return next(one for one in config["config"]["layers"] if one["class_name"] == kind)


def put(kind, **changes):
    return lambda config: first(config, kind)["config"].update(changes)


def built_for(kind, shape):
    return lambda config: first(config, kind).update(build_config={"input_shape": shape})


def many_layers(config):
    one = first(config, "ReLU")
    config["config"]["layers"] += [one | {"name": f"{i}"} for i in range(1000)]


def called_often(config):
    one = first(config, "ReLU")
    one["inbound_nodes"] *= 1000


def a_circle(config):
    first(config, "ReLU")["inbound_nodes"] = [
        {"args": [tensor("dense_relu", [None, 3])], "kwargs": {}}
    ]


def model_in_a_model(config):
    inner = json.loads(json.dumps(config)) | {"name": "inner", "inbound_nodes": []}
    config["config"]["layers"].append(inner)


CONFIGS = {
    "units": put("Dense", units=10**8),
    "units beyond numbers": put("Dense", units=10**400),
    "units as text": put("Dense", units="9" * 30),
    "units as truth": put("Dense", units=True),
    "negative units": put("Dense", units=-(10**9)),
    "filters": put("Conv1D", filters=10**9),
    "kernel": put("Conv1D", kernel_size=[10**9]),
    "kernel as number": put("Conv1D", kernel_size=10**9),
    "built for more": built_for("Dense", [None, 10**9]),
    "built by arguments": lambda config: first(config, "ReLU").update(
        build_config={"shapes_dict": {"input_shape": [None, 16, 4]}}
    ),
    "a shared layer": lambda config: first(config, "ReLU").update(shared_object_id=1),
    "not built": lambda config: first(config, "Dense").pop("build_config") and None,
    "adapters": put("Dense", lora_rank=10**8),
    "groups": put("Conv1D", groups=2),
    "strides": put("Conv1D", strides=[2]),
    "quantized": put("Dense", dtype="int8_from_float32"),
    "double": put("Dense", dtype="float64"),
    "regularizer": put("Dense", kernel_regularizer=function("keras.config", "floatx")),
    "constraint": put("Dense", kernel_constraint="max_norm"),
    "activation": put("Activation", activation="sigmoid"),
    "initializer": lambda config: first(config, "Dense")["config"]["kernel_initializer"].update(
        class_name="Orthogonal"
    ),
    "registered initializer": lambda config: first(config, "Dense")["config"][
        "kernel_initializer"
    ].update(registered_name="wavegan_rc>UpsampleConv1D"),
    "named initializer": put("Dense", kernel_initializer="orthogonal"),
    "many layers": many_layers,
    "called often": called_often,
    "a model in a model": model_in_a_model,
    "another top": lambda config: config.update(class_name="Sequential"),
    "compiled": lambda config: config.update(compile_config={"optimizer": "adam"}),
    "a list": lambda config: [config],
    "terminal": put("Dense", **{"\x1b[31m\x07": 1}),
    "seeded by an object": lambda config: first(config, "Dense")["config"]["kernel_initializer"][
        "config"
    ].update(seed=function("keras.config", "floatx")),
    "an object as the model's name": lambda config: config["config"].update(
        name=function("keras.config", "floatx")
    ),
    "an object as type": lambda config: first(config, "ReLU")["inbound_nodes"][0]["args"][0][
        "config"
    ].update(dtype=function("keras.config", "floatx")),
}
# These are refused by Keras, or by what the model is once it is made.
MODELS = {
    "a circle": a_circle,
    "no layers": lambda config: config["config"].update(layers=[]),
    "fixed batch": put("InputLayer", batch_shape=[7, 3]),
    "wrong shapes": put("InputLayer", batch_shape=[None, 5]),
    "wrong reshape": put("Reshape", target_shape=[10**12, 10**12]),
    "no such output": lambda config: config["config"].update(output_layers=["gone", 0, 0]),
    "output beyond the end": lambda config: config["config"].update(output_layers=["audio", 9, 9]),
    "outputs": lambda config: config["config"].update(output_layers=[["audio", 0, 0]] * 3),
}


def test_latents_of_unknown_length_are_refused(spoilt):
    path = spoilt(CONFIG, put("InputLayer", batch_shape=[None, None]))
    assert "'latents' puts out values of shape (None,)" in refusal(path)


@pytest.mark.parametrize("name", CONFIGS)
def test_other_layers_are_refused_before_keras_makes_them(name, spoilt, without_keras):
    refusal(spoilt(CONFIG, CONFIGS[name]))


@pytest.mark.parametrize("name", MODELS)
def test_other_models_are_refused(name, spoilt):
    refusal(spoilt(CONFIG, MODELS[name]))


def test_layers_that_put_out_too_much_are_refused_before_they_do(tmp_path):
    """Padding has no weights, so that its size is in no relation to the file's."""
    latents = x = keras.Input((3,))
    x = keras.layers.Reshape((3, 1))(x)
    x = keras.layers.ZeroPadding1D((0, 2**25))(x)
    x = keras.layers.Cropping1D((0, 2**25 - 61))(x)
    save_generator(keras.Model(latents, x), tmp_path / "g.keras", SETTINGS)
    assert "puts out values of shape (33554435, 1)" in refusal(tmp_path / "g.keras")


@pytest.mark.backend
def test_an_index_beyond_a_layer_is_refused(tmp_path):
    """It is noticed only when the layer computes."""
    latents = keras.Input((64,))
    audio = keras.layers.Reshape((64, 1))(keras.ops.take(latents, [*range(63), 0], axis=1))
    path = tmp_path / "g.keras"
    save_generator(keras.Model(latents, audio), path, SETTINGS)
    load_generator(path)
    members = members_of(path)
    members[CONFIG] = members[CONFIG].replace(b"62, 0]", b"62, 99]")
    write(path, members)
    refusal(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"config":' * 5000,
        b"\xff\xfe\x00",
        b"1" * 5000,
        b"null",
        b"NaN",
    ],
)
@pytest.mark.parametrize("member", [CONFIG, OURS])
def test_text_that_is_no_config_and_no_settings_is_refused(text, member, valid, tmp_path):
    refusal(write(tmp_path / "stranger.keras", members_of(valid) | {member: text}))


@pytest.mark.parametrize(
    "settings",
    [
        *(
            {"sample_rate": rate}
            for rate in (0, -8000, 2**31, 10**30, 8000.0, True, "8000", [8000])
        ),
        *({"sample_rate": rate} for rate in (float("nan"), float("inf"), None, {})),
        *(SETTINGS | {"stopband_hz": hz} for hz in (0, -1, True, "1", [1], float("inf"))),
        *(SETTINGS | {"upsampling_factors": f} for f in ([], [4, 0], [4, True], [3], [10**9], "4")),
        SETTINGS | {"upsampling_factors": [1] * 100_000},
        SETTINGS | {"upsampling_factors": [2] * 100_000},
        [SETTINGS],
        {},
        "sample_rate",
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, spoilt):
    """Lines are predicted up to the factors' product, so that a large one would never end."""
    refusal(spoilt(OURS, lambda _: json.dumps(settings)))


# The archive


@pytest.mark.parametrize(
    "name",
    [
        "../../escaped",
        "/tmp/escaped",
        "assets/../../escaped",
        "..\\escaped",
        "a/",
        "model.weights.npz",
    ],
)
def test_other_members_are_refused(name, spoilt):
    path = spoilt(name, lambda _: b"x")
    with nothing_happens_but_reading(path):
        assert "its members must be" in refusal(path)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, OURS, "metadata.json"])
def test_members_missing_twice_or_compressed_are_refused(name, valid, tmp_path):
    members = members_of(valid)
    path = tmp_path / "stranger.keras"
    write(path, {other: members[other] for other in members if other != name})
    assert "its members must be" in refusal(path)
    write(path, members)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, members[name])
    assert "its members must be" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        for other, content in members.items():
            method = zipfile.ZIP_DEFLATED if other == name else zipfile.ZIP_STORED
            archive.writestr(other, content, method)
    assert "must not be compressed" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        for other, content in members.items():
            archive.writestr(other, content)
        archive.getinfo(name).file_size = archive.getinfo(name).compress_size = 2**31
    assert "larger than the archive" in refusal(path)
    if name != WEIGHTS:
        write(path, members | {name: members[name] + b" " * 2**22})
        assert "at most 4194304 bytes" in refusal(path)


def test_pickled_weights_are_not_read(valid, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.makedirs, (str(tmp_path / "marker"),)

    pickled = io.BytesIO()
    np.savez(pickled, weights=np.array([Evil()], dtype=object))
    members = members_of(valid)
    del members[WEIGHTS]
    refusal(write(tmp_path / "g.keras", members | {"model.weights.npz": pickled.getvalue()}))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".zip", ""])
def test_under_another_name_nothing_else_reads_it(suffix, valid, tmp_path):
    """An HDF5 file with a zip archive behind it is both; Keras chooses by the name."""
    both = members_of(valid)[WEIGHTS] + valid.read_bytes()
    (tmp_path / f"g{suffix}").write_bytes(both)
    assert "must end in .keras" in refusal(tmp_path / f"g{suffix}")


def test_a_link_to_another_file_gives_nothing_away(tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    for target in ("secret", "gone"):
        link = tmp_path / f"{target}.keras"
        link.symlink_to(tmp_path / target)
        assert "canary" not in refusal(link)


# Weights


def swap(file, **options):
    """The dense layer's kernel replaced."""
    group = file["layers/dense/vars"]
    like_it = {} if "data" in options else {"shape": group["0"].shape, "dtype": "f4"}
    del group["0"]
    return group.create_dataset("0", **(like_it | options))


def soft_link(file):
    file["layers/other"] = h5py.SoftLink("/layers/dense")


def virtual(file):
    """Asked for its shape, HDF5 opens the other file to see how long the array is there."""
    unlimited = h5py.h5s.UNLIMITED
    layout = h5py.VirtualLayout((3, 64), "f4", maxshape=(None, 64))
    source = h5py.VirtualSource("fifo", "values", (3, 64), maxshape=(None, 64))
    layout[0:unlimited, :] = source[0:unlimited, :]
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_virtual_dataset("0", layout)
    file.flush()
    file.create_dataset("end", data=np.zeros(2000))  # else HDF5 leaves the file too short


def references(file):
    swap(file, dtype=h5py.ref_dtype)[0, 0] = file["layers"].ref


def deep(file):
    group = file
    for _ in range(2000):  # at 60,000, HDF5's own walk crashes
        group = group.create_group("a")


def itself(file):
    file["layers/itself"] = file["layers"]


def doubling(file):
    group = file
    for _ in range(15):
        below = group.create_group("a")
        group["b"] = below
        group = below


def claimed_twice(file):
    big = file.create_dataset("big", data=np.zeros(100_000, "f4"))
    file["again"] = big


def noted(file):
    file["layers/dense/vars/0"].attrs["dtype"] = "bfloat16"


HDF5 = {
    "link to a file": lambda file: file.__setitem__("x", h5py.ExternalLink("fifo", "/layers")),
    "layer in a file": lambda file: (
        file.pop("layers/dense"),
        file.__setitem__("layers/dense", h5py.ExternalLink("fifo", "/layers")),
    ),
    "soft link": soft_link,
    "values in a file": lambda file: swap(file, external=[("fifo", 0, h5py.h5f.UNLIMITED)]),
    "virtual": virtual,
    "inflating": lambda file: swap(file, shape=(2**28,), chunks=(2**20,), compression="gzip"),
    "sparse": lambda file: swap(file, shape=(2**28,), chunks=(2**20,)),
    "in pieces": lambda file: swap(file, data=np.ones((3, 64), "f4"), chunks=(3, 64)),
    "not there": lambda file: swap(file, shape=(2**40,)),
    "never written": swap,
    "text": lambda file: swap(file, dtype=h5py.string_dtype()),
    "bytes": lambda file: swap(file, data=np.zeros((3, 64), "S4")),
    "references": references,
    "complex": lambda file: swap(file, data=np.ones((3, 64), "c8")),
    "records": lambda file: swap(file, data=np.zeros((3, 64), "f4,f4")),
    "rows of any length": lambda file: swap(file, dtype=h5py.vlen_dtype("f4")),
    "a type": lambda file: file.__setitem__("layers/type", np.dtype("f4")),
    "attributes": noted,
    "deep": deep,
    "itself": itself,
    "doubling": doubling,
    "claimed twice": claimed_twice,
    "many": lambda file: [file.__setitem__(f"g{i}", file["layers"]) for i in range(10_001)],
}


@contextmanager
def nobody_reads(fifo):
    """Whoever opens this pipe to read is noticed, and gets something, so that nothing hangs."""
    os.mkfifo(fifo)
    noticed = threading.Event()

    def give():
        descriptor = os.open(fifo, os.O_WRONLY)  # waits for a reader
        noticed.set()
        os.close(descriptor)

    giver = threading.Thread(target=give)
    giver.start()
    try:
        yield
    finally:
        read = noticed.is_set()
        descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        giver.join()
        os.close(descriptor)
    assert not read


@pytest.mark.parametrize("name", HDF5)
def test_weights_that_are_not_plain_arrays_are_refused(name, spoilt, valid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the other files are named relative to it
    path = spoilt(WEIGHTS, HDF5[name])
    checkpoint = tmp_path / "step-000001.weights.h5"
    checkpoint.write_bytes(members_of(path)[WEIGHTS])
    with nobody_reads(tmp_path / "fifo"):
        with nothing_happens_but_reading(path):
            refusal(path)
        with nothing_happens_but_reading(checkpoint):
            refusal(checkpoint, check_weights_file)


def test_plain_weights_pass(valid, tmp_path):
    checkpoint = tmp_path / "step-000001.weights.h5"
    checkpoint.write_bytes(members_of(valid)[WEIGHTS])
    check_weights_file(checkpoint)
    for content in (b"", b"text", checkpoint.read_bytes()[:-1]):
        checkpoint.write_bytes(content)
        refusal(checkpoint, check_weights_file)
    checkpoint.unlink()
    refusal(checkpoint, check_weights_file)
    os.mkfifo(checkpoint)
    refusal(checkpoint, check_weights_file)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: swap(file, data=np.zeros((64, 3), "f4")),
        lambda file: swap(file, data=np.zeros((3, 63), "f4")),
        lambda file: file.pop("layers/dense"),
        lambda file: file["layers/dense/vars"].pop("1"),
        lambda file: file["layers/dense/vars"].create_dataset("2", data=np.zeros(3)),
        lambda file: file.move("layers/dense", "layers/other"),
        lambda file: swap(file, data=h5py.Empty("f4")),
        lambda file: [file.pop(name) for name in list(file)],
    ],
)
def test_weights_of_another_network_are_refused(change, spoilt):
    assert "could not be loaded" in refusal(spoilt(WEIGHTS, change))


# Memory


def zeros_in(path, member, head=b"", megabytes=150):
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(member, "w") as file,
    ):
        file.write(head)
        for _ in range(megabytes):
            file.write(bytes(2**20))
    return path


def test_small_files_do_not_fill_the_memory(valid, spoilt, tmp_path):
    """The peak of a process that loads them all; each would have taken 150 MB or more."""
    files = []

    def keep(path):
        files.append(shutil.move(path, tmp_path / f"{len(files)}.keras"))

    for name in ("units", "adapters", "kernel", "built for more"):
        keep(spoilt(CONFIG, CONFIGS[name]))
    for name in ("inflating", "sparse", "not there"):
        keep(spoilt(WEIGHTS, HDF5[name]))
    members = members_of(valid)
    for member in (CONFIG, WEIGHTS, OURS):
        others = {name: content for name, content in members.items() if name != member}
        keep(zeros_in(write(tmp_path / "bomb.keras", others), member))
    header = io.BytesIO()
    shape = (50 * 2**18, 3)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    latents = zeros_in(tmp_path / "latents.npz", "latents.npy", header.getvalue())
    assert sum(os.path.getsize(path) for path in [*files, latents]) < 2_000_000
    code = """
import re, sys
from pathlib import Path
from wavegan_rc.errors import DataError
from wavegan_rc.generator.generation import generate
from wavegan_rc.generator.file import load_generator

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000

valid, latents, *hostile = map(Path, sys.argv[1:])
load_generator(valid)
before = peak_mb()
for path in hostile:
    try:
        load_generator(path)
    except DataError:
        continue
    sys.exit(f"{path} was loaded")
try:
    generate(valid, Path("out"), latents_file=latents)
except DataError as error:
    print(peak_mb() - before, error)
"""
    command = [sys.executable, "-c", code, *map(str, [valid, latents, *files])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    grown, message = done.stdout.split(maxsplit=1)
    assert "latents.npz: not a latents file" in message
    assert float(grown) < 50  # MB


# Latents and arrays


class Marker:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.makedirs, (self.path,)


def npy(array, **header):
    """An .npy file whose header claims something else."""
    stream = io.BytesIO()
    described = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(stream, described | header)
    return stream.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    "header",
    [
        {"shape": (10**12, 3)},
        {"shape": (2**62, 2**62)},
        {"shape": (-1, 3)},
        {"shape": (2, 3.0)},
        {"descr": "|O"},
        {"descr": "<c8"},
        {"descr": "<U2"},
        {"descr": "|V4"},
        {"descr": [("a", "<f4")]},
        {"descr": "<M8[s]"},
        {"descr": "__import__('os')"},
    ],
)
def test_arrays_that_claim_something_else_are_refused(header, valid, tmp_path):
    content = npy(np.zeros((2, 3), "f4"), **header)
    latents = write(tmp_path / "latents.npz", {"latents.npy": content})
    with pytest.raises(DataError, match=r"latents\.npz: .*latents") as refused:
        generate(valid, tmp_path / "out", latents_file=latents)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npy: ") as refused:
        open_segments(tmp_path / "a.npy", sample_rate=8000)
    assert "\n" not in str(refused.value)


def test_pickles_are_not_unpickled(valid, tmp_path):
    pickled = np.array([[Marker(tmp_path / "marker")]], dtype=object)
    np.savez(tmp_path / "latents.npz", latents=pickled)
    np.save(tmp_path / "a.npy", pickled)
    with pytest.raises(DataError, match="not a latents file"):
        generate(valid, tmp_path / "out", latents_file=tmp_path / "latents.npz")
    with pytest.raises(DataError, match=r"a\.npy: "):
        open_segments(tmp_path / "a.npy", sample_rate=8000)
    assert not (tmp_path / "marker").exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (tmp_path / "marker").exists()


def test_latents_from_a_pipe_are_refused(valid, tmp_path):
    """It would wait for ever."""
    with (
        nobody_reads(tmp_path / "latents.npz"),
        pytest.raises(DataError, match="not a latents file"),
    ):
        generate(valid, tmp_path / "out", latents_file=tmp_path / "latents.npz")


def test_many_latents_of_zeros_are_still_latents(valid, tmp_path):
    """Compressed to a thousandth, but small."""
    np.savez_compressed(tmp_path / "latents.npz", latents=np.zeros((2, 3)), more=np.zeros(2**20))
    generate(valid, tmp_path / "out", latents_file=tmp_path / "latents.npz")
    assert len(list((tmp_path / "out").glob("*.wav"))) == 2


# Random damage


def damaged(content, rng):
    """Some bytes changed; of one in eight, the end lost."""
    spoilt = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 20])):
        spoilt[rng.randrange(len(spoilt))] = rng.choice([0, 1, 127, 255, rng.randrange(256)])
    return bytes(spoilt[: rng.randrange(len(spoilt))] if rng.random() < 0.125 else spoilt)


def loads_or_is_refused(load, path, shapes):
    """Whether it loads, and then to these shapes; any other error fails the test."""
    try:
        found, message = load(path), ""
    except DataError as error:
        found, message = shapes, str(error)
    assert found == shapes
    assert not message or (message.startswith(f"{path}: ") and message.isprintable())
    return not message


def generator_shapes(path):
    model, _ = load_generator(path)
    return model.output_shape, [weights.shape for weights in model.get_weights()]


@pytest.mark.parametrize(
    ("member", "trials"), [(None, 150), (CONFIG, 150), (WEIGHTS, 60), (OURS, 40)]
)
def test_damaged_generators_load_alike_or_are_refused(member, trials, valid, tmp_path):
    """Of one member, its checksum is put right again: what is inside must be seen through."""
    rng = random.Random(f"generator {member}")
    shapes = generator_shapes(valid)
    members = members_of(valid)
    path = tmp_path / "d.keras"
    loaded = 0
    for _ in range(trials):
        if member is None:
            path.write_bytes(damaged(valid.read_bytes(), rng))
        else:
            write(path, members | {member: damaged(members[member], rng)})
        loaded += loads_or_is_refused(generator_shapes, path, shapes)
    assert loaded < trials


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = Config(**yaml.safe_load((ROOT / "configs" / "smoke.yaml").read_text()))
    folder = tmp_path_factory.mktemp("run")
    shutil.copy(ROOT / "configs" / "smoke.yaml", folder / "config.yaml")
    (folder / "checkpoints").mkdir()
    save_checkpoint(folder / "checkpoints", 1, build_model(config).save_weights, [])
    return folder


def test_damaged_checkpoints_load_alike_or_are_refused(run, tmp_path):
    rng = random.Random("checkpoint")
    _, model, checkpoint = load_run(run)
    whole = checkpoint.read_bytes()
    shapes = [weights.shape for weights in model.get_weights()]

    def load(path):  # whatever the checksum says: a stranger's description fits their file
        load_checkpoint(model, Checkpoint(1, path, {}, rollbacks=0, sha256=""))
        return [weights.shape for weights in model.get_weights()]

    copy = tmp_path / "run" / "checkpoints" / checkpoint.name
    copy.parent.mkdir(parents=True)
    shutil.copy(run / "config.yaml", copy.parents[1])
    copy.write_bytes(whole)
    assert load(copy) == shapes
    loaded = 0
    for _ in range(25):
        copy.write_bytes(damaged(whole, rng))
        loaded += loads_or_is_refused(load, copy, shapes)
    assert 2 < loaded < 23
    for _ in range(200):
        copy.write_bytes(damaged(whole, rng))
        loads_or_is_refused(check_weights_file, copy, None)
    with h5py.File(copy, "w") as file:
        file["x"] = h5py.ExternalLink("y", "/")
    with pytest.raises(DataError, match="is a link to somewhere else"):
        load(copy)
