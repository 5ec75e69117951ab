"""Parameters of notebooks: their types, and the values that the comments beside them allow.

bits: int = 8  # bits per weight, 2 to 8
network: str = "mobilenet"  # one of mobilenet, shufflenet
"""

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ilwp.common.errors import IlwpError

NUMBER = r"-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf)"
RANGE = re.compile(rf"(?<![\w.-])({NUMBER}) to ({NUMBER})(?!\w)")
ONE_OF = re.compile(r"\bone of ([^\s,;]+(?:, [^\s,;]+)*)")
TYPES_IN_WORDS = {"bool": "True or False", "float": "a number", "int": "a whole number", "str": "text"}
INJECTED = "# Parameters\n"  # the start of the cell into which papermill puts the given values


@dataclass(frozen=True)
class Parameter:
    """A declared parameter: the name of its type, its default and the comment beside it."""

    type: str
    default: Any
    comment: str

    def expected(self, value: Any) -> str | None:
        """In words what the parameter may be, or None where `value` is that."""
        # a bool is an int to Python, and a whole number will do for a float
        types = {"int", "float"} if type(value) is int else {type(value).__name__}
        fits = self.type not in TYPES_IN_WORDS or self.type in types
        words = TYPES_IN_WORDS.get(self.type, "a value")
        bounds, listed = RANGE.search(self.comment), ONE_OF.search(self.comment)
        if bounds and self.type in ("int", "float"):
            words += f" from {bounds[1]} to {bounds[2]}"
            fits = fits and float(bounds[1]) <= value <= float(bounds[2])
        if listed:
            words = f"one of {listed[1]}"
            fits = fits and str(value) in listed[1].split(", ")
        return None if fits else words


def declared(notebook: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters in a notebook's cell that is tagged `parameters`; none without such a cell.

    Raises ValueError, or what comes of keys and types that are no notebook's, where this is none.
    """
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())]
    return declared_in("".join(cells[0]["source"])) if cells else {}


def declared_in(code: str) -> dict[str, Parameter]:
    """The parameters in a cell of lines `name: type = default  # comment`; raises SyntaxError for no Python."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    comments = {
        token.start[0]: token.string.removeprefix("#").strip() for token in tokens if token.type == tokenize.COMMENT
    }
    return {
        ast.unparse(line.target): Parameter(
            ast.unparse(line.annotation), ast.literal_eval(line.value), comments.get(line.lineno, "")
        )
        for line in ast.parse(code).body
        if isinstance(line, ast.AnnAssign) and line.value
    }


def check_values(parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> None:
    """Raises IlwpError for the first name or value that the declarations do not allow."""
    for name, value in values.items():
        if name not in parameters:
            raise IlwpError(f"no parameter is called {name!r}: choose from {', '.join(parameters) or 'none'}")
        if expected := parameters[name].expected(value):
            raise IlwpError(f"{name} must be {expected}, not {value!r}")


def check_parameters() -> None:
    """Check the values that a notebook's parameters have now, however they were set; raises IlwpError.

    A notebook calls it behind its cell of parameters. Outside IPython it does nothing.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    cells: list[str] = shell.user_ns["In"]
    parameters = next(filter(None, map(_declared_alone, cells)), {})
    given = [node for cell in cells if cell.startswith(INJECTED) for node in ast.parse(cell).body]
    names = [ast.unparse(target) for node in given if isinstance(node, ast.Assign) for target in node.targets]
    check_values(parameters, {name: shell.user_ns[name] for name in [*parameters, *names]})


def _declared_alone(cell: str) -> dict[str, Parameter]:
    """The parameters of a cell that has nothing else in it."""
    try:
        body = ast.parse(cell).body
    except SyntaxError:  # such as a line for the shell
        return {}
    return declared_in(cell) if all(isinstance(line, ast.AnnAssign) for line in body) else {}
