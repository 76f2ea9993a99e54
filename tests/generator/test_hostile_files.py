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
from helpers import PRESETS, ROOT

from wavegan_rc.config import Config
from wavegan_rc.config.choices import ACTIVATIONS, ARCHITECTURES, PADDINGS, UPSAMPLERS
from wavegan_rc.errors import DataError
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import GeneratorWeights, StageWeights, fold_generator
from wavegan_rc.generator.generation import draw_latents, write_generated
from wavegan_rc.measurement.sources import open_segments
from wavegan_rc.network_audit.audit import load_run
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.runs.checkpoints import Checkpoint, save_checkpoint
from wavegan_rc.runs.run import config_as_yaml
from wavegan_rc.runs.weights_file import check_weights_file
from wavegan_rc.training.model import build_model, load_checkpoint

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
    save_generator(Generator(fold_generator(generator), 8000), path)
    _ = load_generator(path).model  # imports that wait for a first call are made
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
    """Write the valid generator with a member changed."""

    def spoil(member, change):
        members = members_of(valid)
        if member == WEIGHTS:
            stream = io.BytesIO(members[WEIGHTS])
            with h5py.File(stream, "a") as file:
                change(file)
            members[WEIGHTS] = stream.getvalue()
        else:
            members[member] = change(members.get(member))
        return write(tmp_path / "stranger.keras", members)

    return spoil


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
    saved = Generator(fold_generator(generator), 8000, 1700.0)
    save_generator(saved, tmp_path / "g.keras")
    loaded = load_generator(tmp_path / "g.keras")
    assert (loaded.sample_rate, loaded.stopband_hz) == (8000, 1700.0)
    assert loaded.upsampling_factors == (2, 4)
    assert (loaded.latent_dim, loaded.segment_length) == (3, 96)
    assert loaded.model.output_shape == (None, 96, 1)
    latents = draw_latents(3, 3, seed=0)
    np.testing.assert_allclose(loaded.model(latents), generator(latents), atol=1e-5)
    np.testing.assert_array_equal(loaded.model(latents), saved.model(latents))
    plain = keras.saving.load_model(tmp_path / "g.keras")
    np.testing.assert_array_equal(plain(latents), saved.model(latents))
    save_generator(loaded, tmp_path / "again.keras")
    again = load_generator(tmp_path / "again.keras").model
    np.testing.assert_array_equal(again(latents), saved.model(latents))


@pytest.mark.parametrize("upsampler", ["transposed", "sinc", "subpixel"])
@pytest.mark.parametrize(
    ("activation", "pixel_norm"), [*((word, False) for word in ACTIVATIONS), ("relu", True)]
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_generators_of_every_architecture_load(
    architecture, activation, pixel_norm, upsampler, tmp_path
):
    generator = build_generator(
        segment_length=96,
        upsampling_factors=(2, 4),
        kernel_size=7,
        filters=4,
        latent_dim=3,
        upsampler=upsampler,
        architecture=architecture,
        activation=activation,
        pixel_norm=pixel_norm,
        use_bias=upsampler != "sinc",
        seed=1,
    )
    for weight in generator.trainable_variables:
        if weight.path.endswith("bias"):  # zeros at first, which would hide a mistake
            weight.assign(np.random.default_rng(0).standard_normal(weight.shape))
    saved = Generator(fold_generator(generator), 8000, 1700.0)
    save_generator(saved, tmp_path / "g.keras")
    loaded = load_generator(tmp_path / "g.keras")
    latents = draw_latents(3, 3, seed=0)
    audio = generator(latents)
    assert np.abs(audio).max() > 0.01
    np.testing.assert_allclose(loaded.model(latents), audio, atol=1e-5)
    assert (loaded.upsampling_factors, loaded.segment_length) == ((2, 4), 96)
    plain = keras.saving.load_model(tmp_path / "g.keras")
    np.testing.assert_array_equal(plain(latents), saved.model(latents))


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    path = tmp_path_factory.mktemp("residual") / "generator.keras"
    generator = build_generator(
        segment_length=64,
        upsampling_factors=(2, 2),
        kernel_size=5,
        filters=4,
        latent_dim=3,
        seed=0,
        architecture="residual",
    )
    save_generator(Generator(fold_generator(generator), 8000), path)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings["stages"][0].pop("skip"),
        lambda settings: [stage.pop("skip") for stage in settings["stages"]],
        lambda settings: settings["stages"][0]["skip"].update(factor=4),
        lambda settings: settings["stages"][1].update(skip=None),
        lambda settings: settings["arrays"].pop("last"),
        lambda settings: settings["arrays"].pop("stage_1_dilation_4"),
        lambda settings: settings["arrays"].update(last="dense"),
        lambda settings: settings["arrays"].update(stage_1_skip="conv1d/vars"),
        lambda settings: settings["arrays"].update(stage_1_dilation_8=["conv1d"]),
        lambda settings: settings.update(arrays=[]),
        lambda settings: settings.update(activation="tanh"),
    ],
)
def test_changed_settings_of_residual_stages_are_refused(change, residual, tmp_path):
    members = members_of(residual)
    settings = json.loads(members[OURS])
    change(settings)
    refusal(write(tmp_path / "stranger.keras", members | {OURS: json.dumps(settings)}))


def test_a_link_to_a_generator_is_followed(valid, tmp_path):
    (tmp_path / "link.keras").symlink_to(valid)
    assert load_generator(tmp_path / "link.keras").model.output_shape == (None, 64, 1)


# Code, other files and connections


def pickled_lambda(marker):
    """What Keras would run if it loaded the file, outside its safe mode."""
    inputs = keras.Input((3,), name="latents")
    run_code = keras.layers.Lambda(lambda x: (os.makedirs(marker, exist_ok=True), x)[1])
    config = keras.saving.serialize_keras_object(keras.Model(inputs, run_code(inputs)))
    os.rmdir(marker)  # made when the model was
    return json.dumps(config).encode()


def test_the_architecture_in_a_file_is_never_read(valid, tmp_path, monkeypatch):
    """The network is built from the settings and the shapes of arrays."""
    latents = draw_latents(3, 3, seed=0)
    expected = np.asarray(load_generator(valid).model(latents))
    marker = tmp_path / "marker"
    evil = pickled_lambda(str(marker))
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras opens it"))
    for config in (evil, b"{", None):
        members = members_of(valid) | {CONFIG: config, "metadata.json": config, "more": b"x"}
        members = {name: content for name, content in members.items() if content is not None}
        path = write(tmp_path / "stranger.keras", members)
        with nothing_happens_but_reading(path):
            generator = load_generator(path)
        np.testing.assert_array_equal(generator.model(latents), expected)
    assert not marker.exists()
    path = write(tmp_path / "evil.keras", members_of(valid) | {CONFIG: evil})
    monkeypatch.undo()
    keras.saving.load_model(path, safe_mode=False)
    assert marker.exists()


def test_a_file_of_an_earlier_version_is_named_as_such(spoilt):
    settings = {"sample_rate": 8000, "upsampling_factors": [4]}
    path = spoilt(OURS, lambda _: json.dumps(settings))
    assert "an earlier version of wavegan_rc wrote it: train again" in refusal(path)


# Settings


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
def test_text_that_is_no_settings_is_refused(text, valid, tmp_path):
    refusal(write(tmp_path / "stranger.keras", members_of(valid) | {OURS: text}))


NUMBERS = (0, -1, 2**31, 10**30, 8000.5, True, "8", [8], {}, float("nan"), float("inf"))
# The valid generator has one stage: factor 4, 3 taps at the low rate, 16 samples, 4 channels.
CHANGED = [
    *({"sample_rate": rate} for rate in (*NUMBERS, None)),
    *({"stopband_hz": hz} for hz in (0, -1, True, "1", [1], float("inf"), float("nan"))),
    *({"padding": word} for word in ("same", None, 1, ["zeros"], {})),
    *({"stages": stages} for stages in ([], {}, None, "stages", [[]], [{}], [None])),
    *({"factor": factor} for factor in (*NUMBERS, None, 1, 3, 8)),
    *({"before": before} for before in (-1, 3, 10**9, 0.5, True, "1", None)),
    *({"ends": ends} for ends in (["head"], ["tail", "head"], ["middle"], "head", None, 1)),
]


@pytest.mark.parametrize("change", CHANGED, ids=str)
def test_settings_that_make_no_sense_are_refused(change, spoilt):
    def changed(text):
        settings = json.loads(text)
        inner = settings["stages"][0] if change.keys() <= settings["stages"][0].keys() else settings
        inner.update(change)
        return json.dumps(settings)

    refusal(spoilt(OURS, changed))


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: [settings],
        lambda _: {},
        lambda _: "stages",
        lambda settings: settings | {"stages": 2 * settings["stages"]},
        lambda settings: settings | {"stages": 100_000 * settings["stages"]},
        *(
            lambda settings, name=name: {k: v for k, v in settings.items() if k != name}
            for name in ("sample_rate", "stopband_hz", "padding", "activation", "stages", "arrays")
        ),
    ],
)
def test_settings_of_another_form_are_refused(change, spoilt):
    refusal(spoilt(OURS, lambda text: json.dumps(change(json.loads(text)))))


def test_a_generator_of_endless_audio_is_refused(valid, tmp_path):
    """Stages of one channel have few weights, so that a small file could fill the memory."""
    one = StageWeights(64, 0, np.zeros((1, 1, 64), np.float32))
    weights = GeneratorWeights(np.ones((3, 1), np.float32), None, (one,) * 4, None, "zeros")
    save_generator(Generator(weights, 8000), tmp_path / "g.keras")
    assert load_generator(tmp_path / "g.keras").segment_length == 2**24
    members = members_of(tmp_path / "g.keras")
    stream = io.BytesIO(members[WEIGHTS])
    with h5py.File(stream, "a") as file:
        file["layers/conv1d_4/vars/0"] = np.zeros((1, 1, 64), np.float32)
    settings = json.loads(members[OURS])
    settings["stages"] *= 2
    settings["stages"] = settings["stages"][:5]
    settings["arrays"]["stage_5"] = "conv1d_4"
    members |= {WEIGHTS: stream.getvalue(), OURS: json.dumps(settings)}
    path = write(tmp_path / "stranger.keras", members)
    assert "arrays of stage 5" in refusal(path)


# The archive


@pytest.mark.parametrize("name", [WEIGHTS, OURS])
def test_members_missing_compressed_or_too_large_are_refused(name, valid, tmp_path):
    members = members_of(valid)
    path = tmp_path / "stranger.keras"
    write(path, {other: members[other] for other in members if other != name})
    assert f"no item named '{name}'" in refusal(path)
    write(path, members, zipfile.ZIP_DEFLATED)
    assert "must be uncompressed" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        for other, content in members.items():
            archive.writestr(other, content)
        archive.getinfo(name).file_size = archive.getinfo(name).compress_size = 2**31
    assert "must be uncompressed and have at most" in refusal(path)


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
        lambda file: swap(file, data=np.full((3, 64), np.nan, "f4")),
        lambda file: swap(file, data=np.full((3, 64), 1e300)),
        lambda file: swap(file, data=np.zeros((3, 64, 1), "f4")),
        lambda file: swap(file, data=np.zeros((0, 64), "f4")),
    ],
)
def test_weights_of_another_network_are_refused(change, spoilt):
    refusal(spoilt(WEIGHTS, change))


@pytest.mark.parametrize("shape", [(2, 1, 2), (2,), (0, 1, 1)])
def test_a_post_filter_of_another_shape_is_refused(shape, spoilt, tmp_path):
    def add(file):
        file.create_dataset("layers/conv1d_1/vars/0", data=np.zeros(shape, "f4"))

    members = members_of(spoilt(WEIGHTS, add))
    settings = json.loads(members[OURS])
    settings["arrays"]["post_filter"] = "conv1d_1"
    refusal(write(tmp_path / "filtered.keras", members | {OURS: json.dumps(settings)}))


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


@pytest.mark.slow
def test_small_files_do_not_fill_the_memory(valid, spoilt, tmp_path):
    """The peak of a process that loads them all; each would have taken 150 MB or more."""
    files = []

    def keep(path):
        files.append(shutil.move(path, tmp_path / f"{len(files)}.keras"))

    for name in ("inflating", "sparse", "not there"):
        keep(spoilt(WEIGHTS, HDF5[name]))
    members = members_of(valid)
    for member in (WEIGHTS, OURS):
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
from wavegan_rc.generator.generation import write_generated
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
    write_generated(valid, Path("out"), latents_file=latents)
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
        write_generated(valid, tmp_path / "out", latents_file=latents)
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
        write_generated(valid, tmp_path / "out", latents_file=tmp_path / "latents.npz")
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
        write_generated(valid, tmp_path / "out", latents_file=tmp_path / "latents.npz")


def test_many_latents_of_zeros_are_still_latents(valid, tmp_path):
    """Compressed to a thousandth, but small."""
    np.savez_compressed(tmp_path / "latents.npz", latents=np.zeros((2, 3)), more=np.zeros(2**20))
    write_generated(valid, tmp_path / "out", latents_file=tmp_path / "latents.npz")
    assert len(list((tmp_path / "out").glob("[0-9]*.wav"))) == 2


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
    model = load_generator(path).model
    return model.output_shape, [weights.shape for weights in model.get_weights()]


@pytest.mark.parametrize(("member", "trials"), [(None, 150), (WEIGHTS, 60), (OURS, 40)])
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
    config = Config(**yaml.safe_load((PRESETS / "smoke.yaml").read_text()))
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.yaml").write_text(config_as_yaml(config))
    (folder / "checkpoints").mkdir()
    save_checkpoint(folder / "checkpoints", 1, build_model(config).save_weights, [])
    return folder


@pytest.mark.slow
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
