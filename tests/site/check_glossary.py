"""Terms of the glossary on the pages that use them."""

import pytest
from bs4 import BeautifulSoup
from built_site import SITE, pages
from playwright.sync_api import Page, expect

MOST = 25


def parsed(name: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / name).read_text(), "html.parser")


def test_the_glossary_is_short_and_every_term_is_used() -> None:
    anchors = {term["id"] for term in parsed("glossary.html").select("dl.glossary dt")}
    assert 10 < len(anchors) <= MOST
    used = {link["href"].partition("#")[2] for name in pages() for link in parsed(name).select("a.term")}
    assert used == anchors


@pytest.mark.parametrize("name", pages())
def test_a_page_links_each_term_once_and_describes_it(name: str) -> None:
    page = parsed(name)
    links = [link["href"] for link in page.select("a.term")]
    assert len(set(links)) == len(links)
    for link in page.select("a.term"):
        assert page.find(id=link["aria-describedby"])["role"] == "tooltip"


@pytest.mark.parametrize("page", [("phone", "light"), ("desktop", "dark")], indirect=True, ids="-".join)
def test_a_definition_is_shown_to_pointer_and_keyboard(page: Page) -> None:
    page.goto((SITE / "notebooks" / "method.html").as_uri())
    link = page.locator("a.term").first
    definition = page.locator(f"#{link.get_attribute('aria-describedby')}")
    expect(definition).to_be_hidden()
    link.hover()
    expect(definition).to_be_visible()
    page.mouse.move(0, 0)
    expect(definition).to_be_hidden()
    page.keyboard.press("Tab")  # from here on the focus is the keyboard's
    link.focus()
    expect(definition).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert page.problems == []
