import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_book import FIGURE, book, due, list_runs, notebook_runs, results, small_book, write_notebook

from ilwp.common.errors import IlwpError
from ilwp.common.paths import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_book(tmp_path)


def test_runs_are_made_once_and_hold_nothing_of_the_moment(root: Path) -> None:
    notebook_runs.run_notebooks(root)
    first = results(root)
    assert list(first) == ["dot-bits4.ipynb", "dot.ipynb"]
    for name, printed, figure in (("dot.ipynb", "8\n", "fig-dot"), ("dot-bits4.ipynb", "4\n", "fig-dot-bits4")):
        cell = json.loads(first[name])["cells"][-1]
        assert "".join(cell["outputs"][0]["text"]) == printed
        assert cell["metadata"]["mystnb"] == FIGURE | {"figure": FIGURE["figure"] | {"name": figure}}
        assert not re.search(rb"_time|duration|/tmp", first[name])
    assert due(root) == []

    (root / "book" / "notebooks" / "dot.ipynb").unlink()
    (root / "book" / "notebooks" / "gone.ipynb").write_text("{}")
    notebook_runs.run_notebooks(root)
    assert results(root) == first

    list_runs(root, "{dot: }")
    notebook_runs.run_notebooks(root)
    assert list(results(root)) == ["dot.ipynb"]


def made(root: Path, *reads: str) -> None:
    """As if the runs had been made: results that say they are made from the files and folders `reads`."""
    runs = notebook_runs.load_runs(root / "notebooks" / "runs.yaml")
    (root / "book" / "notebooks").mkdir(exist_ok=True)
    for name, run in runs.items():
        inputs = {"reads": reads, "hash": notebook_runs._hash_of(root, name, run, reads)}
        inputs["text"] = notebook_runs._text_hash(root, run)
        (root / "book" / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"metadata": {"inputs": inputs}}))


READS = ["ilwp/__init__.py", "ilwp/paper/codec.py", "data", "data/record.json", "data/missing.json"]
CHANGES: dict[str, Callable[[Path], object]] = {
    "module": lambda root: (root / "ilwp" / "paper" / "codec.py").write_text("# a comment"),
    "data": lambda root: (root / "data" / "record.json").write_text("2"),
    "new file in a folder": lambda root: (root / "data" / "other.json").write_text("2"),
    "file that was looked for": lambda root: (root / "data" / "missing.json").write_text("2"),
    "file that is gone": lambda root: (root / "data" / "record.json").unlink(),
    "code": lambda root: write_notebook(root / "notebooks" / "dot.ipynb", "print(-bits)", mystnb=FIGURE),
    "tags": lambda root: write_notebook(root / "notebooks" / "dot.ipynb", "print(bits)", tags=["raises-exception"]),
    "damaged result": lambda root: [p.write_text("{") for p in (root / "book" / "notebooks").iterdir()],
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_what_runs_depend_on_makes_them_due(root: Path, change: str) -> None:
    made(root, *READS)
    assert due(root) == []
    CHANGES[change](root)
    assert due(root) == ["dot", "dot-bits4"]


def test_what_no_run_reads_makes_none_due(root: Path) -> None:
    made(root, *READS)
    (root / "ilwp" / "cli" / "main.py").write_text("# a comment")
    (root / "ilwp" / "paper" / "new.py").write_text("")
    assert due(root) == []


def test_a_change_of_text_or_caption_makes_the_page_anew_and_runs_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "notebooks" / "dot.ipynb"
    drawing = {"image/svg+xml": "<svg/>", "text/csv": "size,bits", "text/plain": "a figure"}
    write_notebook(path, f"display({drawing}, raw=True)", mystnb=FIGURE)
    notebook_runs.run_notebooks(root)
    first = results(root)
    text = path.read_text()
    path.write_text(text.replace("# A dot", "# Another dot").replace("One dot.", "Only one dot."))
    assert due(root) == []
    monkeypatch.setattr(notebook_runs, "KERNELS", root / "none")
    notebook_runs.run_notebooks(root)
    changed = results(root)
    assert all(b"# Another dot" in page and b"Only one dot." in page for page in changed.values())
    path.write_text(text)
    notebook_runs.run_notebooks(root)
    assert results(root) == first


READ = """\
import subprocess
import sys
from pathlib import Path
from ilwp.experiments import profiles
for record in Path("data").glob("*.json"):
    record.read_text()
subprocess.run([sys.executable, "-c", "import ilwp.paper.huffman; open('config/late.yaml').close()"], check=True)
"""


def test_a_run_notes_what_it_and_its_commands_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(root))
    (root / "config").mkdir()
    (root / "config" / "late.yaml").write_text("")
    write_notebook(root / "notebooks" / "dot.ipynb", READ)
    list_runs(root, "dot:")
    notebook_runs.run_notebooks(root)
    reads = json.loads((root / "book" / "notebooks" / "dot.ipynb").read_text())["metadata"]["inputs"]["reads"]
    assert reads == sorted(reads)
    assert {"data", "data/record.json", "config/late.yaml"} <= set(reads)
    assert {"ilwp/__init__.py", "ilwp/experiments/profiles.py", "ilwp/paper/huffman.py"} <= set(reads)
    assert not any(path.startswith(("ilwp/cli", "ilwp/figures")) for path in reads)
    assert due(root) == []
    (root / "ilwp" / "cli" / "main.py").write_text("# a comment")
    assert due(root) == []
    (root / "ilwp" / "paper" / "huffman.py").write_text("# a comment")
    assert due(root) == ["dot"]


def test_a_file_that_changes_while_it_is_read_makes_the_run_due_again(root: Path) -> None:
    write_notebook(root / "notebooks" / "dot.ipynb", "with open('data/record.json', 'r+') as f: f.write('2')")
    list_runs(root, "dot:")
    notebook_runs.run_notebooks(root)
    assert due(root) == ["dot"]


def test_a_changed_parameter_makes_one_run_due(root: Path) -> None:
    made(root)
    list_runs(root, "{dot: null, dot-bits4: {notebook: dot.ipynb, parameters: {bits: 5}}}")
    assert due(root) == ["dot-bits4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read"),
        ("[dot]", "is not a run list"),
        ("dot: {bits: 4}", "is not a run list: bits: unexpected keyword argument"),
        ("none:", "there is no notebook none.ipynb"),
        ("../dot: {notebook: dot.ipynb}", "is not a file's name"),
    ],
)
def test_run_list_that_makes_no_sense(root: Path, text: str, message: str) -> None:
    list_runs(root, text)
    with pytest.raises(IlwpError, match=message) as error:
        notebook_runs.run_notebooks(root)
    assert "\n" not in str(error.value)


def test_refused_parameter_is_one_line_and_the_other_run_is_kept(root: Path) -> None:
    made(root)
    list_runs(root, "{dot: null, dot-bits9: {notebook: dot.ipynb, parameters: {bits: 9}}}")
    with pytest.raises(IlwpError, match=r"^notebooks/dot\.ipynb failed, run as .*: bits must be a whole number .*9$"):
        notebook_runs.run_notebooks(root)
    assert list(results(root)) == ["dot.ipynb"]
    assert due(root) == ["dot-bits9"]


def test_failed_run_fails_the_build_in_one_line_and_leaves_no_notebook(root: Path) -> None:
    write_notebook(root / "notebooks" / "broken.ipynb", "1 / 0")
    list_runs(root, "broken:")
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "book" / "extensions", root / "book" / "extensions")
    (root / "book" / "_toc.yml").write_text("{format: jb-book, root: intro}")
    process = book(root)
    assert process.returncode != 0
    assert "notebooks/broken.ipynb failed, run as broken.ipynb: ZeroDivisionError: division by zero\n" in process.stderr
    assert "Traceback" not in process.stderr + process.stdout
    assert not list((root / "book").glob("notebooks/*"))


def test_failed_run_ends_the_build_though_others_were_still_waiting(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = re.sub(r"(?s)MODULES = \(.*?\)", 'MODULES = ("none", "papermill")', notebook_runs.KERNELS.read_text())
    (root / "kernels.py").write_text(light)
    monkeypatch.setattr(notebook_runs, "KERNELS", root / "kernels.py")
    write_notebook(root / "notebooks" / "broken.ipynb", "1 / 0")
    names = "{broken: , broken-a: {notebook: broken.ipynb}, dot: , "
    list_runs(root, names + "dot-b: {notebook: dot.ipynb}, dot-c: {notebook: dot.ipynb}}")
    with pytest.raises(IlwpError, match="ZeroDivisionError"):
        notebook_runs.run_notebooks(root)
