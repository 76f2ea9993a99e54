"""A run folder to go on with, before anything is written into it: it may be a stranger's."""

import stat

from wavegan_rc.errors import DataError, printable
from wavegan_rc.runs.directory import RunDirectory


def check_own_files(run: RunDirectory) -> None:
    """See that what will be written, cut or removed in a run's folder is the folder's own.

    A link there, which an archive may hold, would have other files written to; a pipe would be
    waited for.

    Args:
        run: That may hold anything.

    Raises:
        DataError: If something in it is neither a file nor a folder, or it cannot be searched.
    """
    try:
        inner = [folder for folder in (*run.folders(), run.diverged) if folder.is_dir()]
        entries = [*run.path.iterdir(), *(path for folder in inner for path in folder.iterdir())]
        # The run's folder comes first: of what a link there leads to, nothing is told.
        for path in entries:
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise DataError(
                    f"{printable(str(path))}: is a link, or no regular file: a run goes on in a "
                    "folder that holds its own files"
                )
    except OSError as error:
        raise DataError(f"{run.path}: cannot be searched: {error}") from None
