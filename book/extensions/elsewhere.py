"""Sphinx extension: a checkout that cannot be written to is built from a mirror of it in the output folder.

    _build/source/          a link for each file and folder of the checkout but book/
    _build/source/book/     the same of book/, and a folder of its own for the notebooks that the build runs

It comes before all extensions that look for pages.
"""

import os
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config


def mirror(source: Path, folder: Path) -> Path:
    """The mirror in `folder` of the checkout whose book is `source`; returns the mirrored book."""
    _link_all(source.parent, folder, {source.name, "_build"})
    _link_all(source, folder / source.name, {"notebooks"})
    return folder / source.name


def _link_all(source: Path, folder: Path, without: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for link in folder.iterdir():
        if link.is_symlink():
            link.unlink()
    for path in source.iterdir():
        if path.name not in without:
            (folder / path.name).symlink_to(path.resolve(), path.is_dir())


def go_elsewhere(app: Sphinx, config: Config) -> None:
    """Take the pages from the mirror."""
    if not os.access(app.srcdir, os.W_OK):
        app.srcdir = type(app.srcdir)(mirror(Path(app.srcdir), Path(app.outdir).parent / "source"))


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("config-inited", go_elsewhere, priority=0)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
