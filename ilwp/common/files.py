"""Reading a file, and writing one whole or not at all."""

import errno
import glob
import mmap
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ilwp.common.errors import IlwpError

PART = ".part"  # ends the names of temporary files
LONGEST_START = 64  # bytes of a file's name in its temporary file's, which must be no longer than a folder allows
HINTS = {
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "name a file in it",
    errno.ENOSPC: "make room or choose another disk",
}


def read_bytes(path: Path) -> bytes:
    """A file's content; raises IlwpError where it cannot be read or is empty."""
    with readable(path):
        content = path.read_bytes()
    if not content:
        raise IlwpError(f"{path} is empty")
    return content


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Inside it, an error of the system becomes an IlwpError that says why `path` could not be read."""
    try:
        yield
    except OSError as error:
        raise IlwpError(f"{path} could not be read: {reason(error)}") from error


def map_bytes(path: Path) -> mmap.mmap:
    """A file's content as a private, writable memory map; errors are those of `read_bytes`."""
    with readable(path), path.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        content = file.read()  # a pipe has no map
    if not content:
        raise IlwpError(f"{path} is empty")
    return mapped(content)


def mapped(content: bytes) -> mmap.mmap:
    """Bytes as a map in memory; raises IlwpError for none, of which there is no map."""
    if not content:
        raise IlwpError("it is empty")
    copy = mmap.mmap(-1, len(content))
    copy[:] = content
    return copy


def atomic_write(path: Path, content: bytes | Iterable[bytes | memoryview]) -> None:
    """Put `content`, whole or in parts, at `path` through a temporary file, so that no reader ever sees half of it.

    A link stays, and the file that it leads to is replaced. Raises IlwpError, leaving what was there, where the disk is
    full, the folder cannot be written, the name is too long, or `path` is a folder or a device.
    """
    temporary = None
    try:
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        start = os.fsencode(f".{target.name}")[:LONGEST_START].decode(errors="ignore")
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f"{start}.", suffix=PART, delete=False) as file:
            temporary = Path(file.name)
            for part in [content] if isinstance(content, bytes) else content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise IlwpError(f"{path} could not be written: {reason(error)}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raises IlwpError where `atomic_write` would fail at once. Long work calls it first, not to fail at its end."""
    try:
        folders = _target(path.absolute()).parents
        with tempfile.TemporaryFile(dir=next(folder for folder in folders if folder.exists())):
            pass
    except OSError as error:
        raise IlwpError(f"{path} could not be written: {reason(error)}") from error


def delete_temporaries(folder: Path, stem: str = "") -> None:
    """Delete the temporary files that killed processes left in `folder`, of files whose names begin with `stem`.

    No other process may be writing any of them. A `stem` of more than LONGEST_START bytes finds nothing.
    """
    for left in folder.glob(f".{glob.escape(stem)}*{PART}"):
        left.unlink(missing_ok=True)


def reason(error: OSError) -> str:
    """What the system says, and what to do about it where there is something to do."""
    hint = HINTS.get(error.errno or 0)
    return f"{error.strerror} ({hint})" if hint else str(error.strerror)


def _target(path: Path) -> Path:
    """The file that a write to `path` replaces or makes, links followed."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        mode = target.stat().st_mode
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):  # nothing is there, or a link that leads to itself
            return target
        raise
    if not stat.S_ISREG(mode):
        kind = "a folder: name a file in it" if stat.S_ISDIR(mode) else "no regular file"
        raise IlwpError(f"{path} could not be written: it is {kind}")
    return target
