import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from ilwp.common.errors import IlwpError
from ilwp.common.paths import ROOT

SOURCE = ROOT / "book" / "extensions" / "notebook_runs.py"
sys.path.insert(0, str(SOURCE.parent))
SPEC = importlib.util.spec_from_file_location("notebook_runs", SOURCE)
notebook_runs = importlib.util.module_from_spec(SPEC)
sys.modules["notebook_runs"] = notebook_runs
SPEC.loader.exec_module(notebook_runs)
elsewhere = importlib.import_module("elsewhere")

DRAW = """\
import matplotlib.pyplot as plt
from myst_nb import glue
import pandas as pd
from ilwp.figures import output, style
style.use_style()
glue("share", bits / 3, display=False)
plt.plot([1, 2], [bits, 3])
output.keep_table(plt.gca(), pd.DataFrame({"size": [1, 2], "bits": [bits, 3]}));
"""
FIGURE = {"figure": {"name": "fig-dot", "caption": "One dot."}, "image": {"alt": "A dot"}}


def write_notebook(path: Path, *code: str, **metadata: object) -> None:
    cells = [v4.new_code_cell("bits: int = 8  # 2 to 8", metadata={"tags": ["parameters"]})]
    cells += [v4.new_markdown_cell("# A dot"), *(v4.new_code_cell(text, metadata=metadata) for text in code)]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository in small: the package, one notebook shown with two sets of parameters, and some data."""
    shutil.copytree(ROOT / "ilwp", tmp_path / "ilwp", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("book", "data", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data" / "record.json").write_text("1")
    write_notebook(tmp_path / "notebooks" / "dot.ipynb", "print(bits)", mystnb=FIGURE)
    list_runs(tmp_path, "{dot: null, dot-bits4: {notebook: dot.ipynb, parameters: {bits: 4}}}")
    return tmp_path


def list_runs(root: Path, text: str) -> None:
    (root / "notebooks" / "runs.yaml").write_text(text)


def due(root: Path) -> list[str]:
    return notebook_runs.due(root, notebook_runs.load_runs(root / "notebooks" / "runs.yaml"))


def results(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((root / "book" / "notebooks").iterdir())}


def scripts(site: Path, page: str) -> list[Path]:
    """The scripts that a page loads."""
    found = re.findall(r'<script [^>]*src="(?:\.\./)*([^"?]+)', page)
    return [site / name for name in found if (site / name).is_file()]


def book(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "jupyter-book", "build", "-W", "--keep-going", "book/"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


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
    write_notebook(path, DRAW, mystnb=FIGURE)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    list_runs(root, "{dot: null, dot-bits4: {notebook: dot.ipynb, parameters: {bits: 4}}}")
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
from ilwp.experiments import evidence
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
    assert {"ilwp/__init__.py", "ilwp/experiments/evidence.py", "ilwp/paper/huffman.py"} <= set(reads)
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


def test_book_is_whole_by_itself_and_follows_its_notebook(root: Path) -> None:
    shutil.copy(ROOT / "_config.yml", root)
    for folder in ("extensions", "style", "templates"):
        shutil.copytree(ROOT / "book" / folder, root / "book" / folder)
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    shutil.copy(ROOT / "book" / "bibliography.md", root / "book")
    (root / "book" / "_toc.yml").write_text(
        "{format: jb-book, root: intro, chapters: [{file: bibliography}, {glob: notebooks/*}]}"
    )
    (root / "book" / "intro.md").write_text(
        "# Intro\n\n{cite:t}`lee2019ilwp` share {glue:text}`notebooks/dot.ipynb::share:.2f`"
        " in {numref}`fig-dot`, $\\boldsymbol{x}$\n"
    )
    write_notebook(root / "notebooks" / "dot.ipynb", DRAW, mystnb=FIGURE)
    list_runs(root, "dot:")

    process = book(root)
    assert process.returncode == 0, process.stderr
    site = root / "_build" / "html"
    pages = {path.name: path.read_text() for path in site.rglob("*.html")}
    intro = pages["intro.html"]
    assert '<span class="pasted-text">2.67</span>' in intro
    assert '<a class="reference internal" href="notebooks/dot.html#fig-dot">' in intro
    assert "Lee" in pages["bibliography.html"]
    assert '<img alt="A dot"' in pages["dot.html"]
    assert '<span class="caption-number">Plate 1 </span><span class="caption-text">One dot.</span>' in pages["dot.html"]
    for text in pages.values():
        assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//", text)
        assert "thebe" not in text
    assert re.search(r'<span class="math"><svg class="formula" role="img" aria-label="\\boldsymbol{x}"', intro)
    assert "papermill notebooks/dot.ipynb -p bits 8" in re.sub(r"<[^>]*>", "", pages["dot.html"])
    (numbers,) = re.findall(r'href="\.\./(_downloads/[^"]*fig-dot\.csv)"', pages["dot.html"])
    assert (site / numbers).read_text().splitlines() == ["panel,size,bits", ",1,8", ",2,3"]
    # in the project's own pages no script is heavier than all of a page may be
    assert max(path.stat().st_size for text in pages.values() for path in scripts(site, text)) < 1_000_000

    list_runs(root, "dot: {parameters: {bits: 4}}")
    process = book(root)
    assert process.returncode == 0, process.stderr
    assert '<span class="pasted-text">1.33</span>' in (site / "intro.html").read_text()


def test_failed_run_ends_the_build_though_others_were_still_waiting(root: Path) -> None:
    write_notebook(root / "notebooks" / "broken.ipynb", "1 / 0")
    names = "{broken: , broken-a: {notebook: broken.ipynb}, dot: , "
    list_runs(root, names + "dot-b: {notebook: dot.ipynb}, dot-c: {notebook: dot.ipynb}}")
    with pytest.raises(IlwpError, match="ZeroDivisionError"):
        notebook_runs.run_notebooks(root)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_where_the_checkout_cannot_be_written_all_goes_into_the_output_folder(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path_factory.mktemp("output")
    (root / "book" / "intro.md").write_text("# Intro\n")
    (root / "book" / "notebooks").mkdir()
    write_notebook(root / "notebooks" / "dot.ipynb", "print(open('data/record.json').read())")
    before = contents(root)
    app = types.SimpleNamespace(srcdir=root / "book", outdir=output / "_build" / "html")
    elsewhere.go_elsewhere(app, None)
    assert app.srcdir == root / "book"
    monkeypatch.setattr(os, "access", lambda *_: False)
    for _ in range(2):  # the second time it is there already
        app.srcdir = root / "book"
        elsewhere.go_elsewhere(app, None)
        mirrored = output / "_build" / "source"
        assert app.srcdir == mirrored / "book"
        assert (app.srcdir / "intro.md").read_text() == "# Intro\n"
        if due(mirrored):
            notebook_runs.run_notebooks(mirrored)
    assert sorted(results(mirrored)) == ["dot-bits4.ipynb", "dot.ipynb"]
    assert json.loads(results(mirrored)["dot.ipynb"])["metadata"]["inputs"]["reads"] == ["data/record.json"]
    assert contents(root) == before


def test_a_page_holds_nothing_that_chance_gave_its_outputs(root: Path) -> None:
    style = "display(pd.DataFrame({'a': [1]}).style); display(pd.DataFrame({'b': [1]}).style)"
    streams = "import pandas as pd, sys, time; print(1, flush=True); time.sleep(0.3); print(2); print(object())"
    write_notebook(root / "notebooks" / "dot.ipynb", streams, style)
    list_runs(root, "{dot: , dot-b: {notebook: dot.ipynb}}")
    notebook_runs.run_notebooks(root)
    pages = [json.loads(page)["cells"][-2:] for page in results(root).values()]
    assert [cell["outputs"] for cell in pages[0]] == [cell["outputs"] for cell in pages[1]]
    assert len(pages[0][0]["outputs"]) == 1
    assert "T_4_0" in str(pages[0][1]["outputs"])
    assert "T_4_1" in str(pages[0][1]["outputs"])
