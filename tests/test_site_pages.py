import importlib.util
import subprocess
from pathlib import Path

import pytest

from ilwp.common.paths import ROOT

SPEC = importlib.util.spec_from_file_location("site_pages", ROOT / "book" / "extensions" / "site_pages.py")
site_pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(site_pages)


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://github.com/someone/companion.git", "https://github.com/someone/companion"),
        ("git@github.com:someone/com.pan-ion", "https://github.com/someone/com.pan-ion"),
        ("https://user:secret@github.com/someone/companion", "https://github.com/someone/companion"),
        ("https://example.org/someone/companion.git", None),
        ("/srv/github.com/someone/companion", None),
    ],
)
def test_repository_is_the_remote_if_it_is_on_github(tmp_path: Path, address: str, found: str | None) -> None:
    git(tmp_path, "init", "-q")
    assert site_pages.repository(tmp_path) is None
    git(tmp_path, "remote", "add", "origin", address)
    assert site_pages.repository(tmp_path) == (found and (found, "main"))


def test_branch_is_the_one_that_the_remote_shows_first(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "https://github.com/someone/companion")
    git(tmp_path, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/develop")
    assert site_pages.repository(tmp_path) == ("https://github.com/someone/companion", "develop")


def test_folder_that_is_no_repository_has_no_address(tmp_path: Path) -> None:
    assert site_pages.repository(tmp_path) is None


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('<td id="a-1" class="b" >-1.17</td>', '<td id="a-1" class="b" >~1.17</td>'),
        ("<td>1.001, -10.8 dB (-0.2)</td>", "<td>1.001, ~10.8 dB (~0.2)</td>"),
        ("<td>open<br>-1.36 <em>-2</em></td>", "<td>open<br>~1.36 <em>~2</em></td>"),
        ('<span class="pasted-text">-0.8</span> points', '<span class="pasted-text">~0.8</span> points'),
        ("<td>CIFAR-10, 2020-01-02, 1e-5</td>", "<td>CIFAR-10, 2020-01-02, 1e-5</td>"),
        ("<td>CIFAR-10</td>", '<td><span class="word">CIFAR-10</span></td>'),
        ("<code>--lambda -1</code>", "<code>--lambda -1</code>"),
    ],
)
def test_tables_are_set_as_type(body: str, shown: str) -> None:
    context = {"body": body}
    site_pages.typography(None, "page", "page.html", context, None)
    assert context["body"] == shown.replace("~", "\N{MINUS SIGN}")
