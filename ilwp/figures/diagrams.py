"""Fig. 1 drawn anew: which kernel each method predicts from, and what it has to store for that."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ilwp.experiments.curves import CURVES
from ilwp.figures.style import BLUE, INK, WIDTH

SPACING = 2.1  # from one layer to the next, where a kernel is 1 wide
LAYERS = (3, 4, 4)  # kernels drawn in each of three layers
TARGET = (2, 1)  # the kernel that is predicted: layer, kernel
# title; what is stored; the kernel it is predicted from, and its name; layers that are searched for it
SKETCHES = {
    "baseline": ("Baseline: none", "stores the weights", None, "", ()),
    "fss": ("FSS: full search", "stores residual,\nlayer $u$, kernel $v$", (0, 2), "$K_{u,v}$", (0, 1)),
    "lss": ("LSS: local search", "stores residual,\nkernel $v$", (1, 3), "$K_{i-1,v}$", (1,)),
    "ill": ("ILL: the one beside it", "stores the\nresidual alone", (1, 1), "$K_{i-1,j}$", ()),
}


def draw_methods() -> Figure:
    """A panel per method: candidates are framed, the reference is filled, an arrow leads to the kernel predicted."""
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 4.8))
    for ax, method in zip(axes.flat, SKETCHES, strict=True):
        _panel(ax, method)
    return figure


def _panel(ax: Axes, method: str) -> None:
    title, stored, reference, name, searched = SKETCHES[method]
    colour = CURVES[method].colour
    rng = np.random.default_rng(0)
    for layer, count in enumerate(LAYERS):
        for kernel in range(count):
            here = (layer, kernel)
            coloured = here in (TARGET, reference)
            _kernel(ax, here, rng.uniform(0.1, 0.5, (3, 3)), colour if coloured else "#9a9a9a")
        ax.text(SPACING * layer + 0.5, -0.35, f"layer {('$1$', '$i-1$', '$i$')[layer]}", ha="center", va="top")
        if layer in searched:
            frame = (SPACING * layer - 0.18, -0.18)
            ax.add_patch(Rectangle(frame, 1.36, 1.35 * count + 0.01, fill=False, edgecolor=colour, linestyle="--"))
    ax.annotate("$K_{i,j}$", _middle(TARGET), ha="center", va="center", fontsize=8)
    if reference:
        ax.annotate(name, _middle(reference), ha="center", va="center", fontsize=7)
        (x, y), (end, height) = _middle(reference), _middle(TARGET)
        ax.add_patch(FancyArrowPatch(
            (x + 0.58, y), (end - 0.55, height), arrowstyle="-|>", mutation_scale=9, color=INK, lw=1.1,
            connectionstyle="arc3,rad=-0.12",
        ))  # fmt: skip
    _frame(ax, title, stored, (-0.3, 5.5), (-0.95, 5.4))


def _frame(ax: Axes, title: str, below: str, x: tuple[float, float], y: tuple[float, float]) -> None:
    ax.set_title(title)
    ax.text(0.5, -0.02, below, transform=ax.transAxes, ha="center", va="top")
    ax.set(xlim=x, ylim=y, aspect="equal")
    ax.axis("off")


def _middle(place: tuple[int, int]) -> tuple[float, float]:
    return SPACING * place[0] + 0.5, 1.35 * place[1] + 0.5


def _kernel(ax: Axes, place: tuple[int, int], shades: np.ndarray, colour: str) -> None:
    """Nine taps as squares, shaded like weights."""
    x, y = SPACING * place[0], 1.35 * place[1]
    for row, column in np.ndindex(3, 3):
        tap = (x + column / 3, y + row / 3)
        ax.add_patch(Rectangle(tap, 1 / 3, 1 / 3, facecolor=colour, alpha=float(shades[row, column]), linewidth=0))
    ax.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=colour, linewidth=0.9))


def draw_free_order() -> Figure:
    """Three panels: kernels of two layers as trained, aligned with one another, and each layer sorted."""
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.4))
    rng = np.random.default_rng(5)
    first = np.linspace(0.15, 0.9, 5)
    second = first + rng.uniform(-0.06, 0.06, 5)
    mixed, other = rng.permutation(first), rng.permutation(second)
    panels = (
        ("as trained", mixed, other, "every place\ncosts bits"),
        ("aligned", mixed, second[np.argsort(np.argsort(mixed))], "like beside like,\npredicted"),
        ("set", first, second, "sorted, its\norder is free"),
    )
    for ax, (title, left, right, stored) in zip(axes, panels, strict=True):
        colour = CURVES["ill"].colour if title == "aligned" else BLUE
        for layer, shades in enumerate((left, right)):
            for kernel, shade in enumerate(shades):
                _kernel(ax, (layer, kernel), np.full((3, 3), shade), colour)
            ax.text(SPACING * layer + 0.5, -0.5, f"layer {('$i-1$', '$i$')[layer]}", ha="center", va="top")
        if title == "aligned":
            for kernel in range(len(left)):
                y = 1.35 * kernel + 0.5
                ends = (1.05, y), (SPACING - 0.05, y)
                ax.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=7, color=INK))
        _frame(ax, title, stored, (-0.4, 3.5), (-1.0, 6.8))
    return figure
