"""What the commands share: options' choices, and how files and text are treated."""

from pathlib import Path

import click

from ilwp.bitstream import Tensors
from ilwp.errors import IlwpError, about, printable
from ilwp.kernels import Kernels, depthwise_kernels

DATASETS = ("cifar10", "cifar100", "digits")
FilePath = click.Path(path_type=Path)


def other_than(read: Path, written: Path) -> Path:
    """The path to write; raises IlwpError where that would replace what was read."""
    if written.resolve() == read.resolve():
        raise IlwpError(f"{written} would be lost: name another file with --output")
    return written


def kernels_in(file: Path, tensors: Tensors) -> Kernels:
    """The depthwise kernels (c_i, kh, kw) of a state dict; an IlwpError names the file it came from."""
    with about(file):
        return depthwise_kernels(tensors)


def show(text: str, err: bool = False) -> None:
    """Print lines, with what a terminal would act on made visible."""
    click.echo("\n".join(map(printable, text.split("\n"))), err=err)
