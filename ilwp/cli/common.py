"""What the commands share: options' choices, and how files and text are treated."""

import math
import re
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ilwp.common.errors import IlwpError, about, printable
from ilwp.common.file_kinds import ENDINGS
from ilwp.training import CLASSES, NORMALISATIONS

if TYPE_CHECKING:  # here and in all of `cli`: a help text should not wait for NumPy
    from ilwp.common.tensor_files import Tensors
    from ilwp.paper.kernels import Kernels

SOURCES = (
    "a folder of pictures, an .npz or .safetensors file of one array (n, 3, h, w) or (n, h, w, 3), or"
    f" {', '.join(CLASSES)}"
)
FilePath = click.Path(path_type=Path)
key_option = click.option(
    "--key", metavar="NAME", help="Which of several networks in a torch file, by its key there, such as model_ema."
)
dataset_option = click.option("--dataset", type=click.Choice(list(CLASSES)), default="cifar10", show_default=True)
width_option = click.option(
    "--width", type=float, default=1.0, show_default=True, help="Width multiplier of the paper's four networks."
)
ilwp_output_option = click.option(
    "-o", "--output", type=FilePath, help="The .ilwp file to write.  [default: NETWORK's name, ending in .ilwp]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress bar.")

normalise_option = click.option(
    "--normalise", type=click.Choice(NORMALISATIONS),
    help="How 8-bit pixels become numbers; floating-point arrays are taken as they are.  [default: a data set's own,"
    " else imagenet]",
)  # fmt: skip


def option_group(*chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator; a help text lists them in this order."""
    return lambda command: reduce(lambda made, option: option(made), reversed(chosen), command)


def named_after(read: Path, suffix: str) -> Path:
    """The path to write where none is given: beside a file, or in the current folder after a folder's name.

    >>> named_after(Path("nets/resnet-v1.5.pth.tar"), ".ilwp").as_posix()
    'nets/resnet-v1.5.ilwp'
    """
    if read.is_dir():
        return Path(f"{read.resolve().name}{suffix}")
    name = read.name
    while end := next((end for end in ENDINGS if name.lower().endswith(end) and len(name) > len(end)), ""):
        name = name[: -len(end)]
    return read.with_name(f"{name if name != read.name else read.stem}{suffix}")


def other_than(read: Path, written: Path, suffix: str) -> Path:
    """The path to write; raises IlwpError where that would replace what was read, is a folder or has another suffix."""
    if written.is_dir():
        raise IlwpError(f"{written} is a folder: name a file with --output")
    if written.exists() and read.exists() and written.samefile(read):
        raise IlwpError(f"{written} would be lost: name another file with --output")
    if written.suffix != suffix:
        raise IlwpError(f"{written} could not be read again: its name must end in {suffix}")
    return written


def number(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse NaN, which lies in every range for click."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number", context, parameter)
    return value


def input_size(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """The shape of one input, or its side or length alone, from a text such as 224 or 3x96x160."""
    if value is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,6}(x[1-9][0-9]{0,6}){0,4}", value):
        raise click.BadParameter(f"{value!r} is no size such as 224 or 3x96x160", context, parameter)
    return tuple(map(int, value.split("x")))


def kernels_in(file: Path, tensors: "Tensors") -> "Kernels":
    """The depthwise kernels (c_i, kh, kw) of a state dict; an IlwpError names the file it came from."""
    from ilwp.paper.kernels import depthwise_kernels

    with about(file):
        return depthwise_kernels(tensors)


def show(text: str, err: bool = False) -> None:
    """Print lines, with what a terminal would act on made visible."""
    click.echo("\n".join(map(printable, text.split("\n"))), err=err)
