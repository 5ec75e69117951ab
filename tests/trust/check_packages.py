"""The whole of the tests on the oldest packages that pyproject.toml allows, and on the newest that there are."""

import os
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from results import LONG, TOOLS, save

from ilwp.common.paths import ROOT


def oldest() -> Iterator[str]:
    """Each lower bound as a pin, to its last correction."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [extra for name, extra in project["optional-dependencies"].items() if name != "all"]
    for requirement in map(Requirement, [*project["dependencies"], *(r for extra in extras for r in extra)]):
        for bound in requirement.specifier:
            if bound.operator == ">=":
                more = ".*" if bound.version.replace(".", "").isdecimal() else ""
                yield f"{requirement.name}=={bound.version}{more}"


@pytest.mark.skipif(not LONG, reason="installs 5 GB twice")
@pytest.mark.parametrize(("name", "pins"), [("oldest", list(oldest())), ("newest", [])])
def test_tests_pass_with_the_packages(name: str, pins: list[str], tmp_path: Path) -> None:
    environment, constraints, report = TOOLS / f"all-{name}", tmp_path / "pins.txt", tmp_path / "report.xml"
    python = environment / "bin" / "python"
    constraints.write_text("\n".join(pins))
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    install = [python, "-m", "pip", "install", "-q", "-c", constraints, "-e", f"{ROOT}[all]"]
    subprocess.run(install, check=True)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    command = [python, "-m", "pytest", "-q", f"--junitxml={report}"]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, stdout=subprocess.DEVNULL)
    suite = ET.parse(report).getroot()[0]
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    freeze = [python, "-m", "pip", "freeze", "--exclude-editable"]
    versions = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.split()
    shutil.rmtree(environment)
    save("packages", {name: {"tests": int(suite.get("tests", 0)), "failed": failed, "versions": versions}})
    assert failed == 0
