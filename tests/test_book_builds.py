"""A whole small book, built as the real one is."""

import json
import os
import re
import shutil
import types
from pathlib import Path

import pytest
from small_book import DRAW, FIGURE, book, due, elsewhere, list_runs, notebook_runs, results, small_book, write_notebook

from ilwp.common.paths import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_book(tmp_path)


def scripts(site: Path, page: str) -> list[Path]:
    """The scripts that a page loads."""
    found = re.findall(r'<script [^>]*src="(?:\.\./)*([^"?]+)', page)
    return [site / name for name in found if (site / name).is_file()]


def test_book_is_whole_by_itself_and_follows_its_notebook(root: Path) -> None:
    shutil.copy(ROOT / "_config.yml", root)
    for folder in ("extensions", "style", "templates"):
        shutil.copytree(ROOT / "book" / folder, root / "book" / folder)
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    shutil.copy(ROOT / "book" / "bibliography.md", root / "book")
    (root / "book" / "_toc.yml").write_text(
        "{format: jb-book, root: intro, chapters: [{file: bibliography}, {glob: notebooks/*}]}"
    )
    (root / "book" / "intro.md").write_text(
        "# Intro\n\n{cite:t}`lee2019ilwp` share {glue:text}`notebooks/dot.ipynb::share:.2f`"
        " in {ref}`fig-dot`, $\\boldsymbol{x}$\n"
    )
    write_notebook(root / "notebooks" / "dot.ipynb", DRAW, mystnb=FIGURE)
    list_runs(root, "dot:")

    process = book(root)
    assert process.returncode == 0, process.stderr
    site = root / "_build" / "html"
    pages = {path.name: path.read_text() for path in site.rglob("*.html")}
    intro = pages["intro.html"]
    assert '<span class="pasted-text">2.67</span>' in intro
    assert '<a class="reference internal" href="notebooks/dot.html#fig-dot">' in intro
    assert "Lee" in pages["bibliography.html"]
    assert '<img alt="A dot"' in pages["dot.html"]
    assert '<span class="caption-text">One dot.</span>' in pages["dot.html"]
    assert "caption-number" not in pages["dot.html"]
    for text in pages.values():
        assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//", text)
        assert "thebe" not in text
    assert re.search(r'<span class="math"><svg class="formula" role="img" aria-label="\\boldsymbol{x}"', intro)
    assert "papermill notebooks/dot.ipynb -p bits 8" in re.sub(r"<[^>]*>", "", pages["dot.html"])
    (numbers,) = re.findall(r'href="\.\./(_downloads/[^"]*fig-dot\.csv)"', pages["dot.html"])
    assert (site / numbers).read_text().splitlines() == ["panel,size,bits", ",1,8", ",2,3"]
    # in the project's own pages no script is heavier than all of a page may be
    assert max(path.stat().st_size for text in pages.values() for path in scripts(site, text)) < 1_000_000

    list_runs(root, "dot: {parameters: {bits: 4}}")
    process = book(root)
    assert process.returncode == 0, process.stderr
    assert '<span class="pasted-text">1.33</span>' in (site / "intro.html").read_text()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_where_the_checkout_cannot_be_written_all_goes_into_the_output_folder(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path_factory.mktemp("output")
    (root / "book" / "intro.md").write_text("# Intro\n")
    (root / "book" / "notebooks").mkdir()
    write_notebook(root / "notebooks" / "dot.ipynb", "print(open('data/record.json').read())")
    before = contents(root)
    app = types.SimpleNamespace(srcdir=root / "book", outdir=output / "_build" / "html")
    elsewhere.go_elsewhere(app, None)
    assert app.srcdir == root / "book"
    monkeypatch.setattr(os, "access", lambda *_: False)
    for _ in range(2):  # the second time it is there already
        app.srcdir = root / "book"
        elsewhere.go_elsewhere(app, None)
        mirrored = output / "_build" / "source"
        assert app.srcdir == mirrored / "book"
        assert (app.srcdir / "intro.md").read_text() == "# Intro\n"
        if due(mirrored):
            notebook_runs.run_notebooks(mirrored)
    assert sorted(results(mirrored)) == ["dot-bits4.ipynb", "dot.ipynb"]
    assert json.loads(results(mirrored)["dot.ipynb"])["metadata"]["inputs"]["reads"] == ["data/record.json"]
    assert contents(root) == before


def test_a_page_holds_nothing_that_chance_gave_its_outputs(root: Path) -> None:
    style = "display(pd.DataFrame({'a': [1]}).style); display(pd.DataFrame({'b': [1]}).style)"
    streams = "import pandas as pd, sys, time; print(1, flush=True); time.sleep(0.3); print(2); print(object())"
    write_notebook(root / "notebooks" / "dot.ipynb", streams, style)
    list_runs(root, "{dot: , dot-b: {notebook: dot.ipynb}}")
    notebook_runs.run_notebooks(root)
    pages = [json.loads(page)["cells"][-2:] for page in results(root).values()]
    assert [cell["outputs"] for cell in pages[0]] == [cell["outputs"] for cell in pages[1]]
    assert len(pages[0][0]["outputs"]) == 1
    assert "T_4_0" in str(pages[0][1]["outputs"])
    assert "T_4_1" in str(pages[0][1]["outputs"])
