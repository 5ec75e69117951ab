"""The book's one HTML page to a paper in PDF, through Chromium: `python book/paper/print.py PAGE.html PAPER.pdf`.

The paper has a title, the first page as its abstract, the chapters that are named here, and the references. What only a
screen can show is left out.
"""

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
CHAPTERS = [
    "notebooks/method", "experiments", "notebooks/table1", "notebooks/fig4", "notebooks/fig5", "notebooks/fig6",
    "notebooks/fullwidth", "analysis", "notebooks/fig2", "notebooks/fig3", "notebooks/wild", "notebooks/fig7",
    "notebooks/scorecard", "notebooks/beyond", "notebooks/peers", "notebooks/neighbours", "notebooks/differs",
    "bibliography",
]  # fmt: skip
MOST_PAGES = 40
MARGIN, WIDTH = "20mm", 642  # pixels between the margins of A4
FOOTER = """<div style="font-size:8px;width:100%;text-align:center;color:#555"><span class="pageNumber"></span></div>"""


def lay_out(page: Page, source: Path) -> None:
    """Load the book's one page and make it the paper."""
    page.goto(source.resolve().as_uri())
    page.emulate_media(media="print", color_scheme="light")
    page.add_style_tag(path=HERE / "paper.css")
    page.evaluate((HERE / "paper.js").read_text(), CHAPTERS)


def main(source: Path, target: Path) -> None:
    """Print `source` to `target`; ends with one line if there is no Chromium, or if the paper is too long."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is missing: install it, on Debian with `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
        lay_out(page, source)
        page.pdf(
            path=target, format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), MARGIN),
            display_header_footer=True, header_template="<span></span>", footer_template=FOOTER,
            outline=True, tagged=True,
        )  # fmt: skip
        browser.close()
    pages = len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))
    if pages > MOST_PAGES:
        raise SystemExit(f"the paper has {pages} pages, and at most {MOST_PAGES} are read: shorten a chapter")
    print(f"wrote {target}, {pages} pages")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
