"""What a notebook shows of a figure: SVG for light and dark pages, wide and narrow, and as CSV the numbers in it.

    figure -> drawing -> SVG,  figure -> numbers -> a row a point

Notebooks carry all of it, so that whoever has a figure has its data.
"""

import re
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from IPython.core.formatters import BaseFormatter
from IPython.core.getipython import get_ipython
from IPython.core.pylabtools import print_figure
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import QuadMesh
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.ticker import ScalarFormatter

from ilwp.figures.narrow_figures import stacked

WIDE = 5  # inches; a narrower figure fits a phone as it is
# what the figures' greys and whites are on a dark page; data keep their colours
DARK = {
    "#ffffff": "#121212",  # the page
    "#222222": "#e8eaed",  # ink
    "#4d4d4d": "#c3c7cc",  # the baseline's curve
    "#5f5f5f": "#a9afb6",
    "#bbbbbb": "#5d646c",
    "#e4e4e4": "#33383e",  # grid
}
COLUMNS = ["panel", "series", "x", "y", "low", "high", "value", "x_axis", "y_axis"]


class CsvFormatter(BaseFormatter):
    """Lets IPython keep `text/csv` of what it shows."""

    format_type = "text/csv"
    print_method = "_repr_csv_"


class NarrowFormatter(BaseFormatter):
    """Lets IPython keep a second drawing of what it shows."""

    format_type = "image/x-narrow+svg"
    print_method = "_repr_narrow_"


def show_figures_so() -> None:
    """Have IPython show figures as `drawing` and `numbers` give them; without IPython nothing is shown anyway."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        return
    set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]
    formatters = shell.display_formatter.formatters
    formatters["image/svg+xml"].for_type(Figure, drawing)
    for kind, make in ((CsvFormatter, _csv), (NarrowFormatter, _narrow)):
        formatter = kind(parent=shell.display_formatter)
        formatters.setdefault(formatter.format_type, formatter).for_type(Figure, make)


def drawing(figure: Figure) -> str | None:
    """The figure as SVG, the same bytes for the same figure; greys follow the scheme of the page around it.

    None if there are no axes in it.
    """
    with mpl.rc_context({"svg.hashsalt": "ilwp"}):
        svg: str | None = print_figure(figure, "svg", metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    if svg is None:
        return None
    rules = "".join(
        f'#figure_1 [style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in DARK.items()
        for what in ("fill", "stroke")
    )
    # hundredths of a point are finer than any screen
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
    svg = svg.replace("</style>", f"@media(prefers-color-scheme:dark){{{rules}}}</style>", 1)
    svg = re.sub(r'<path [^>]*style="fill: none"/>', "", svg)  # neither filled nor drawn
    named = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([\w-]+)"', lambda name: name[0] if name[1] in named else "", svg)
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL))


def numbers(figure: Figure) -> pd.DataFrame:
    """A row a point that is drawn: `panel`, `series`, `x`, `y`, and where there are any `low`, `high` and `value`.

    Panels are named by their titles, `x_axis` and `y_axis` say what is along them, with its unit; points on an axis of
    names have the names as coordinates.
    """
    panels = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    shared = [next((label for label in labels if label), "") for labels in (
        [ax.get_xlabel() for ax in panels], [ax.get_ylabel() for ax in panels])]  # fmt: skip
    rows = []
    for i, ax in enumerate(panels, start=1):
        axes = {"x_axis": ax.get_xlabel() or shared[0], "y_axis": ax.get_ylabel() or shared[1]}
        rows += [row | axes for row in _panel(ax, ax.get_title("left") or ax.get_title() or str(i))]
    return pd.DataFrame(rows, columns=COLUMNS).dropna(axis=1, how="all")


def _csv(figure: Figure) -> str | None:
    table = numbers(figure)
    return None if table.empty else table.to_csv(index=False, float_format="%.5g")


def _narrow(figure: Figure) -> str | None:
    if figure.get_figwidth() <= WIDE or not any(ax.get_subplotspec() for ax in figure.axes):
        return None
    with stacked(figure):
        return drawing(figure)


def _panel(ax: Axes, title: str) -> Iterator[dict[str, Any]]:
    names_x, names_y = _names(ax.xaxis), _names(ax.yaxis)

    def row(series: Any, x: Any, y: Any, **more: Any) -> dict[str, Any]:
        public = "" if str(series).startswith("_") else str(series)
        place = {"x": names_x.get(float(x), x), "y": names_y.get(float(y), y)}
        return {"panel": title, "series": public} | place | more

    inside: set[Any] = set()
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer):
            line, caps, bars = container.lines
            inside |= {line, *caps}
            ends = bars[0].get_segments() if bars else []
            spans = {float(s[0, 0]): (float(s[0, 1]), float(s[1, 1])) for s in ends if len(s) and np.isfinite(s).all()}
            for x, y in np.asarray(line.get_xydata(), np.float64):
                more = dict(zip(("low", "high"), spans.get(float(x), ()), strict=False))
                yield row(container.get_label(), x, y, **more)
        elif isinstance(container, BarContainer):
            inside |= set(container.patches)
            for bar in container.patches:
                across = container.orientation == "horizontal"
                middle = bar.get_y() + bar.get_height() / 2 if across else bar.get_x() + bar.get_width() / 2
                x, y = (bar.get_x() + bar.get_width(), middle) if across else (middle, bar.get_y() + bar.get_height())
                yield row(container.get_label(), x, y)
    for line in ax.get_lines():
        if line not in inside and _is_data(ax, line):
            for x, y in np.column_stack(line.get_data()):
                yield row(line.get_label(), x, y)
    for mesh in (c for c in ax.collections if isinstance(c, QuadMesh)):
        cells = np.ma.filled(np.ma.asarray(mesh.get_array(), np.float64), np.nan)
        for i, j in np.argwhere(np.isfinite(cells)):
            value = cells[i, j]
            yield row(mesh.get_label(), j + 0.5, i + 0.5, value=value)
    for patch in ax.patches:
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            for value, low, high in zip(values, edges[:-1], edges[1:], strict=True):
                yield row(patch.get_label(), (low + high) / 2, value)
        elif isinstance(patch, Rectangle) and patch not in inside and patch.get_label():
            low, high = patch.get_x(), patch.get_x() + patch.get_width()
            yield {"panel": title, "series": patch.get_label(), "low": low, "high": high}


def _is_data(ax: Axes, line: Line2D) -> bool:
    """Whether both coordinates are data: a line across the whole panel is a mark, unless it has a name."""
    return all(line.get_transform().contains_branch_seperately(ax.transData))


def _names(axis: Axis) -> dict[float, str]:
    """Position -> name, on an axis of names."""
    formatter = axis.get_major_formatter()
    if isinstance(formatter, ScalarFormatter):
        return {}
    places = axis.get_majorticklocs()
    names = [str(name).replace("\n", " ") for name in formatter.format_ticks(list(places))]
    return {float(at): name for at, name in zip(places, names, strict=True) if name}
