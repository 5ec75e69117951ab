import subprocess
import tomllib
from importlib.metadata import distributions

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ilwp.common.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
INSTALLED = "-e .[all]"


def test_all_is_every_extra() -> None:
    assert EXTRAS["all"] == [f"ilwp[{','.join(sorted(EXTRAS.keys() - {'all'}))}]"]


def test_conda_installs_what_pyproject_lists_and_nothing_else() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, *others = environment["dependencies"]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python="))
    assert others == ["pip", {"pip": ["-c constraints.txt", INSTALLED]}]


def test_make_installs_the_same() -> None:
    commands = subprocess.run(["make", "-nB", "setup"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"pip install -c constraints.txt {INSTALLED.replace('.[', chr(39) + '.[')}'" in commands


def test_constraints_pin_every_requirement_within_its_bounds() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    assert not {"ilwp", "pip"} & set(pins)
    for text in [
        *PROJECT["dependencies"],
        *(text for name, extra in EXTRAS.items() for text in extra if name != "all"),
    ]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), text


def test_every_pinned_package_takes_the_oldest_python_that_is_promised() -> None:
    oldest = next(iter(SpecifierSet(PROJECT["requires-python"]))).version + ".0"
    wanted = {package.metadata["Name"]: package.metadata["Requires-Python"] for package in distributions()}
    assert len(wanted) > 100
    assert {name: bound for name, bound in wanted.items() if not SpecifierSet(bound or "").contains(oldest)} == {}


def test_make_alone_explains_its_targets() -> None:
    text = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "book", "test", "clean"):
        assert f"make {target} " in text
