"""One process at a time in the folder of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ilwp.common.errors import IlwpError


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep all other processes out of `folder` while inside; may be nested.

    Raises IlwpError where another process holds it or it cannot be written. The lock ends with its process, however
    that dies.
    """
    lock = _lock(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=1)  # longer than `is_held` takes to look
    except Timeout:
        raise IlwpError(f"another process is training in {folder}: wait for it to end") from None
    except OSError as error:
        raise IlwpError(f"nothing can be written in {folder}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process is at work in `folder`."""
    if not (folder / "lock").exists():
        return False
    try:
        with _lock(folder).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / "lock", is_singleton=True)
