"""The options of `ilwp compress` that bound what the network loses, and what is said about it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilwp.cli.codebooks import refuse
from ilwp.cli.common import SOURCES, number, option_group
from ilwp.common.errors import IlwpError
from ilwp.training import CLASSES

if TYPE_CHECKING:
    from ilwp.door.bound import Bounded, Loss

BOUND_OPTIONS = ("max_drop", "inputs", "count")

bound_options = option_group(
    click.option(
        "--max-drop", type=click.FloatRange(0, 100), callback=number, metavar="POINTS",
        help="ANS, in place of the quality: the smallest file found that loses at most so many percentage points of"
        " top-1 on --inputs; without labels, the share of images whose top class changes. Half of the images choose the"
        " quality; what the other half loses is said. Needs --graph; takes ten times as long.",
    ),
    click.option(
        "--inputs", metavar="SOURCE",
        help=f"Images for --max-drop: {SOURCES}, whose test images are taken. Labels are a data set's, or an array (n,)"
        " of integers beside the images in the file.",
    ),
    click.option(
        "--count", type=click.IntRange(2), default=2000, show_default=True, help="At most so many images of --inputs."
    ),
)  # fmt: skip


def refuse_bound(
    context: click.Context, max_drop: float | None, graph: str | None, inputs: str | None, images: str | None
) -> None:
    """Raise an error where the bound's options do not go together, or not with others."""
    if max_drop is None:
        refuse(context, BOUND_OPTIONS, "without --max-drop")
        return
    refuse(context, ("quality", "bits", "dense_bits"), "with --max-drop")
    if graph is None:
        raise IlwpError("--max-drop needs the network's graph: name it with --graph")
    if inputs is None:
        raise IlwpError("--max-drop is measured on images: name them with --inputs")
    if images is not None and images not in CLASSES and Path(images).resolve() == Path(inputs).resolve():
        raise IlwpError("--max-drop is not measured on images that taught the rounding: name others with --inputs")


def bounded_text(bounded: "Bounded") -> str:
    """The quality that was chosen, and what is lost on either half of the images."""
    chosen_on, held_out = (_lost(loss, bounded.labelled) for loss in (bounded.chosen_on, bounded.held_out))
    return (
        f"quality {bounded.quality:.1f} dB, the best of {bounded.tried} tries\n"
        f"on the {bounded.chosen_on.inputs:,} images that chose it: {chosen_on}\n"
        f"on {bounded.held_out.inputs:,} others, held out: {held_out}"
    )


def bound_warning(bounded: "Bounded") -> str | None:
    """A line about a bound that does not hold on the images held out, where it does not."""
    if bounded.held_out.points <= bounded.most:
        return None
    return f"the images held out lose more points than the {bounded.most:g} allowed: give more images, or allow less"


def _lost(loss: "Loss", labelled: bool) -> str:
    before, after = (100 * hits / loss.inputs for hits in (loss.before, loss.after))
    share = f"top-1 {after:.2f} %, before {before:.2f} %" if labelled else f"the same top class for {after:.2f} %"
    return f"{share}, {loss.points:.2f} points lost"
