"""Corpora by name, from a server of our own that can do what servers do."""

import contextlib
import hashlib
import io
import re
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import tone

from wavegan_rc.audio import named_corpora
from wavegan_rc.audio.named_corpora import NAMED_CORPORA, NamedCorpus, recordings_of
from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.errors import DataError

CHUNK = 2**16


def archive_of(*members):
    """Of (name, content) or TarInfo."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def wav(seed):
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).standard_normal(400_000) * 0.1
    soundfile.write(buffer, noise, 16000, format="WAV")
    return buffer.getvalue()


ARCHIVE = archive_of(("some/a.wav", wav(0)), ("some/b.wav", wav(1)), ("some/README", b"hello"))


class Server(ThreadingHTTPServer):
    """Sends `content`; `cuts` are where it cuts off the next connections, None not at all."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = ARCHIVE
        self.cuts = []
        self.ranges = True
        self.status = None
        self.asked = []


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server: Any = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if server.status:
            self.send_error(server.status)
            return
        content, start = server.content, 0
        if asked and server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(content[start:end])
        if end is not None:
            self.close_connection = True


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def corpus(server, fresh_cache, monkeypatch):
    """Called tiny; the folder that it goes to."""
    offer(server, monkeypatch, ARCHIVE)
    return fresh_cache.parent / "recordings" / "tiny"


def offer(server, monkeypatch, content):
    server.content = content
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    tiny = NamedCorpus(
        "Tiny (A. Nobody)",
        "CC BY 9.0",
        f"http://127.0.0.1:{server.server_port}/files/tiny.tar.gz",
        hashlib.sha256(content).hexdigest(),
    )
    monkeypatch.setitem(NAMED_CORPORA, "tiny", tiny)


def fetch(told=None):
    return recordings_of("tiny", (lambda *_: None) if told is None else lambda *t: told.append(t))


def assert_whole(corpus):
    assert sorted(path.name for path in (corpus / "some").iterdir()) == ["README", "a.wav", "b.wav"]
    assert (corpus / "some" / "a.wav").read_bytes() == wav(0)
    assert list(corpus.parent.iterdir()) == [corpus]


def test_a_named_corpus_is_downloaded_once_and_trained_on(corpus, server, caplog):
    caplog.set_level("INFO", "wavegan_rc")
    told = []
    options = {"sample_rate": 16000, "cutoff_hz": None, "stopband_hz": None}
    prepared = prepare_corpus("tiny", **options, on_progress=lambda *event: told.append(event))
    assert [recording.name for recording in prepared.recordings] == ["a.wav", "b.wav"]
    assert_whole(corpus)
    assert told[0] == (1, 2, "MiB of tiny.tar.gz")
    server.status = 500
    prepare_corpus("tiny", **options)
    assert server.asked == [None]
    assert caplog.messages == 2 * ["tiny: Tiny (A. Nobody), CC BY 9.0"]


def test_a_name_wins_over_a_folder_that_is_called_the_same(corpus, tmp_path, monkeypatch, make_wav):
    folder = make_wav("own.wav", tone(300)).parent.rename(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    options = {"sample_rate": 16000, "cutoff_hz": None, "stopband_hz": None}
    assert len(prepare_corpus("tiny", **options).recordings) == 2
    for path in ("./tiny", str(folder)):
        assert len(prepare_corpus(path, **options).recordings) == 1


def test_a_connection_that_is_cut_is_gone_on_with(corpus, server):
    server.cuts = [2 * CHUNK, 3 * CHUNK, 5 * CHUNK]
    fetch()
    assert server.asked == [None, *(f"bytes={n * CHUNK}-" for n in (2, 3, 5))]
    assert_whole(corpus)


def test_what_came_is_kept_for_the_next_time(corpus, server):
    server.cuts = [2 * CHUNK, 2 * CHUNK]  # then nothing comes
    with pytest.raises(DataError, match="the next call resumes it"):
        fetch()
    assert not corpus.exists()
    fetch()
    assert server.asked == [None, f"bytes={2 * CHUNK}-", f"bytes={2 * CHUNK}-"]
    assert_whole(corpus)


def test_a_server_without_ranges_sends_all_again(corpus, server):
    server.cuts, server.ranges = [2 * CHUNK], False
    fetch()
    assert server.asked == [None, f"bytes={2 * CHUNK}-"]
    assert_whole(corpus)


@pytest.mark.parametrize("extra", [0, 5])
def test_killed_when_all_was_there_or_with_a_part_of_another_file(corpus, server, extra):
    work = corpus.parent / "preparing-tiny"
    work.mkdir(parents=True)
    (work / "tiny.tar.gz.part").write_bytes(ARCHIVE + bytes(extra))
    fetch()
    assert server.asked == [f"bytes={len(ARCHIVE) + extra}-", *([None] if extra else [])]
    assert_whole(corpus)


def test_a_wrong_checksum_leaves_nothing_and_the_next_time_begins_anew(corpus, server):
    server.content = ARCHIVE[:-1] + b"x"
    with pytest.raises(DataError, match="must have the checksum") as error:
        fetch()
    assert "\n" not in str(error.value)
    assert not corpus.exists()
    server.content = ARCHIVE
    fetch()
    assert server.asked == [None, None]
    assert_whole(corpus)


def test_an_error_of_the_server_is_one_line(corpus, server):
    server.status = 404
    with pytest.raises(DataError, match="404") as error:
        fetch()
    assert "\n" not in str(error.value)
    assert not list(corpus.parent.iterdir())


def test_no_server(corpus, server, monkeypatch):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="tiny cannot be downloaded") as error:
        fetch()
    assert "\n" not in str(error.value)


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.mark.parametrize(
    "members",
    [
        [("../outside.wav", b"x")],
        [link("some", "/tmp"), ("some/outside.wav", b"x")],
        [link("a.wav", "../../../../outside")],
    ],
)
def test_an_archive_that_reaches_outside_is_refused(corpus, server, monkeypatch, members):
    offer(server, monkeypatch, archive_of(*members))
    with pytest.raises(DataError, match="tiny cannot be"):
        fetch()
    assert not corpus.exists()
    assert not list(corpus.parent.parent.rglob("outside*"))


def test_killed_while_unpacking(corpus, server, monkeypatch):
    original = named_corpora._unpacked

    def stop(*arguments):
        original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(named_corpora, "_unpacked", stop)
        with contextlib.suppress(KeyboardInterrupt):
            fetch()
    assert not corpus.exists()
    (corpus.parent / "preparing-tiny" / "unpacked" / "some" / "a.wav").write_bytes(b"half")
    fetch()
    assert server.asked == [None]
    assert_whole(corpus)


def test_what_is_offered_is_complete():
    assert {*NAMED_CORPORA} == {"speech-commands", "librispeech-dev-clean", "ljspeech"}
    for corpus in named_corpora.NAMED_CORPORA.values():
        assert re.fullmatch("[0-9a-f]{64}", corpus.sha256)
        assert corpus.url.startswith("http")
        assert corpus.licence
