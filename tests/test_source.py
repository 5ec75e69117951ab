"""What no module of the package does, read from its source."""

import ast
from collections.abc import Iterator

import pytest

from ilwp.common.paths import ROOT

MODULES = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "ilwp").rglob("*.py"))}


def hiding_parameters(module: ast.Module) -> Iterator[str]:
    """Parameters that have the name of a function or class of their module, which then cannot be called."""
    known = {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            yield from (f"{function.name}({a.arg})" for a in ast.walk(function.args) if getattr(a, "arg", "") in known)


def changing_frozen_classes(module: ast.Module) -> Iterator[str]:
    """Frozen data classes with a cached property, which changes them."""
    for node in ast.walk(module):
        frozen = isinstance(node, ast.ClassDef) and any("frozen=True" in ast.unparse(d) for d in node.decorator_list)
        if frozen and "cached_property" in ast.unparse(node):
            yield node.name


@pytest.mark.parametrize("find", [hiding_parameters, changing_frozen_classes])
def test_no_module_has_any(find):
    assert {path.name: found for path, module in MODULES.items() if (found := list(find(module)))} == {}


def test_they_are_found():
    source = (
        "def f(g): ...\ndef g(x): ...\n@dataclass(frozen=True)\nclass C:\n    @cached_property\n    def x(self): ...\n"
    )
    module = ast.parse(source)
    assert list(hiding_parameters(module)) == ["f(g)"]
    assert list(changing_frozen_classes(module)) == ["C"]
