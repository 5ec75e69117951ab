import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ilwp.figures import plots
from ilwp.figures.narrow_figures import WIDTH, stacked
from ilwp.figures.output import DARK, drawing, numbers


@pytest.fixture(autouse=True)
def _style_of_its_own() -> Iterator[None]:
    with plt.rc_context():
        yield


@pytest.fixture
def figure() -> Figure:
    plots.use_style()
    figure, (left, right) = plt.subplots(1, 2)
    left.errorbar([2, 4], [1.0, 3.0], [0.5, 0.25], label="FSS")
    left.plot([2, 4], [5.0, 6.0], label="LSS")
    left.axhline(1)
    left.set(title="sizes", xlabel="bits", ylabel="file (kB)")
    right.barh([0, 1], [7.0, 8.0])
    right.set(title="bars", yticks=[0, 1], yticklabels=["one\nbar", "other"])
    yield figure
    plt.close(figure)


def test_numbers_are_those_that_are_drawn(figure: Figure) -> None:
    table = numbers(figure)
    shown = table[["panel", "series", "x", "y", "low", "high"]].astype(object)
    rows = shown.where(table.notna(), None).to_numpy().tolist()
    assert rows == [
        ["sizes", "FSS", 2.0, 1.0, 0.5, 1.5],
        ["sizes", "FSS", 4.0, 3.0, 2.75, 3.25],
        ["sizes", "LSS", 2, 5.0, None, None],
        ["sizes", "LSS", 4, 6.0, None, None],
        ["bars", "", 7.0, "one bar", None, None],
        ["bars", "", 8.0, "other", None, None],
    ]
    assert (table["y_axis"] == "file (kB)").all()


def test_heatmap_gives_its_cells_that_are_not_masked() -> None:
    figure, ax = plt.subplots()
    plots.share_heatmap(ax, np.tril(np.full((4, 4), 0.25), -1))
    assert drawing(figure).count("stroke: #ffffff; stroke-width: 0.4") == 6
    table = numbers(figure)
    plt.close(figure)
    assert len(table) == 6
    assert (table["value"] == 25).all()
    assert set(zip(table["x"], table["y"], strict=True)) == {(str(j), str(i)) for i in range(2, 5) for j in range(1, i)}


def test_drawing_is_the_same_every_time_and_follows_the_page(figure: Figure) -> None:
    svg = drawing(figure)
    assert drawing(figure) == svg
    ET.fromstring(svg)
    assert not re.search(r"Matplotlib v|dc:date", svg)
    rules = svg[svg.index("@media(prefers-color-scheme:dark)") : svg.index("</style>")]
    for light, dark in DARK.items():
        assert f"fill: {light}" in rules
        assert dark in rules


def test_a_figure_without_data_has_no_numbers() -> None:
    figure = plt.figure()
    figure.text(0, 0, "a scheme")
    assert numbers(figure).empty
    plt.close(figure)


def test_stacked_panels_stand_in_a_column_with_words_of_their_own_and_then_as_before() -> None:
    plots.use_style()
    figure, axes = plt.subplots(2, 2, figsize=(8, 6), sharex=True, sharey=True)
    for ax in axes.flat:
        ax.plot([1, 2], [1, 2], "o-", label="a curve with quite a long name")
    axes[0, 0].set(title="a title far too long for a column as narrow as that", ylabel="bits")
    axes[1, 0].set(xlabel="size")
    plots.legend(figure, axes)
    before = drawing(figure)
    with stacked(figure):
        figure.draw_without_rendering()
        boxes = [ax.get_window_extent() for ax in axes.flat]
        assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
        assert len({round(box.x0) for box in boxes}) == 1
        assert figure.get_figwidth() == WIDTH
        assert {(ax.get_xlabel(), ax.get_ylabel()) for ax in axes.flat} == {("size", "bits")}
        assert all(label.get_visible() for ax in axes.flat for label in (*ax.get_xticklabels(), *ax.get_yticklabels()))
        assert figure.legends[-1].get_window_extent().x0 >= 0
        assert drawing(figure) != before
    assert drawing(figure) == before
    plt.close(figure)


def test_a_notebook_keeps_a_narrow_drawing_of_a_wide_figure_with_panels_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell = InteractiveShell.instance()
    shell.display_formatter.active_types = [*shell.display_formatter.format_types, "image/x-narrow+svg"]
    plots.use_style()
    kept = []
    for width, panels in ((8, 2), (4, 2), (8, 0)):
        figure = plt.figure(figsize=(width, 3))
        for i in range(panels):
            figure.add_subplot(1, panels, i + 1).plot([1, 2], [1, 2])
        kept.append("image/x-narrow+svg" in shell.display_formatter.format(figure)[0])
        plt.close(figure)
    InteractiveShell.clear_instance()
    assert kept == [True, False, False]
    assert "Error" not in "".join(capsys.readouterr())


def test_a_legend_of_nobodys_curves_is_stacked_too() -> None:
    plots.use_style()
    figure = plt.subplots(1, 2, figsize=(8, 3))[0]
    figure.legend([Line2D([], [])], ["drawn nowhere"], loc="outside lower center")
    with stacked(figure):
        assert [text.get_text() for text in figure.legends[-1].get_texts()] == ["drawn nowhere"]
    assert len(figure.legends) == 1
    plt.close(figure)
