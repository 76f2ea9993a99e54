import os
import platform
import re
import runpy
import subprocess
import sys

import pytest
import yaml
from helpers import ROOT
from helpers.commands import ended

from wavegan_rc.cli.commands import COMMANDS
from wavegan_rc.cli.generate import generate_command
from wavegan_rc.cli.sweep import sweep_command
from wavegan_rc.cli.train import train_command
from wavegan_rc.config import Config
from wavegan_rc.runs.run import config_as_yaml


def run(argv, capsys):
    return ended(train_command, argv, capsys)


def resolved(argv, capsys):
    code, out, err = run([*argv, "--print-config"], capsys)
    assert (code, err) == (0, "")
    return yaml.safe_load(out)


@pytest.mark.parametrize("flags_first", [True, False])
def test_a_flag_beats_the_file_whatever_the_order(tmp_path, capsys, flags_first):
    file = tmp_path / "c.yaml"
    file.write_text("steps: 5\nbatch_size: 7\n")
    flags, config = ["--steps", "9"], ["--config", str(file)]
    settings = resolved(flags + config if flags_first else config + flags, capsys)
    assert (settings["steps"], settings["batch_size"]) == (9, 7)


def test_hyphens_and_underscores_are_both_accepted(capsys):
    hyphens = resolved(["--batch-size", "4", "--upsampling-factors", "4", "4"], capsys)
    underscores = resolved(["--batch_size=4", "--upsampling_factors", "4", "4"], capsys)
    assert hyphens == underscores
    assert (hyphens["batch_size"], hyphens["upsampling_factors"]) == (4, [4, 4])


def test_a_file_may_use_hyphens_too(tmp_path, capsys):
    file = tmp_path / "c.yaml"
    file.write_text("batch-size: 7\n")
    assert resolved(["--config", str(file)], capsys)["batch_size"] == 7


def test_upsamplers_are_one_word_or_a_list_on_the_command_line_and_in_a_file(tmp_path, capsys):
    stages = ["transposed", "linear"]
    base = ["--upsampling-factors", "4", "4"]
    assert resolved([*base, "--upsampler", "sinc"], capsys)["upsampler"] == "sinc"
    assert resolved([*base, "--upsampler", *stages], capsys)["upsampler"] == stages
    file = tmp_path / "c.yaml"
    for text, expected in (("sinc", "sinc"), ("[transposed, linear]", stages)):
        file.write_text(f"upsampler: {text}\n")
        assert resolved([*base, "--config", str(file)], capsys)["upsampler"] == expected


def test_a_run_of_a_name_that_exists_is_refused_before_any_work(tmp_path, capsys, fresh_cache):
    (tmp_path / "a=b,c_d").mkdir()
    code, _, err = run(["--name=a=b,c_d", "--out", str(tmp_path)], capsys)
    assert (code, err) == (2, f"error: {tmp_path}/a=b,c_d exists: a run is never overwritten\n")
    assert not fresh_cache.exists()


def test_a_value_keeps_its_underscores(capsys):
    assert resolved(["--data=my_speech"], capsys)["data"] == "my_speech"
    assert resolved(["--data", "my_speech"], capsys)["data"] == "my_speech"


def test_print_config_can_be_read_back(tmp_path, capsys):
    settings = resolved(["--cutoff-hz", "null", "--learning-rate", "3e-5"], capsys)
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(settings))
    assert resolved(["--config", str(file)], capsys) == settings
    assert settings["learning_rate"] == 3e-5


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--steps", "many"], ["steps", "many"]),
        (["--steps", "4.5"], ["steps", "4.5"]),
        (["--steps"], ["--steps"]),
        (["--upsampler", "deconv"], ["upsampler", "transposed, resize", "deconv"]),
        (["--bogus", "1"], ["--bogus"]),
        (["--step", "1"], ["--step"]),
        (
            ["--phase-shuffle-per-example", "maybe"],
            ["--phase-shuffle-per-example must be", "maybe"],
        ),
        (["--cutoff-hz", "8000"], ["--cutoff-hz must be", "8000"]),
        (["--upsampling-factors", "3"], ["of --upsampling-factors, 3 = 3", "2048"]),
        (["--config", "nowhere.yaml"], ["nowhere.yaml"]),
        (["--data", "nowhere"], ["nowhere: no such folder, glob or file"]),
        (["--data", "~nosuchuser/speech"], ["~nosuchuser/speech cannot be searched"]),
        (["--data", "x" * 300], ["x" * 300]),
        (["--seed", str(2**64)], ["seed"]),
        (["--name", "a/b"], ["name must be that of one folder", "a/b"]),
        (["--name", ".."], ["name must be that of one folder", ".."]),
        (["--name="], ["name must be text"]),
    ],
)
def test_bad_flags_give_one_line_and_exit_code_2(argv, named, capsys, tmp_path):
    code, out, err = run([*argv, "--out", str(tmp_path / "runs")], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for word in named:
        assert word in err
    assert not list(tmp_path.glob("runs/*"))


def bomb(levels=12, width=9):
    """Aliases of lists of aliases: as text 9 ** 12 words, as a file 500 bytes."""
    names = [f"l{level}" for level in range(levels)]
    lines = [f"upsampler: &{names[0]} [{', '.join(['sinc'] * width)}]"]
    for name, inner in zip(names[1:], names, strict=False):
        lines.append(f"{name}: &{name} [{', '.join(['*' + inner] * width)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("bogus: 3", "bogus"),
        ("steps: many", "steps"),
        ("steps: 4.5", "steps"),
        ("steps: [1]", "steps"),
        ("upsampler: deconv", "upsampler"),
        ("upsampling_factors: 2", "upsampling_factors"),
        ("upsampling_factors: [2, x]", "upsampling_factors"),
        ("upsampling_factors:", "upsampling_factors"),
        ("steps:", "steps"),
        ("out:", "out"),
        ("phase_shuffle_per_example:", "phase_shuffle_per_example"),
        ("3: 4", "3"),
        ("- 3", "setting: value"),
        ("steps: [", "line"),
        ("\tsteps: 3", "line"),
        ("!!python/object/apply:os.system ['true']", "python"),
        ("steps: 0", "steps"),
        ("steps: 3\nseed: 1\nsteps: 4", "line 3: steps is set twice"),
        ("batch-size: 3\nbatch_size: 4", "line 2: batch_size is set twice"),
        ("steps:\t3", "line 1: found character '\\t' that cannot start any token. Received: steps"),
        ("seed: 1\nsteps: 3\t", "line 2: found character"),
        ("seed: 1\n\tsteps: 3", "line 2: found character"),
        (bomb(), "line 2: an alias is not allowed. Received: l1: "),
        ("steps: &a [*a]", "line 1: an alias is not allowed. Received: steps: "),
        ("x: &x {steps: 3}\n<<: *x", "line 2: an alias is not allowed. Received: <<: *x"),
        ("<<: 3", "unknown setting: <<"),
        ("steps: " + "9" * 5000, "line 1: a value must be text, a number"),
        ("seed: 0x" + "f" * 5000, "line 1: a value must be text, a number"),
        ("silence_db: -1" + ":59" * 5000, "line 1: a value must be text, a number"),
        ("segment_length: 1" + "0" * 90, "segment_length must be a whole number (16 to 1048576)"),
        ("steps: 2147483648", "steps must be a whole number (1 to 2147483647)"),
        ("batch_size: 65537", "batch_size must be a whole number (1 to 65536)"),
        ("sample_rate: 2000000", "sample_rate must be a whole number (1 to 1000000)"),
        ("filters: 1000000000", "filters must be a whole number (1 to 16384)"),
        ("filters: 16384", "filters 16384, kernel_size 22, latent_dim 64 and segment_length 2048"),
        ("latent_dim: 65536\nupsampling_factors: [2]", "latent_dim 65536"),
        ("kernel_size: 65536", "kernel_size 65536"),
        (
            "critic_steps: 5\nbatch_size: 60000",
            "batch_size 60000, critic_steps 5 and segment_length 2048 must",
        ),
        ("critic_steps: 101", "critic_steps must be a whole number (1 to 100)"),
        ("sample_count: 1000001", "sample_count must be a whole number (1 to 1000000)"),
        (
            f"upsampling_factors: [{'2, ' * 21}]",
            "upsampling_factors must be a list of 1 to 20 whole numbers",
        ),
        (
            f"upsampling_factors: [{'2, ' * 101}]",
            "upsampling_factors must be a list of 1 to 20 whole numbers",
        ),
        (
            f"upsampling_factors: [{('9' * 99 + ', ') * 90}]",
            "upsampling_factors must be a list of 1 to 20 whole numbers",
        ),
        (f"upsampler: [{'sinc, ' * 2000}]", "upsampler must be one of"),
        (
            "gradient_penalty_weight: 1" + "0" * 400,
            "true, false or null. Received: gradient_penalty_weight: 1000",
        ),
        ("learning_rate: 1.0e+400", "learning_rate must be a finite number (above 0)"),
        ("cutoff_hz: .nan", "cutoff_hz must be a finite number"),
        ("silence_db: .nan", "silence_db must be a finite number (at most 0)"),
        ("learning_rate: -.inf", "learning_rate must be a finite number (above 0)"),
        ("steps: .inf", "steps must be a whole number"),
        ("sample_rate: 3000", "cutoff_hz must be below 1300 Hz"),  # together with the default
        ("steps: true", "steps must be a whole number"),
        ("upsampler: no", "upsampler must be one of"),
        ("upsampling_factors: [2, true]", "upsampling_factors must be a list"),
        ("upsampling_factors: [2, [2]]", "upsampling_factors must be a list"),
        ("upsampling_factors: [2, {a: 2}]", "upsampling_factors must be a list"),
        ("steps: {a: 3}", "steps must be a whole number"),
        (
            "data: 2001-01-01",
            "must be text, a number, true, false or null. Received: data: 2001-01-01",
        ),
        (
            "data: 2001-99-99",
            "must be text, a number, true, false or null. Received: data: 2001-99-99",
        ),
        (
            "data: !!binary aGk=",
            "must be text, a number, true, false or null. Received: data: !!binary aGk=",
        ),
        ("steps: !!int abc", "line 1: a value does not suit its tag. Received: steps: "),
        ("steps: !!bool abc", "line 1: a value does not suit its tag. Received: steps: "),
        (
            "steps: !!timestamp abc",
            "must be text, a number, true, false or null. Received: steps: ",
        ),
        ("steps: !!set {a, b}", "must be text, a number, true, false or null. Received: steps: "),
        (
            "steps: !!python/tuple [2]",
            "must be text, a number, true, false or null. Received: steps: ",
        ),
        (
            "steps: !!python/name:os.system",
            "must be text, a number, true, false or null. Received: steps: ",
        ),
        (
            "steps: !!python/object/apply:os.system ['true']",
            "must be text, a number, true, false or null. Received: steps: ",
        ),
        ('data: ""', "data must be text that can name a file"),
        ('out: "\\0"', "out must be text that can name a file. Received: '\\x00'"),
        ('out: "\\ud800"', "out must be text that can name a file. Received: '\\ud800'"),
        ("steps: 'never closed\n\n", "Received: steps: 'never closed"),
        ("steps: [never closed", "Received: steps: [never closed"),
        ("steps: 3\nseed: \x07", "line 2: special characters are not allowed. Received: seed: "),
        ("? [steps]\n: 3", "line 1: a setting must be a word"),
        ("two\\nlines: 3", "unknown setting: two\\nlines"),
        ("k" * 1000 + ": 3", "unknown setting: kkk"),
        ("steps: " + "k" * 10000, "(1 to 2147483647). Received: 'kkk"),
        ("[" * 5000, "nested too deeply"),
        ("- " * 8000, "nested too deeply"),
        ("steps: 3\n---\nsteps: 4", "but found another document"),
        ("{" * 5000, "nested too deeply"),
        ("[[]," * 4000, "nested too deeply"),
        ("# " + "x" * 2**14, "longer than 16384 bytes"),
    ],
)
def test_a_hostile_config_file_gives_one_short_line_with_the_file_and_the_key(
    text, named, tmp_path, capsys
):
    file = tmp_path / "hostile.yaml"
    file.write_text(text)
    code, _, err = run(["--config", str(file)], capsys)
    assert code == 2
    assert err.startswith(f"error: {file}: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert named in err
    assert len(err) < len(str(file)) + 250


def test_a_config_that_never_ends_is_not_read_to_its_end(capsys):
    code, _, err = run(["--config", "/dev/zero"], capsys)
    assert (code, err) == (2, "error: /dev/zero: is longer than 16384 bytes\n")


def test_a_config_may_come_from_a_pipe(tmp_path, capsys):
    reading, writing = os.pipe()
    os.write(writing, b"steps: 5")
    os.close(writing)
    assert resolved(["--config", f"/dev/fd/{reading}"], capsys)["steps"] == 5
    os.close(reading)


@pytest.mark.parametrize(
    "argument",
    [
        "--steps=" + "9" * 5000,
        "--silence-db=-1" + "0" * 400,
        "--steps=" + "[" * 5000,
        "--steps=" + "- " * 5000,
        "--steps=!!bool abc",
        "--steps=!!int abc",
        "--batch-size=2001-99-99",
        "--steps=*a",
        "--data=",
        "--out=a\0b",
    ],
)
def test_a_hostile_flag_gives_one_line(argument, capsys):
    code, _, err = run([argument], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")


def test_paths_that_are_no_text_can_be_printed():
    code = (
        "from wavegan_rc.cli.process import run_command\n"
        "run_command(lambda *_: print('caf\\udce9') or 0, 'test', [])"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stdout) == (0, b"caf\\udce9\n")


def test_a_reader_that_has_gone_is_no_error_of_the_program():
    """`train.py | head`: the exit code is what a shell reports of SIGPIPE."""
    code = (
        "from wavegan_rc.cli.process import run_command\n"
        "def command(*_):\n    while True:\n        print('x' * 1000, flush=True)\n"
        "run_command(command, 'test', [])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_the_file_is_blamed_only_for_what_it_says(tmp_path, capsys):
    file = tmp_path / "c.yaml"
    file.write_text("steps: 5\nbatch_size: 0\n")
    assert str(file) in run(["--config", str(file)], capsys)[2]
    both = run(["--config", str(file), "--batch-size", "-1"], capsys)[2]
    assert both.startswith("error: --batch-size must be ")
    assert str(file) not in both


def test_another_keras_backend_is_refused(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), "--out", str(tmp_path)]
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    message = "error: KERAS_BACKEND must be tensorflow or jax. Received: torch\n"
    assert (done.returncode, done.stderr) == (2, message)


def test_a_config_that_is_not_text_is_refused(tmp_path, capsys):
    file = tmp_path / "bad.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    code, _, err = run(["--config", str(file)], capsys)
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("where", ["file", "in-file", "read-only", "too long"])
def test_an_output_folder_that_cannot_be_written(where, tmp_path, capsys):
    if where == "read-only":
        out = "/proc/runs"  # refuses even root
    elif where == "too long":
        out = str(tmp_path / ("x" * 300))
    else:
        (tmp_path / "taken").write_text("")
        out = str(tmp_path / "taken" / ("runs" if where == "in-file" else ""))
    code, _, err = run(["--out", out], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: --out cannot be written")


def test_help_states_units_and_defaults_and_loads_no_heavy_library():
    code = (
        "import sys\n"
        "from wavegan_rc.cli.train import train_command\n"
        "try: train_command('train.py', ['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'librosa', 'scipy', 'numpy', 'soundfile', 'matplotlib'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    low_pass = "highest frequency that the low-pass on the recordings keeps"
    assert f"--cutoff-hz X {low_pass} (Hz; above 0; null: none; default: 1500.0)" in text
    assert "--batch-size N segments in each update (1 to 65536; default: 16)" in text
    groups = [line for line in done.stdout.splitlines() if re.fullmatch(r"[a-z]+:", line)]
    headings = "options", "data", "generator", "critic", "training", "output", "examples"
    assert groups == [f"{heading}:" for heading in headings]


def test_the_installed_program_lists_its_commands():
    program = [sys.executable, "-c", "from wavegan_rc.cli.commands import main; main()"]
    listed = subprocess.run([*program, "--help"], capture_output=True, text=True)
    assert listed.returncode == 0
    assert "train" in listed.stdout
    assert "generate" in listed.stdout


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [(["--help"], 0, "one of bench, "), (["nosuch"], 2, "extra must be one of bench, ")],
)
def test_the_list_of_packages_without_tensorflow_answers_mistakes(
    argv, code, said, monkeypatch, capsys
):
    script = str(ROOT / "scripts" / "without_tensorflow.py")
    monkeypatch.setattr(sys, "argv", [script, *argv])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(script)
    assert end.value.code == code
    assert said in " ".join("".join(capsys.readouterr()).split())


def test_scripts_are_thin():
    for script in (ROOT / "scripts").glob("*.py"):
        assert len(script.read_text().splitlines()) < 20, script


def test_no_settings_take_a_second_or_more_memory_than_a_few_megabytes(tmp_path):
    """In a fresh process, whose largest memory tells, and which loads no heavy library for it."""
    texts = [
        bomb(levels=20, width=20),
        "[" * 16000,
        "[[]," * 4000,
        "? " * 8000,
        "\n".join(f"k{i}: 1" for i in range(1500)),
        f"upsampling_factors: [{'2, ' * 5000}]",
        f"upsampling_factors: [{('9' * 99 + ', ') * 100}]",
        "filters: 2147483647",
        "segment_length: 1048576\nbatch_size: 65536",
        "x" * 10**8,
    ]
    for i, text in enumerate(texts):
        (tmp_path / f"{i}.yaml").write_text(text)
    code = (
        "import resource, sys, time\n"
        "from wavegan_rc.cli.train import train_command\n"
        "from wavegan_rc.errors import WaveganError\n"
        "def memory(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    began, before = time.process_time(), memory()\n"
        "    try: train_command('train.py', ['--config', path])\n"
        "    except WaveganError: print(time.process_time() - began, memory() - before)\n"
        "    else: print('taken')\n"
        "assert 'tensorflow' not in sys.modules"
    )
    files = [str(tmp_path / f"{i}.yaml") for i in range(len(texts))]
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) == len(texts)
    for seconds, kilobytes in rows:
        assert float(seconds) < 1
        assert int(kilobytes) < 20_000


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
@pytest.mark.parametrize(("backend", "kept"), [("tensorflow", True), ("jax", False)])
def test_memory_that_tensorflow_frees_is_kept_for_its_next_tensors(backend, kept):
    """The pages that a thread takes anew which allocates and frees 8 x 4 MiB a hundred times."""
    pytest.importorskip(backend)
    program = """
import ctypes, resource, threading
from wavegan_rc.utils.keras_start import choose_backend
choose_backend()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def work():
    for _ in range(100):
        blocks = [ctypes.c_void_p(libc.malloc(2**22)) for _ in range(8)]
        for block in blocks:
            libc.memset(block, 1, 2**22)
        for block in blocks:
            libc.free(block)
def taken():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = taken()
thread = threading.Thread(target=work)
thread.start()
thread.join()
print((taken() - before) * resource.getpagesize() / 2**25)
"""
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert (float(done.stdout) < 2) == kept, done.stdout  # times the memory in use at once


@pytest.mark.parametrize(
    ("command", "argv", "message"),
    [
        ("measure", ["x", "--stopband-hz=abc"], "--stopband-hz must be a finite number (above 0)"),
        ("measure", ["x", "--segment-length", "4.5"], "--segment-length must be a whole number"),
        ("sweep", ["x", "--at-once", "abc"], "--at-once must be a whole number (at least 1)"),
        ("sweep", ["x", "--engine", "dask"], "--engine must be one of local, ray. Received: dask"),
        ("export", ["x", "--format", "bogus"], "--format must be one of savedmodel, onnx, litert"),
        ("export", ["x"], "required: --format"),
        ("generate", ["x", "--sample-count", "0"], "count must be a whole number (at least 1)"),
        ("generate", ["x", "--interpolate=1"], "--interpolate"),
        ("generate", ["x", "--out="], "out must be text that can name a file"),
        ("explain", ["--upsampling-factors", "2", "x"], "must be a list of 1 to 20 whole numbers"),
        ("explain", ["--draws", "9"], "draws must be 0 or at least 10. Received: 9"),
        ("train", ["--cutoff-hz", "-1"], "--cutoff-hz must be a finite number (above 0)"),
        ("train", ["--sample-rate=3000"], "--cutoff-hz must be below 1300 Hz, 200 Hz below half"),
        ("train", ["--upsampler=resise", "--steps=1"], "--upsampler must be one of transposed, "),
        ("measure", ["x.npy", "--fail-above", "rms=1"], "--fail-above must name one of "),
        ("report", [], "required: runs"),
        ("train", ["--resume", "a", "--config", "b"], "--resume cannot be combined with --config"),
    ],
)
def test_a_bad_flag_of_any_command_is_named_with_its_rule(command, argv, message, capsys):
    code, out, err = ended(COMMANDS[command], argv, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert message in err
    for internal in ("Parser", "typing", "Literal", "<class", "NoneType"):
        assert internal not in err


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.yaml").write_text("steps: 7")
    assert resolved(["--config=~/own.yaml"], capsys)["steps"] == 7
    for command, argv in (
        (generate_command, ["~/run"]),
        (generate_command, ["~/run", "--latents=~/latents.npz"]),
        (sweep_command, ["~/grid.yaml"]),
    ):
        code, _, err = ended(command, argv, capsys)
        assert (code, f"error: {tmp_path}" in err) == (2, True)


def test_auto_stands_for_the_precision_of_a_resumed_run(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(config_as_yaml(Config(precision="mixed_bfloat16")))
    settings = resolved([f"--resume={tmp_path}", "--precision=auto"], capsys)
    assert settings["precision"] == "mixed_bfloat16"


def test_a_name_that_is_too_long_for_the_system_is_one_line(capsys):
    code, _, err = run(["--resume", "x" * 300], capsys)
    assert code == 2
    assert err.startswith("error: [Errno 36] File name too long: 'xxx")
    assert err.count("\n") == 1
