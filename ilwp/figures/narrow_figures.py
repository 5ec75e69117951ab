"""A figure for a phone: its panels one under the other, in type of the size that it has on a desk.

Whoever draws a figure within `with stacked(figure):` gets it so.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine

WIDTH = 3.7  # inches, a phone's text width at 100 dots an inch
SHORTER = 0.8  # than on a desk is a panel that had the whole width there
SPACE = 0.08  # inches above and below a panel


@contextmanager
def stacked(figure: Figure) -> Iterator[None]:
    """Within the block `figure` is a column of WIDTH inches and its legends have two columns; then it is as before.

    Panels keep their heights. One that leaves the words along its axes to a neighbour gets words of its own.
    """
    placed = [(ax, spec) for ax in figure.axes if ax.get_label() != "<colorbar>" and (spec := ax.get_subplotspec())]
    size, layout = (figure.get_figwidth(), figure.get_figheight()), figure.get_layout_engine()
    heights = [size[1] * _height(spec) for _, spec in placed]
    if all(spec.get_gridspec().ncols == 1 for _, spec in placed):
        heights = [SHORTER * height for height in heights]
    column = GridSpec(len(placed), 1, figure, height_ratios=heights)
    with ExitStack() as undo:
        undo.callback(figure.set_size_inches, size)
        figure.set_size_inches(WIDTH, sum(heights))
        if isinstance(layout, ConstrainedLayoutEngine):
            undo.callback(layout.set, h_pad=layout.get()["h_pad"])
            layout.set(h_pad=SPACE)
        for row, (ax, spec) in enumerate(placed):
            undo.callback(ax.set_subplotspec, spec)
            ax.set_subplotspec(column[row])
        _speak_for_themselves([ax for ax, _ in placed], undo)
        _narrow_legends(figure, undo)
        _move_titles_inside(figure, [ax for ax, _ in placed], undo)
        yield


def _height(spec: SubplotSpec) -> float:
    """Share of the figure's height."""
    ratios = np.asarray(spec.get_gridspec().get_height_ratios(), np.float64)
    return float(ratios[spec.rowspan.start : spec.rowspan.stop].sum() / ratios.sum())


def _speak_for_themselves(axes: Sequence[Axes], undo: ExitStack) -> None:
    for side, alike in (("labelbottom", [ax.xaxis for ax in axes]), ("labelleft", [ax.yaxis for ax in axes])):
        shared = next((label for axis in alike if (label := axis.get_label_text())), "")
        for axis in alike:
            if not len(axis.get_majorticklocs()):
                continue
            if not axis.get_label_text():
                undo.callback(axis.set_label_text, "")
                axis.set_label_text(shared)
            if not axis.get_tick_params().get(side, True):
                undo.callback(axis.set_tick_params, "major", **{side: False})
                axis.set_tick_params("major", **{side: True})


def _narrow_legends(figure: Figure, undo: ExitStack) -> None:
    for legend in tuple(figure.legends):
        words = [text.get_text() for text in legend.get_texts()]
        pairs = (zip(*ax.get_legend_handles_labels(), strict=True) for ax in figure.axes)
        handles = {label: handle for some in pairs for handle, label in some}
        columns = 2 if max(map(len, words), default=0) <= 22 else 1
        own = [handle for handle in legend.legend_handles if handle is not None]
        found = [handles.get(word, handle) for word, handle in zip(words, own, strict=True)]
        narrow = figure.legend(found, words, loc="outside lower center", ncols=columns)
        for shown in (legend.set_visible, legend.set_in_layout):
            undo.callback(shown, True)
            shown(False)
        undo.callback(narrow.remove)


def _move_titles_inside(figure: Figure, axes: Sequence[Axes], undo: ExitStack) -> None:
    """A title begins over its panel, which may be far to the right; one that runs out of the figure ends there."""
    titles = {ax: ax.set_title(ax.get_title("left"), loc="left") for ax in axes}
    figure.draw_without_rendering()
    for ax, title in titles.items():
        words = title.get_text()
        if title.get_window_extent().x1 > figure.bbox.x1:
            undo.callback(ax.set_title, words, loc="left")
            undo.callback(ax.set_title, "", loc="right")
            ax.set_title("", loc="left")
            ax.set_title(words, loc="right")
