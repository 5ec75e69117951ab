"""What papermill does for this repository's own notebooks beyond what it does for all: check, and name the output.

    papermill notebooks/fig5.ipynb -p bits 4   ->   runs/fig5-bits4.ipynb

Left to itself papermill fails on a terminal without an output path, prints JSON into a pipe, writes
*over the notebook* where standard input is a pipe, fails where it is closed, and of a misspelt parameter
it only warns. It asks an engine for nothing until all that is decided, but it imports the engines that
packages register before it looks at its arguments. So the import of this module refuses a wrong
parameter and completes `sys.argv`: no part of papermill is replaced, and its own parser has the last word.
"""

import base64
import hashlib
import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import yaml

from ilwp.common.errors import IlwpError, one_line
from ilwp.common.parameters import check_values, declared
from ilwp.common.paths import NOTEBOOK_OUTPUTS, NOTEBOOKS

# papermill's options that take a value, and how many: enough to tell paths and parameters from the rest
OPTIONS = {
    "-p --parameters": 2,
    "-r --parameters_raw": 2,
    "-f --parameters_file": 1,
    "-y --parameters_yaml": 1,
    "-b --parameters_base64": 1,
    "-k --kernel -l --language --engine --cwd --log-level --stdout-file --stderr-file": 1,
    "--autosave-cell-every --start-timeout --start_timeout --execution-timeout": 1,
}
NOT_INSTALLED = "the notebooks are in the project's repository and not in its package, so run this in a checkout"
COMMAND = click.Command(
    "papermill",
    params=[
        click.Argument(["words"], nargs=-1),
        *(click.Option(flags.split(), nargs=values, multiple=True) for flags, values in OPTIONS.items()),
    ],
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)


def __getattr__(name: str) -> Any:
    # papermill is still importing itself when it imports this module, so its engine is looked up late
    if name == "Engine":
        from papermill.engines import NBClientEngine

        return NBClientEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def complete(arguments: list[str]) -> list[str]:
    """Papermill's arguments, with an output path added where one of our notebooks has none.

    Raises SystemExit with one line where that notebook does not exist or cannot take its parameters.
    """
    try:
        given = COMMAND.make_context("papermill", list(arguments)).params
    except click.ClickException:
        return arguments  # for papermill itself to report
    paths = [word for word in given["words"] if word == "-" or not word.startswith("-")]
    if not paths or not Path(paths[0]).resolve().is_relative_to(NOTEBOOKS):
        return arguments
    try:
        os.fstat(0)
    except OSError:  # closed, and papermill looks at it: the lowest free descriptor is 0
        os.open(os.devnull, os.O_RDONLY)
    if {"-h", "--help", "--version"}.intersection(given["words"]):
        return arguments
    notebook = Path(paths[0])
    try:
        if not notebook.is_file():
            place = f"in {os.path.relpath(NOTEBOOKS)}/" if NOTEBOOKS.is_dir() else f"here: {NOT_INSTALLED}"
            raise IlwpError(f"there is no such notebook {place}")
        if "--help-notebook" in given["words"]:
            return arguments
        parameters = _checked(notebook, _parameters(given))
        if len(paths) > 1:
            return arguments
        NOTEBOOK_OUTPUTS.mkdir(exist_ok=True)
    except (OSError, ValueError, IlwpError, yaml.YAMLError) as error:
        raise SystemExit(f"papermill: {notebook}: {' '.join(str(error).split())}") from None
    output = os.path.relpath(NOTEBOOK_OUTPUTS / f"{run_name(notebook.stem, parameters)}.ipynb")
    print(f"Writing {output}", flush=True)
    return [*arguments, output]


def run_name(notebook: str, parameters: dict[str, Any]) -> str:
    """A file's name without its suffix, such as `fig5-bits4-networkmobilenet`; different runs differ in it."""
    name = "-".join([notebook, *(f"{key}{value}" for key, value in parameters.items())])
    safe = re.sub(r"[^\w.+-]", "_", name[:120], flags=re.ASCII)
    return name if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Names and values on the command line, read and ordered as papermill does."""
    from papermill.iorw import NoDatesSafeLoader

    for file in given["parameters_file"]:
        if not Path(file).is_file():  # what papermill could not read a second time, such as a pipe
            raise IlwpError(f"the parameter file {file} is not a file")
    texts = [base64.b64decode(text).decode() for text in given["parameters_base64"]]
    texts += [Path(file).read_text() for file in given["parameters_file"]]
    parameters: dict[str, Any] = {}
    for text in [*texts, *given["parameters_yaml"]]:
        values = yaml.load(text, Loader=NoDatesSafeLoader) or {}  # noqa: S506 (a safe loader by another name)
        if not isinstance(values, dict):
            raise IlwpError(f"parameters are written `name: value`, not {text!r}")
        parameters |= values
    return parameters | {name: _value(text) for name, text in given["parameters"]} | dict(given["parameters_raw"])


def _value(text: str) -> Any:
    """What papermill makes of the text in `-p name text`."""
    for read in (int, float, {"True": True, "False": False, "None": None}.__getitem__):
        with suppress(ValueError, KeyError):
            return read(text)
    return text


def _checked(notebook: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters in the notebook's order; raises IlwpError for a name or a value it does not allow."""
    try:
        known = declared(json.loads(notebook.read_text()))
    except (ValueError, LookupError, TypeError, AttributeError, SyntaxError) as error:
        raise IlwpError(f"this is no notebook ({one_line(error)})") from error
    check_values(known, parameters)
    return {name: parameters[name] for name in known if name in parameters}


def _is_papermill() -> bool:
    """Whether this process is the papermill command, and not something else that imports papermill."""
    if sys.argv[0] == "-m":  # during `python -m papermill`
        return sys.orig_argv[-len(sys.argv)] == "papermill"
    return Path(sys.argv[0]).stem == "papermill"


if _is_papermill():
    sys.argv[1:] = complete(sys.argv[1:])
