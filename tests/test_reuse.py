"""What others read about the project: its citation, and what Binder and Colab take."""

import datetime
import json
import re
import tomllib

import pytest
import yaml

from ilwp.common.paths import NOTEBOOKS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
# of the schema of the Citation File Format 1.2.0: what a citation must have, and all that it may have
REQUIRED = {"authors", "cff-version", "message", "title"}
ALLOWED = REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url",
    "version",
}  # fmt: skip


def test_citation_has_the_form_of_its_format() -> None:
    assert REQUIRED <= CITATION.keys() <= ALLOWED
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] in ("software", "dataset")
    assert isinstance(CITATION["date-released"], datetime.date)
    assert len(set(CITATION["keywords"])) == len(CITATION["keywords"])
    for reference in [CITATION, *CITATION["references"]]:
        assert reference["title"]
        for author in reference["authors"]:
            assert author.keys() in ({"name"}, {"family-names", "given-names"})
    (paper,) = CITATION["references"]
    assert re.fullmatch(r"10\.\d{4,9}/[-._;()/:\w]+", paper["doi"])
    assert paper["type"] == "article"


def test_citation_agrees_with_the_package() -> None:
    assert str(CITATION["version"]) == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    page = (ROOT / "book" / "cite.md").read_text()
    assert CITATION["title"] in page
    assert f"version = {{{CITATION['version']}}}" in page
    assert f"year    = {{{CITATION['date-released'].year}}}" in page


def test_binder_finds_one_environment_and_what_it_names() -> None:
    """Binder takes environment.yml from the top, or from a folder `binder` if there is one, and nothing beside it."""
    assert not (ROOT / "binder").exists()
    assert not (ROOT / ".binder").exists()
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment.keys() == {"name", "channels", "dependencies"}
    pip = environment["dependencies"][-1]["pip"]
    for option, value in (line.split() for line in pip):
        file = ROOT / value.partition("[")[0]
        assert (option, file.exists()) in (("-c", True), ("-e", True))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_open_on_binder_and_colab(path: object) -> None:
    notebook = json.loads(path.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)
    kernel = notebook["metadata"]["kernelspec"]
    assert (kernel["name"], kernel["language"]) == ("python3", "python")
    assert all(re.fullmatch(r"[\w-]{1,64}", cell["id"]) for cell in notebook["cells"])


def test_what_colab_is_told_to_install_exists() -> None:
    (told,) = re.findall(r"pip install --quiet -e '\.\[([\w,]+)\]'", (ROOT / "book" / "reproduce.md").read_text())
    assert set(told.split(",")) <= PROJECT["optional-dependencies"].keys()
