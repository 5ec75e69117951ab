"""The whole book on one HTML page to one PDF, through Chromium: `python book/print.py PAGE.html BOOK.pdf`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOOTER = """<div style="font-size:8px;width:100%;text-align:center;color:#555"><span class="pageNumber"></span></div>"""


def main(source: Path, target: Path) -> None:
    """Print `source` to `target`; ends with one line if there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is missing: install it, on Debian with `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 800, "height": 1000}, color_scheme="light")
        page.goto(source.resolve().as_uri())
        page.emulate_media(media="print", color_scheme="light")
        # what makes a figure again belongs to it on paper too, where nothing can be opened
        page.evaluate("document.querySelectorAll('details.figure-note').forEach((note) => (note.open = true))")
        page.wait_for_timeout(500)  # interactive figures draw themselves anew for the width of the paper
        page.pdf(
            path=target, format="A4", margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"},
            display_header_footer=True, header_template="<span></span>", footer_template=FOOTER,
            outline=True, tagged=True,
        )  # fmt: skip
        browser.close()
    print(f"wrote {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
