"""The built book in a real browser: `make book`, then `make test-site`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from built_site import SITE, WIDTHS
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.exit("Chromium is missing: install it, on Debian with `apt-get install chromium`", returncode=1)
    if not SITE.is_dir():
        pytest.exit("The book is missing: `make book` builds it", returncode=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the width and theme that the test asks for with `view`; it fails the test if its scripts do."""
    width, theme = getattr(request, "param", ("desktop", "light"))
    context = browser.new_context(viewport={"width": WIDTHS[width], "height": 844}, color_scheme=theme)
    context.set_default_timeout(60_000)  # a busy machine is no fault of a page
    page = context.new_page()
    page.problems = []  # type: ignore[attr-defined]
    page.weight = 0  # type: ignore[attr-defined]
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.problems.append(str(error)))  # type: ignore[attr-defined]
    page.on("request", lambda request: _note(page, request.url))
    yield page
    context.close()


def _note(page: Page, url: str) -> None:
    """Add up what a page fetches; anything that is not a file of the book is a problem."""
    if url.startswith("file://"):
        file = Path(url.removeprefix("file://").partition("?")[0].partition("#")[0])
        page.weight += file.stat().st_size if file.is_file() else 0  # type: ignore[attr-defined]
        if not file.is_file():
            page.problems.append(f"{file} is missing")  # type: ignore[attr-defined]
    elif not url.startswith(("data:", "blob:")):
        page.problems.append(f"asks for {url}")  # type: ignore[attr-defined]
