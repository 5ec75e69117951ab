"""Sphinx extension: a page gets its scripts, type for its tables, and buttons to run it elsewhere.

A page asks for scripts in `book/style/` with an element that has `data-scripts="ONE.js OTHER.js"`, and gets them in
that order. Buttons need an address.
Negative numbers in tables and in prose get a minus sign, which is as wide as a plus; a cell that is one word stays on a
line.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

GITHUB = re.compile(r"(?:https://|git@|ssh://git@)(?:[^@/]+@)?github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?")

NUMBERS = re.compile(r'<(td\b|span class="pasted-text").*?</(?:td|span)>', re.DOTALL)
WORD = re.compile(r"(<td\b[^>]*>)([^<\s]+-[^<\s]+)(?=</td>)")
HYPHEN = re.compile(r"(?<![\w.-])-(?=\d)(?![^<>]*>)")  # in text, not in a tag


def repository(root: Path) -> tuple[str, str] | None:
    """The address on GitHub and the branch that `root` was cloned from; None if it was not."""
    remote = GITHUB.fullmatch(_git(root, "config", "--get", "remote.origin.url"))
    if remote is None:
        return None
    head = _git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    return f"https://github.com/{remote[1]}/{remote[2]}", head or "main"


def launch_buttons(app: Sphinx, config: Config) -> None:
    """Have the theme offer Binder and Colab on the pages that are notebooks."""
    found = repository(Path(app.srcdir).parent)
    if found:
        config.html_theme_options |= {
            "repository_url": found[0],
            "repository_branch": found[1],
            "path_to_docs": "",
            "launch_buttons": {
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
                "notebook_interface": "jupyterlab",
            },
        }


def scripts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Load what the page asks for."""
    wanted = re.findall(r'data-scripts="([\w .-]+)"', context.get("body", ""))
    for name in dict.fromkeys(" ".join(wanted).split()):
        app.add_js_file(name, loading_method="defer")


def typography(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Set tables and numbers as type, not as program text."""
    if "body" in context:
        body = NUMBERS.sub(lambda found: HYPHEN.sub("\N{MINUS SIGN}", found[0]), context["body"])
        context["body"] = WORD.sub(r'\1<span class="word">\2</span>', body)


def _git(root: Path, *words: str) -> str:
    try:
        process = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
    except OSError:  # no git
        return ""
    return process.stdout.strip() if process.returncode == 0 else ""


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("config-inited", launch_buttons)
    app.connect("html-page-context", scripts)
    app.connect("html-page-context", typography)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
