import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from built_site import SITE
from playwright.sync_api import Page

from ilwp.common.paths import ROOT

PRINT = ROOT / "book" / "paper" / "print.py"
WIDE = "<td>" + "</td><td>".join(f"{number:_>12}" for number in range(30)) + "</td>"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The book on one page, in small: a first page, short chapters, and one that is not the paper's."""
    chapters = [*runpy.run_path(str(PRINT))["CHAPTERS"], "notebooks/left-out"]
    body = "".join(
        f"<span id='document-{name}'></span><section id='{name}'><h2>{name}</h2><p>Text, "
        "<a href='left-out.html'>out</a>, "
        f"<a href='table1.html'>in</a>.</p><details class='hide'>code</details><div class='tag_screen-only'>x</div>"
        f"<div class='cell_output'><table><tr>{WIDE}</tr></table></div></section>"
        for name in chapters
    )
    first = (
        "<h1>A question?</h1><p>Abstract</p><section id='how-to-read'><ul><li><p>no</p><li><p>Runs</p></ul></section>"
    )
    path = tmp_path / "whole.html"
    path.write_text(f"<title>Book</title><article class='bd-article'><section>{first}</section>{body}</article>")
    return path


def test_the_paper_has_its_chapters_and_nothing_of_the_screen(page: Page, whole: Path) -> None:
    paper = runpy.run_path(str(PRINT))
    page.set_viewport_size({"width": paper["WIDTH"], "height": 1000})
    paper["lay_out"](page, whole)
    assert page.locator("h2").all_inner_texts() == paper["CHAPTERS"]
    assert page.locator("h1").inner_text() == "Book"
    assert page.get_by_text("A question?").count() == 1
    assert page.locator("details, .tag_screen-only").count() == 0
    addresses = {link.get_attribute("href") for link in page.locator("a").all()}
    assert addresses == {"#document-notebooks/table1"}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a table is wider than the paper"


def test_the_paper_is_printed_with_its_pages_counted(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "paper.pdf"
    done = subprocess.run([sys.executable, PRINT, whole, target], check=True, capture_output=True, text=True)
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert done.stdout == f"wrote {target}, {pages} pages\n"


def test_every_chapter_of_the_paper_is_a_page_of_the_book() -> None:
    for name in runpy.run_path(str(PRINT))["CHAPTERS"]:
        assert (SITE / f"{name}.html").is_file(), name
