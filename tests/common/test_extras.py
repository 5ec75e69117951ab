"""Without any extra: what compressing and decoding need is there, and what else is asked for names its extra."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from samples import state_dict

from ilwp.common.extras import EXTRAS, extra_for
from ilwp.common.paths import ROOT
from ilwp.common.tensor_files import read_tensors, write_state_dict

# runs command lines in one process, in which no package of an extra can be found
LIGHT = """
import contextlib, io, json, sys
from ilwp.common.extras import EXTRAS

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from ilwp.cli.main import main

outcomes = []
for line in json.loads(sys.argv[1]):
    sys.argv, code = ["ilwp", *line.split()], 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    outcomes.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(outcomes))
"""


def light(folder: Path, lines: list[str]) -> dict[str, tuple[int, str, str]]:
    """Exit status, output and errors of each command line."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{LIGHT}", json.dumps(lines)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(zip(lines, map(tuple, json.loads(done.stdout)), strict=True))


def test_safetensors_files_are_compressed_looked_into_and_decoded(tmp_path: Path):
    write_state_dict(tmp_path / "net.safetensors", state_dict())
    lines = ["compress net.safetensors", "inspect net.ilwp", "decompress net.ilwp -o back.safetensors"]
    lines += ["inspect back.safetensors", "svwh net.safetensors", "--help", "train --help"]
    for line, (code, out, err) in light(tmp_path, lines).items():
        assert (code, err) == (0, ""), line
        assert out, line
    assert read_tensors(tmp_path / "back.safetensors").keys() == state_dict().keys()


def test_a_command_that_lacks_a_package_names_the_extra_in_one_line(tmp_path: Path):
    write_state_dict(tmp_path / "net.safetensors", state_dict())
    (tmp_path / "net.pt").write_bytes(b"PK\3\4")
    before = sorted(tmp_path.iterdir())
    lines = ["compress net.safetensors --graph mobilenet", "compress net.pt", "train --profile smoke"]
    lines += ["status --profile smoke", "evaluate net.safetensors", "finetune net.safetensors --graph mobilenet"]
    additive = "compress net.safetensors --method additive"
    for line, outcome in light(tmp_path, [*lines, additive]).items():
        package, extra = ("faiss", "codebooks") if line == additive else ("torch", "torch")
        package = "pandas" if line.startswith("status") else package
        message = f"ilwp: this needs {package}, which is not installed: pip install 'ilwp[{extra}]'\n"
        assert outcome == (1, "", message), line
    assert sorted(tmp_path.iterdir()) == before


def test_every_package_is_in_the_extra_that_is_named_and_not_needed_without():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    distributions = packages_distributions()
    required = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    for package, extra in EXTRAS.items():
        names = {canonicalize_name(name) for name in distributions[package]}
        assert names & {canonicalize_name(Requirement(text).name) for text in project["optional-dependencies"][extra]}
        assert not names & required


def test_a_module_of_nobodys_is_an_error_like_any_other():
    assert extra_for(ModuleNotFoundError(name="ilwp.absent")) is None
    assert extra_for(ModuleNotFoundError()) is None
