"""The names of methods of prediction and loops, and the bits. No package is imported, so help texts come at once."""

from typing import Literal, get_args

Method = Literal["baseline", "fss", "lss", "ill", "aligned"]
METHODS: tuple[Method, ...] = get_args(Method)
PAPER_METHODS = METHODS[:4]
SEARCHES = ("fss", "lss")  # the methods that store an index per kernel: the paper's non-texture bits
Loop = Literal["closed", "open"]
LOOPS: tuple[Loop, ...] = get_args(Loop)
BITS = range(2, 9)


def loops(method: Method) -> tuple[Loop, ...]:
    """The loops that differ for a method: the baseline predicts nothing, so its open loop is the closed one."""
    return LOOPS[:1] if method == "baseline" else LOOPS
