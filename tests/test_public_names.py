"""A public name means one thing in the whole package."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ilwp.common.paths import ROOT

PACKAGE = ROOT / "ilwp"


def is_command(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "attr", "") in ("command", "group")


def public_names(source: str) -> Iterator[str]:
    """Functions, classes, type aliases and constants at the top of a module."""
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(decorator_list=decorators) if any(map(is_command, decorators)):
                found = []  # is called as what it does, and nobody imports it but the command line
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                found = [name]
            case ast.Assign(targets=targets):
                found = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
            case _:
                found = []
        yield from (name for name in found if not name.startswith("_"))


def imported_names(source: str) -> Iterator[str]:
    """What a module takes from other modules of the package by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ilwp."):
            yield from (alias.name for alias in node.names)


def test_no_two_public_functions_classes_or_shared_constants_have_one_name():
    sources = {path.relative_to(PACKAGE): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    shared = {name for source in sources.values() for name in imported_names(source)}
    places: dict[str, list[Path]] = defaultdict(list)
    for path, source in sources.items():
        for name in public_names(source):
            if not name.isupper() or name in shared:  # else it is a constant of one module alone
                places[name].append(path)
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_functions_classes_type_aliases_and_constants_are_found():
    source = "def f(): ...\nclass C: ...\nAlias = int\nSTEP, REACH = 1, 2\nWIDE: int = 2\ndef _private(): ...\n"
    source += "@click.command()\n@option\ndef fit(): ...\n"
    assert list(public_names(source)) == ["f", "C", "Alias", "STEP", "REACH", "WIDE"]
    assert list(imported_names("from ilwp.a import B, c\nimport ilwp.d\nfrom os import sep\n")) == ["B", "c"]
