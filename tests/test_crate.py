"""The run records as an RO-Crate."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ilwp.common.paths import ROOT
from ilwp.experiments.records import read_record

SPEC = importlib.util.spec_from_file_location("crate", ROOT / "workflow" / "crate.py")
crate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(crate)

CELLS = ("cpu/cifar10-mobilenet-lambdainf-seed0", "full-width/cifar10-mobilenet-lambda1-seed0")
WHO = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two runs in one commit."""
    for name in CELLS:
        for suffix in (".json", ".safetensors"):
            path = Path("data", "runs", name + suffix)
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(crate, "ROOT", tmp_path)
    monkeypatch.setattr(crate, "EVIDENCE", tmp_path / "data")
    monkeypatch.setattr(crate, "RUNS", tmp_path / "data" / "runs")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def commit(root: Path) -> str:
    subprocess.run(["git", "add", "."], cwd=root, check=True)
    subprocess.run(["git", *WHO, "commit", "-qm", "runs"], cwd=root, check=True)
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True).stdout.strip()


def test_every_run_says_what_was_run_with_what_and_from_which_commit(root: Path) -> None:
    revision = commit(root)
    crate.main(root / "crate")
    graph = {
        entity["@id"]: entity
        for entity in json.loads((root / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    }
    runs = {name.removeprefix("#"): entity for name, entity in graph.items() if entity["@type"] == "CreateAction"}
    assert sorted(runs) == sorted(CELLS)
    assert {entity["@id"] for entity in graph["./"]["mentions"]} == {f"#{name}" for name in CELLS}
    for name, run in runs.items():
        record = read_record(root / "data" / "runs" / f"{name}.json")
        assert run["description"] == f"Its record came with commit {revision}"
        assert graph[run["instrument"]["@id"]]["name"] == "ilwp train"
        given = {graph[entity["@id"]]["name"]: graph[entity["@id"]].get("value") for entity in run["object"]}
        wanted = crate.parameters(record)
        assert {key: str(value) for key, value in given.items() if key in wanted} == {
            k: str(v) for k, v in wanted.items()
        }
        results = [graph[entity["@id"]] for entity in run["result"]]
        assert {r["name"]: r["value"] for r in results if "value" in r} == {
            "top-1 accuracy": record.accuracy,
            "training time": round(record.seconds / 3600, 3),
        }
        for file in (r["@id"] for r in results if r["@type"] == "File"):
            assert (root / "crate" / file).read_bytes() == (root / file).read_bytes()


def test_a_record_in_no_commit_is_refused_in_a_line(root: Path) -> None:
    commit(root)
    with pytest.raises(SystemExit, match=r"is in no commit yet: commit it, then make the crate$"):
        crate.commit(root / "data" / "runs" / "new.json")
