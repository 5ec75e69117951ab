"""Progress bars: redrawn in place on a terminal, one line a minute in a log."""

import sys
from typing import NoReturn

from tqdm import tqdm


def progress_bar(
    description: str, total: int, unit: str, done: int = 0, show: bool = True, delay: float = 0
) -> "tqdm[NoReturn]":
    """A bar of `total` steps of which `done` lie behind, shown after `delay` seconds; a context manager."""
    terminal = sys.stderr.isatty()
    return tqdm(
        desc=f"{description}: ",
        total=total,
        unit=unit,
        initial=done,
        disable=not show,
        delay=delay,
        mininterval=0.2 if terminal else 60,
        ascii=not terminal,
        bar_format=None if terminal else "{desc}{n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}{postfix}]\n",
    )
