"""Reading a file, and writing one whole or not at all."""

import glob
import os
import tempfile
from pathlib import Path

from ilwp.common.errors import IlwpError

PART = ".part"  # ends the names of temporary files


def read_bytes(path: Path) -> bytes:
    """A file's content; raises IlwpError where it cannot be read or is empty."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IlwpError(f"{path} could not be read: {error.strerror}") from error
    if not content:
        raise IlwpError(f"{path} is empty")
    return content


def atomic_write(path: Path, content: bytes) -> None:
    """Put `content` at `path` through a temporary file beside it, so that no reader ever sees a part.

    Raises IlwpError, leaving what was there, where the disk is full, the folder cannot be written, or `path` is a
    folder or a device.
    """
    temporary = None
    try:
        if path.exists() and not path.is_file():
            raise IlwpError(f"{path} could not be written: it is no regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=PART, delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise IlwpError(f"{path} could not be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raises IlwpError where `atomic_write` could not even begin, so that long work need not end in that."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise IlwpError(f"{path} could not be written: {error.strerror}") from error


def sweep(folder: Path, stem: str = "") -> None:
    """Delete what writes that were killed left in `folder` of files whose names begin with `stem`.

    No other process may be writing any of them.
    """
    for left in folder.glob(f".{glob.escape(stem)}*{PART}"):
        left.unlink(missing_ok=True)
