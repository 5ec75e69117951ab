"""What a notebook keeps of a figure: SVG that follows light and dark pages, and as CSV the tables that were plotted.

table -> plot -> keep_table;  figure -> drawing -> SVG,  figure -> plotted -> CSV
"""

import re
from weakref import WeakKeyDictionary

import matplotlib as mpl
import pandas as pd
from IPython.core.formatters import BaseFormatter
from IPython.core.getipython import get_ipython
from IPython.core.pylabtools import print_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# what the figures' greys and whites are on a dark page, and data of dark colours; others keep their colours
DARK = {
    "#ffffff": "#121212",  # the page
    "#222222": "#e8eaed",  # ink
    "#4d4d4d": "#c3c7cc",  # the baseline's curve
    "#5f5f5f": "#a9afb6",
    "#bbbbbb": "#5d646c",
    "#e4e4e4": "#33383e",  # grid
    "#882255": "#d06c9c",
    "#332288": "#9d8fe0",
}
DARK_SHADES = {  # what lets the page through would sink into a dark one
    "fill: #0072b2; fill-opacity": "fill:#56b4e9",  # heatmaps
    "opacity: 0.45": "opacity:0.8",  # histograms
}
_TABLES: WeakKeyDictionary[Axes, list[pd.DataFrame]] = WeakKeyDictionary()


class CsvFormatter(BaseFormatter):
    """Lets IPython keep `text/csv` of what it shows."""

    format_type = "text/csv"
    print_method = "_repr_csv_"


def keep_table(ax: Axes, table: pd.DataFrame) -> None:
    """Keep the table that was plotted in a panel, for the figure's CSV; columns are named as the axes are labelled."""
    _TABLES.setdefault(ax, []).append(table)


def plotted(figure: Figure) -> pd.DataFrame:
    """The tables that were plotted in the figure, one under the other; column `panel` has the panel's title, if any."""
    tables = [
        table.assign(panel=ax.get_title("left") or ax.get_title())[["panel", *table.columns]]
        for ax in figure.axes
        for table in _TABLES.get(ax, [])
    ]
    return pd.concat(tables, ignore_index=True).dropna(axis=1, how="all") if tables else pd.DataFrame()


def use_svg_and_csv() -> None:
    """Have IPython show a figure as `drawing` and keep `plotted` with it; without IPython do nothing."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        return
    set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]
    formatters = shell.display_formatter.formatters
    formatters["image/svg+xml"].for_type(Figure, drawing)
    csv = formatters.setdefault(CsvFormatter.format_type, CsvFormatter(parent=shell.display_formatter))
    csv.for_type(Figure, _csv)


def drawing(figure: Figure) -> str | None:
    """The figure as SVG, the same bytes for figures made alike; greys follow the scheme of the page around it.

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
    ) + "".join(f'#figure_1 [style*="{light}"]{{{dark}!important}}' for light, dark in DARK_SHADES.items())
    # hundredths of a point are finer than any screen
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
    svg = re.sub(r"(fill-opacity: 0\.\d\d)\d+", r"\1", svg)
    svg = svg.replace("</style>", f"@media(prefers-color-scheme:dark){{{rules}}}</style>", 1)
    svg = re.sub(r'<path [^>]*style="fill: none"/>', "", svg)  # neither filled nor drawn
    # a marker takes its line's colour from where it is used: rules do not reach into its definition
    svg = re.sub(r'(<path id="m[^>]*style=")stroke: #\w{6}(?:; )?', r"\1", svg)
    named = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([\w-]+)"', lambda name: name[0] if name[1] in named else "", svg)
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL))


def _csv(figure: Figure) -> str | None:
    table = plotted(figure)
    return None if table.empty else table.to_csv(index=False, float_format="%.5g")
