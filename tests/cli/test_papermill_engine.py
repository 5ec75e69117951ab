import base64
import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from ilwp.cli import papermill_engine
from ilwp.common.paths import ROOT

PARAMETERS = """\
bits: int = 8  # bits per weight, 2 to 8
step: float = 0.5  # of the quantizer, 1e-3 to inf
network: str = "mobilenet"  # one of mobilenet, shufflenet
open_loop: bool = False  # predict from the original
title: str = ""  # of 2 to 8 words
"""
PAPERMILL = f"{shlex.quote(sys.executable)} -m papermill"


def write_notebook(path: Path) -> None:
    cells = [v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), v4.new_code_cell("print(bits)")]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    path.parent.mkdir()
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own: notebooks/fig5.ipynb and the package, which finds its root from where it lies."""
    write_notebook(tmp_path / "notebooks" / "fig5.ipynb")
    modules = (
        "common/errors.py", "common/parameters.py", "common/paths.py", "common/version.py", "cli/papermill_engine.py"
    )  # fmt: skip
    for name in ("", "common", "cli", *modules):
        source = Path("ilwp", name) if name.endswith(".py") else Path("ilwp", name, "__init__.py")
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, tmp_path / source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(papermill_engine, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(papermill_engine, "NOTEBOOK_OUTPUTS", tmp_path / "runs")
    return tmp_path


def shell(command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    return subprocess.run(
        ["bash", "-c", command], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.mark.parametrize("command", ["echo | {}", "{} <&-"])
def test_command_as_typed_writes_a_run_and_says_where(place: Path, command: str) -> None:
    notebook = Path("notebooks/fig5.ipynb")
    before = notebook.read_bytes()
    process = shell(command.format(f"{PAPERMILL} notebooks/fig5.ipynb -p bits 4"))
    assert process.returncode == 0, process.stderr
    assert process.stdout == "Writing runs/fig5-bits4.ipynb\n"
    executed = nbformat.read("runs/fig5-bits4.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "4\n"
    assert notebook.read_bytes() == before


def test_on_a_terminal(place: Path) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "papermill", "notebooks/fig5.ipynb", "-p", "bits", "4", "--prepare-only"],
        env=os.environ | {"PYTHONPATH": str(place)}, stdin=theirs, stdout=theirs, stderr=theirs, check=True,
    )  # fmt: skip
    assert b"Writing runs/fig5-bits4.ipynb" in os.read(ours, 10_000)
    assert Path("runs/fig5-bits4.ipynb").is_file()


@pytest.mark.parametrize(
    "wrong", ["-p bit 4", "-p bits 9", "-y '{bits: [' "], ids=["misspelt", "out of range", "not YAML"]
)
def test_refusal_is_one_line_and_leaves_nothing(place: Path, wrong: str) -> None:
    process = shell(f"{PAPERMILL} notebooks/fig5.ipynb {wrong}")
    assert process.returncode != 0
    assert process.stdout == ""
    assert process.stderr.startswith("papermill: notebooks/fig5.ipynb: ")
    assert process.stderr.count("\n") == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-p bit 4", "no parameter is called 'bit': choose from bits, step, network, open_loop, title"),
        ("-p bits 1", "bits must be a whole number from 2 to 8, not 1"),
        ("-p bits abc", "bits must be a whole number from 2 to 8, not 'abc'"),
        ("-p bits 4.0", "bits must be a whole number from 2 to 8, not 4.0"),
        ("-p bits True", "bits must be a whole number from 2 to 8, not True"),
        ("-p bits None", "bits must be a whole number from 2 to 8, not None"),
        ("-r bits 4", "bits must be a whole number from 2 to 8, not '4'"),
        ("-p step nan", "step must be a number from 1e-3 to inf, not nan"),
        ("-p step 0", "step must be a number from 1e-3 to inf, not 0"),
        ("-p network vgg", "network must be one of mobilenet, shufflenet, not 'vgg'"),
        ("-p open_loop 1", "open_loop must be True or False, not 1"),
        ("-p title 5", "title must be text, not 5"),
        ("-y '[1]'", "parameters are written `name: value`, not '[1]'"),
        ("-b /w==", "'utf-8' codec can't decode"),
        ("-f none.yaml", "the parameter file none.yaml is not a file"),
    ],
)
def test_refused(place: Path, arguments: str, message: str) -> None:
    for output in ([], ["out.ipynb"]):
        with pytest.raises(SystemExit, match=r"^papermill: notebooks/fig5\.ipynb: ") as refusal:
            papermill_engine.complete(["notebooks/fig5.ipynb", *output, *shlex.split(arguments)])
        assert message in str(refusal.value)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "nonsense"])
def test_a_damaged_notebook_is_refused(place: Path, content: str) -> None:
    Path("notebooks/fig5.ipynb").write_text(content)
    with pytest.raises(SystemExit, match=r"^papermill: notebooks/fig5\.ipynb: this is no notebook \("):
        papermill_engine.complete(["notebooks/fig5.ipynb"])


def test_a_file_where_runs_belong_is_refused(place: Path) -> None:
    Path("runs").write_text("")
    with pytest.raises(SystemExit, match="File exists"):
        papermill_engine.complete(["notebooks/fig5.ipynb"])


@pytest.mark.parametrize("option", [[], ["--help-notebook"]])
def test_missing_notebook_is_refused(place: Path, option: list[str]) -> None:
    with pytest.raises(SystemExit, match="there is no such notebook in notebooks/"):
        papermill_engine.complete([*option, "notebooks/fig6.ipynb"])


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("", "fig5"),
        ("-p bits 4", "fig5-bits4"),
        ("--parameters bits 4 -k python3 --log-output", "fig5-bits4"),
        ("-p network shufflenet -p bits 2", "fig5-bits2-networkshufflenet"),
        ("-r network shufflenet", "fig5-networkshufflenet"),
        ("--parameters_raw title 5 --cwd . -p step 1", "fig5-step1-title5"),
        ("-y 'bits: 4'", "fig5-bits4"),
        ("--parameters_yaml '{bits: 4, open_loop: true}'", "fig5-bits4-open_loopTrue"),
        ("-f four.yaml", "fig5-bits4"),
        ("--parameters_file four.yaml -p bits 5", "fig5-bits5"),
        (f"-b {base64.b64encode(b'bits: 4').decode()}", "fig5-bits4"),
        (f"--parameters_base64 {base64.b64encode(b'bits: 4').decode()} -y 'bits: 6'", "fig5-bits6"),
    ],
)
def test_every_way_to_give_parameters(place: Path, arguments: str, name: str) -> None:
    Path("four.yaml").write_text("bits: 4\n")
    given = ["notebooks/fig5.ipynb", *shlex.split(arguments)]
    assert papermill_engine.complete(given) == [*given, f"runs/{name}.ipynb"]
    assert papermill_engine.complete([*given[1:], given[0]]) == [*given[1:], given[0], f"runs/{name}.ipynb"]


def test_runs_stand_at_the_top_wherever_the_command_is_typed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("notebooks")
    assert papermill_engine.complete(["fig5.ipynb"])[-1] == "../runs/fig5.ipynb"


def test_run_names_are_safe_short_and_different() -> None:
    texts = ["a", "a/b", "a_b", "../../a", "a b", "a{b}", "é", "x" * 300, "x" * 301, "nul\0"]
    names = [papermill_engine.run_name("fig5", {"title": text}) for text in texts]
    assert names[0] == "fig5-titlea"
    assert len(set(names)) == len(names)
    assert all(len(name) < 140 and not set(name) & set("/{} \0é") for name in names)


@pytest.mark.parametrize(
    "arguments",
    [
        "notebooks/fig5.ipynb out.ipynb -p bits 4", "notebooks/fig5.ipynb - -p bits 4",
        "--help-notebook notebooks/fig5.ipynb -p bit 4", "notebooks/fig5.ipynb --help", "--version", "", "-",
        "notebooks/fig5.ipynb -p bits", "other/fig5.ipynb -p bit 4", "other/none.ipynb",
    ],
)  # fmt: skip
def test_left_to_papermill(place: Path, arguments: str) -> None:
    write_notebook(place / "other" / "fig5.ipynb")
    assert papermill_engine.complete(shlex.split(arguments)) == shlex.split(arguments)
    assert not Path("runs").exists()


def test_explicit_output_and_help_still_work(place: Path) -> None:
    printed = shell(f"{PAPERMILL} notebooks/fig5.ipynb - -p bits 4 --prepare-only")
    assert "bits = 4" in "".join(json.loads(printed.stdout)["cells"][1]["source"])
    help_text = shell(f"{PAPERMILL} --help-notebook notebooks/fig5.ipynb <&-").stdout
    assert "bits: int (default 8)           bits per weight, 2 to 8" in help_text


def test_other_notebooks_are_papermills_own_business(place: Path) -> None:
    write_notebook(place / "other" / "fig5.ipynb")
    process = shell(f"{PAPERMILL} other/fig5.ipynb out.ipynb -p bit 4 --prepare-only")
    assert process.returncode == 0
    assert "Passed unknown parameter: bit" in process.stderr
    assert Path("out.ipynb").is_file()


def test_other_programs_may_import_papermill(place: Path) -> None:
    code = "import ilwp.cli.papermill_engine, papermill, sys; print(sys.argv)"
    arguments = ["-c", code, "notebooks/fig5.ipynb", "-p", "bit", "4"]
    process = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    assert process.stdout == f"{['-c', *arguments[2:]]}\n"
