"""The one exception a user's mistake raises; the command line prints its message as a single line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a help text should not wait for it
    from pydantic import ValidationError


class IlwpError(Exception):
    """Says in one line what is wrong and what to do about it."""


def printable(text: str) -> str:
    """One line that a terminal only shows: control characters and the like are spelt out.

    >>> printable("a\\x1b[2J\\n")
    'a\\\\x1b[2J\\\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def one_line(error: BaseException) -> str:
    """What an error says, or else its type, on one printable line of at most 120 characters."""
    return printable(" ".join(str(error).split()))[:120] or type(error).__name__


def first_problem(error: "ValidationError") -> str:
    """The first of a validation's complaints as `where: what`."""
    problem = error.errors()[0]
    return printable(f"{'.'.join(str(part) for part in problem['loc']) or 'value'}: {problem['msg'].lower()}")


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Let an error that is raised inside say which file it is about."""
    try:
        yield
    except IlwpError as error:
        raise IlwpError(f"{path}: {error}") from error
