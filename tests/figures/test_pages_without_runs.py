"""Every page about a profile's runs, before there is any, and with one without or with the loss alone."""

from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

from ilwp.common.paths import NOTEBOOKS
from ilwp.experiments import evidence

PAGES = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if "profile: str" in nbformat.read(path, 4).cells[1].source]


def run(page: Path) -> dict[str, object]:
    """Execute a notebook's code in this process; its names."""
    names: dict[str, object] = {"display": lambda *_: None}
    with plt.rc_context():  # pages set a style
        for cell in nbformat.read(page, as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{page.stem}:{cell.id}", "exec"), names)
    plt.close("all")
    return names


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("inter_layer", [None, 0, 1])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_made_from_what_runs_there_are(
    page: Path, inter_layer: float | None, monkeypatch: pytest.MonkeyPatch
):
    runs = evidence.select(
        evidence.load_runs("cpu"), network="mobilenet", dataset="cifar10", inter_layer=inter_layer, seed=0
    )
    monkeypatch.setattr(evidence, "load_runs", lambda name: runs)
    assert run(page)
