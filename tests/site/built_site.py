"""Where the built book is, and how its pages are looked at."""

from ilwp.common.paths import ROOT

SITE = ROOT / "_build" / "html"
WIDTHS = {"phone": 390, "desktop": 1280}
VIEWS_OF_A_PAGE = [(width, theme) for width in WIDTHS for theme in ("light", "dark")]


def pages() -> list[str]:
    """Every page of the book, as a path below SITE."""
    paths = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    # index.html only leads to the first page
    return sorted(path.as_posix() for path in paths if path.parts[0] != "_static" and path.name != "index.html")
