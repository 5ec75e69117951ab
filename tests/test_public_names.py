"""A public name means one thing in the whole package."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ilwp.common.paths import ROOT

PACKAGE = ROOT / "ilwp"


def public_names(source: str) -> Iterator[str]:
    """Functions, classes and type aliases at the top of a module; constants belong to their module alone."""
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found = [name]
            case ast.Assign(targets=targets):
                found = [target.id for target in targets if isinstance(target, ast.Name) and not target.id.isupper()]
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.isupper():
                found = [name]
            case _:
                found = []
        yield from (name for name in found if not name.startswith("_"))


def test_no_two_public_functions_or_classes_have_one_name():
    places: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        if PACKAGE / "cli" not in path.parents:  # a command is called as what it does, and nobody imports it
            for name in public_names(path.read_text()):
                places[name].append(path.relative_to(PACKAGE))
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_functions_classes_and_type_aliases_are_found():
    source = "def f(): ...\nclass C: ...\nAlias = int\nSTEP = 1\nWIDE: int = 2\ndef _private(): ...\n"
    assert list(public_names(source)) == ["f", "C", "Alias"]
