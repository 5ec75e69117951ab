import re
import subprocess
import sys
from pathlib import Path

from built_site import SITE

from ilwp.common.paths import ROOT


def test_a_page_is_printed_whole_on_white_paper(tmp_path: Path) -> None:
    target = tmp_path / "page.pdf"
    page = SITE / "notebooks" / "scorecard.html"
    subprocess.run([sys.executable, ROOT / "book" / "print.py", page, target], check=True)
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 2
