"""Public corpora by name: downloaded once, checked and unpacked into the user's cache folder."""

import logging
import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavegan_rc.audio.work_folder import work_folder
from wavegan_rc.errors import DataError
from wavegan_rc.utils.cache import cache_path
from wavegan_rc.utils.text import one_line

_logger = logging.getLogger(__name__)

_MIB = 2**20
# Bytes written at a time; a lost connection loses fewer.
_CHUNK = 2**16
_TIMEOUT_S = 30


@dataclass(frozen=True)
class NamedCorpus:
    """The source of a corpus: an archive and its checksum."""

    title: str
    licence: str
    url: str
    sha256: str


# The checksums are those of torchaudio.
NAMED_CORPORA = {
    "speech-commands": NamedCorpus(
        "Speech Commands 0.02 (P. Warden, 2018)",
        "CC BY 4.0",
        "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
    "librispeech-dev-clean": NamedCorpus(
        "LibriSpeech dev-clean (V. Panayotov et al., 2015)",
        "CC BY 4.0",
        "https://www.openslr.org/resources/12/dev-clean.tar.gz",
        "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    ),
    "ljspeech": NamedCorpus(
        "LJ Speech 1.1 (K. Ito, L. Johnson, 2017)",
        "public domain",
        "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
        "be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
    ),
}


def recordings_of(name: str, on_progress: Callable[[int, int, str], None]) -> Path:
    """Return the folder of a named corpus; download it first if it is missing.

    An interrupted download is resumed, by a later process too. The folder appears whole or not at
    all. `on_progress` is called with (MiB done, MiB in all, name).

    Raises:
        DataError: If the corpus cannot be downloaded, or has a wrong checksum.
    """
    corpus = NAMED_CORPORA[name]
    _logger.info("%s: %s, %s", name, corpus.title, corpus.licence)
    folder = cache_path("recordings", name)
    parent = folder.parent
    if folder.exists():
        return folder
    try:
        parent.mkdir(parents=True, exist_ok=True)
        waiting = "(another process downloads it)"
        with work_folder(parent, name, lambda: on_progress(0, 1, waiting)) as work:
            if not folder.exists():
                os.rename(_unpacked(_downloaded(corpus, work, on_progress), work), folder)
    except BrokenPipeError:  # raised by the display; for connections, requests raises its own
        raise
    except (OSError, EOFError, tarfile.TarError) as error:  # errors of requests are OSErrors
        raise DataError(
            f"{name} cannot be downloaded; the next call resumes it ({parent}): {one_line(error)}"
        ) from None
    except ValueError:  # raised by pooch; some errors of requests are both
        raise DataError(
            f"{name}: the archive from {corpus.url} must have the checksum {corpus.sha256}"
        ) from None
    return folder


def _downloaded(
    corpus: NamedCorpus, work: Path, on_progress: Callable[[int, int, str], None]
) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")
    name = corpus.url.rsplit("/", 1)[1]
    downloader = ResumingDownloader(
        work / f"{name}.part", lambda done, size: on_progress(done, size, f"MiB of {name}")
    )
    known_hash = f"sha256:{corpus.sha256}"
    return Path(pooch.retrieve(corpus.url, known_hash, name, work, downloader=downloader))


def _unpacked(archive: Path, work: Path) -> Path:
    folder = work / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed process
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")  # nothing outside the folder, no devices
    return folder


class ResumingDownloader:
    """A downloader for `pooch` that resumes an interrupted download, of which it has a `part`.

    Source:
        RFC 9110, section 14: range requests; 206 sends the part asked for, 200 the whole, 416 means
        that nothing follows.
    """

    def __init__(self, part: Path, on_progress: Callable[[int, int], None]) -> None:
        self._part = part
        self._on_progress = on_progress

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:  # noqa: ARG002
        """Download a file; raise requests.RequestException if nothing more comes."""
        while True:
            before = self._size()
            failure = self._fetch(url)
            if failure is None:
                os.replace(self._part, output_file)
                return
            if self._size() <= before:  # otherwise the next attempt may get more
                raise failure

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _fetch(self, url: str) -> Exception | None:
        """Fetch the missing part. Returns the error that ended it, or None if all has come."""
        import requests

        start = self._size()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                if response.headers.get("Content-Range") == f"bytes */{start}":
                    return None
                self._part.unlink()  # it is longer than the file
                return self._fetch(url)
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                start = 0
            size = start + int(response.headers.get("Content-Length", 0))
            try:
                with self._part.open("ab" if start else "wb") as sink:
                    for chunk in response.iter_content(_CHUNK):
                        sink.write(chunk)
                        if sink.tell() % _MIB < _CHUNK:
                            self._on_progress(sink.tell() // _MIB, -(-size // _MIB))
            except requests.RequestException as error:
                return error
        if self._size() < size:
            return requests.ConnectionError(f"{self._size()} of {size} bytes came")
        self._on_progress(-(-size // _MIB), -(-size // _MIB))
        return None
