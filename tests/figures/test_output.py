import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from ilwp.figures import plots, style
from ilwp.figures.output import DARK, drawing, plotted

RESULTS = pd.DataFrame({
    "curve": ["ill", "ill", "baseline"], "bits": [4, 4, 8], "total_bytes": [1000.0, 3000.0, 5000.0],
    "accuracy": [80.0, 82.0, 90.0],
})  # fmt: skip


@pytest.fixture(autouse=True)
def _style_of_its_own() -> Iterator[None]:
    with plt.rc_context():
        style.use_style()
        yield
    plt.close("all")


def make_figure() -> Figure:
    figure, (left, right) = plt.subplots(1, 2)
    plots.sizes(left, RESULTS)
    left.set_title("sizes")
    plots.trade_off(right, RESULTS)
    right.axhline(1)
    return figure


@pytest.fixture
def figure() -> Figure:
    return make_figure()


def test_numbers_of_a_figure_are_the_tables_that_were_plotted(figure: Figure) -> None:
    table = plotted(figure)
    assert table["panel"].tolist() == ["sizes", "sizes", "", ""]
    assert table["curve"].tolist() == ["baseline", "ill"] * 2
    assert table["file (kB)"].tolist() == [5, 2] * 2
    assert table["deviation"].dropna().tolist() == pytest.approx([2**0.5] * 2)
    assert table["top-1 accuracy (%)"].dropna().tolist() == [90, 81]


def test_curves_are_drawn_where_the_table_says(figure: Figure) -> None:
    for ax, x in zip(figure.axes, ("bits per level", "file (kB)"), strict=True):
        panel = plotted(figure)[lambda t, ax=ax: t["panel"] == ax.get_title("left")]
        drawn = {c.get_label(): c.lines[0].get_xdata().tolist() for c in ax.containers}
        assert drawn == {"Baseline": panel[x].tolist()[:1], "ILL": panel[x].tolist()[1:]}
        assert ax.get_xlabel() == x


def test_heatmap_gives_its_cells_that_are_not_masked() -> None:
    figure, ax = plt.subplots()
    plots.share_heatmap(ax, np.tril(np.full((4, 4), 0.25), -1))
    assert drawing(figure).count("fill: #0072b2; fill-opacity: ") == 6
    table = plotted(figure)
    assert (table["best predictions (%)"] == 25).all()
    cells = set(zip(table["source layer"], table["target layer"], strict=True))
    assert cells == {(j, i) for i in range(2, 5) for j in range(1, i)}


def test_drawing_is_the_same_every_time_and_follows_the_page(figure: Figure) -> None:
    svg = drawing(figure)
    assert drawing(make_figure()) == svg
    ET.fromstring(svg)
    assert not re.search(r"Matplotlib v|dc:date", svg)
    rules = svg[svg.index("@media(prefers-color-scheme:dark)") : svg.index("</style>")]
    for light, dark in DARK.items():
        assert f"fill: {light}" in rules
        assert dark in rules


def test_a_figure_without_data_has_no_numbers() -> None:
    figure = plt.figure()
    figure.text(0, 0, "a scheme")
    assert plotted(figure).empty


def test_a_notebook_keeps_the_drawing_and_the_tables_of_a_figure(
    figure: Figure, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = InteractiveShell.instance()
    shell.display_formatter.active_types = [*shell.display_formatter.format_types, "text/csv"]
    style.use_style()
    kept = [shell.display_formatter.format(shown)[0] for shown in (figure, plt.figure())]
    InteractiveShell.clear_instance()
    assert kept[0]["text/csv"].splitlines()[1] == "sizes,baseline,8,5,,,"
    assert kept[0]["image/svg+xml"] == drawing(make_figure())
    assert "text/csv" not in kept[1]
    assert "Error" not in "".join(capsys.readouterr())


def test_type_is_large_enough_on_a_phone() -> None:
    """A phone of 390 pixels shows a figure 358 pixels wide."""
    sizes = [plt.rcParams[f"{name}.labelsize"] for name in ("xtick", "ytick", "axes")]
    smallest = min([*sizes, plt.rcParams["legend.fontsize"], plt.rcParams["font.size"]])
    assert smallest * 358 / (72 * style.WIDTH) >= 9
