import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from built_site import SITE, VIEWS_OF_A_PAGE, pages
from playwright.sync_api import Page

HEAVIEST = 1.5e6  # bytes of a page with all it loads; the explorer may weigh more
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]},
    # the roles of docutils' bibliography
    "rules": {name: {"enabled": False} for name in ("aria-deprecated-role", "aria-required-children")},
}
VIEWS = pytest.mark.parametrize("page", VIEWS_OF_A_PAGE, indirect=True, ids="-".join)


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


@VIEWS
@pytest.mark.parametrize("name", pages())
def test_page_is_sound_and_light_and_readable(page: Page, name: str) -> None:
    page.goto((SITE / name).as_uri())
    assert page.problems == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert page.evaluate("[...document.images].filter((image) => !image.complete || !image.naturalWidth).length") == 0
    if name != "notebooks/explorer.html":
        assert page.weight < HEAVIEST
    fading = (
        "document.getAnimations().filter((one) => one.timeline === document.timeline)"  # the others follow a scroll
    )
    page.evaluate(f"Promise.all({fading}.map((one) => one.finished))")
    violations = Axe().run(page, options=RULES).response["violations"]
    found = [(v["id"], node["target"], node["failureSummary"]) for v in violations for node in v["nodes"]]
    assert found == []


@pytest.mark.parametrize("name", pages())
def test_every_image_says_what_is_seen(name: str) -> None:
    for image in parsed(SITE / name).select("article img, main img"):
        alt = image.get("alt", "")
        assert len(alt) > 20, f"{image['src']} has the alternative text {alt!r}"
        assert not re.search(r"[0-9a-f]{16}|\.svg|\.png", alt)


@pytest.mark.parametrize("name", pages())
def test_every_link_leads_somewhere(name: str) -> None:
    path = SITE / name
    for link in parsed(path).select("a[href]"):
        address, anchor = urldefrag(link["href"])
        if re.match(r"[a-z]+:", address):
            continue
        target = (path.parent / unquote(address)).resolve() if address else path
        assert target.is_file(), link["href"]
        if anchor and target.suffix == ".html":
            assert parsed(target).find(id=unquote(anchor)), f"{link['href']} leads to no place on that page"


@pytest.mark.parametrize("page", [("phone", "light")], indirect=True)
@pytest.mark.parametrize("name", pages())
def test_figures_fit_a_phone(page: Page, name: str) -> None:
    page.goto((SITE / name).as_uri())
    figures = page.evaluate("""[...document.querySelectorAll("article figure")].map((figure) => {
        const image = figure.querySelector("img");
        return [figure.id, figure.scrollWidth - figure.clientWidth, image ? image.width / image.naturalWidth : 1];
    })""")
    for figure, beyond, scale in figures:
        assert beyond <= 0, f"{figure} scrolls sideways"
        assert scale > 0.965, f"{figure} shrinks to {scale:.0%}, and its type of 7 points to less than 9 pixels"


def test_every_figure_can_be_made_again() -> None:
    figures = [figure for name in pages() for figure in parsed(SITE / name).select("div.cell_output figure")]
    assert len(figures) > 10
    for figure in figures:
        note = figure.find_next("details")
        assert note is not None, figure.get("id")
        assert "figure-note" in note["class"], figure.get("id")
        assert re.match(r"papermill notebooks/\w+\.ipynb", note.select_one("pre").text), figure.get("id")
        assert note.select_one("a[href$='.svg']"), figure.get("id")
