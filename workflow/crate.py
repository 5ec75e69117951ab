"""The run records as an RO-Crate: what was run, with which parameters, from which commit, and for how long.

    python workflow/crate.py FOLDER

copies the records, kernels and benchmarks of data/ to FOLDER and describes them there in `ro-crate-metadata.json`, by
the profile Process Run Crate: a `CreateAction` a training run. A record does not hold the commit that it was made from,
so each run names the one that brought its record here.
"""

import math
import re
import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity, SoftwareApplication
from rocrate.rocrate import ROCrate

from ilwp.common.paths import EVIDENCE, ROOT, RUNS
from ilwp.experiments.records import RunRecord, kernels_path, read_record

PAPER = "https://arxiv.org/abs/1907.06835"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TYPES = {".json": "application/json", ".safetensors": "application/octet-stream"}
DATASETS = {
    "cifar10": ("CIFAR-10", "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"),
    "cifar100": ("CIFAR-100", "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"),
    "digits": ("Handwritten digits", "https://archive.ics.uci.edu/dataset/80"),
}


def main(folder: Path) -> None:
    """Write the crate."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    crate = ROCrate()
    crate.name = "Training runs of the companion to inter-layer weight prediction"
    crate.description = "Records and depthwise kernels of every training run, and the benchmarks of the codec."
    crate.license = crate.add(_thing(crate, "https://spdx.org/licenses/MIT", "CreativeWork", name="MIT"))
    crate.datePublished = commit(EVIDENCE, "%cI")
    about = {"name": "ilwp train", "version": project["version"], "url": PAPER}
    tool = crate.add(SoftwareApplication(crate, "#ilwp-train", properties=about))
    author = crate.add(_thing(crate, "#contributors", "Organization", name="the ilwp contributors"))
    profile = crate.add(_thing(crate, PROFILE, ["CreativeWork", "Profile"], name="Process Run Crate", version="0.5"))
    crate.root_dataset["conformsTo"] = profile
    crate.root_dataset["author"] = author
    for path in sorted(RUNS.glob("*/*.json")):
        crate.root_dataset.append_to("mentions", _add_run(crate, path, read_record(path), tool, author))
    for path in sorted((EVIDENCE / "benchmarks").glob("*.json")):
        _add_file(crate, path, f"Benchmark: {path.stem}")
    crate.write(folder)
    print(f"wrote {folder}, with {len(crate.root_dataset['mentions'])} runs")


def parameters(record: RunRecord) -> dict[str, Any]:
    """What a run was made with: names and values."""
    made_with = {"profile": record.profile, "recipe": record.recipe} | asdict(record.config)
    for kind, values in (("software", record.software), ("hardware", record.hardware)):
        made_with |= {f"{kind} {name}": value for name, value in values.items()}
    return made_with


def commit(path: Path, form: str = "%H") -> str:
    """The last commit that changed a file or folder: its hash, or what else of it git can print."""
    command = ["git", "-C", str(ROOT), "log", "-1", f"--format={form}", "--", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not found:
        raise SystemExit(f"{path} is in no commit yet: commit it, then make the crate")
    return found


def _add_run(
    crate: ROCrate, path: Path, record: RunRecord, tool: ContextEntity, author: ContextEntity
) -> ContextEntity:
    name = f"{path.parent.name}/{path.stem}"
    title, address = DATASETS[record.config.dataset]
    given = [crate.add(_thing(crate, address, "CreativeWork", name=title))]
    # runs that were given the same value share its entity
    given += [_add_value(crate, f"#{key}={value}", key, value) for key, value in parameters(record).items()]
    results = [
        _add_file(crate, path, f"Record of {name}"),
        _add_file(crate, kernels_path(path), f"Depthwise kernels of {name}"),
        _add_value(crate, f"#{name}/accuracy", "top-1 accuracy", record.accuracy, "percent"),
        _add_value(crate, f"#{name}/hours", "training time", round(record.seconds / 3600, 3), "hour"),
    ]
    return crate.add(
        _thing(
            crate, f"#{name}", "CreateAction",
            name=f"Training run {name}", description=f"Its record came with commit {commit(path)}",
            instrument=tool, agent=author, object=given, result=results,
        )
    )  # fmt: skip


def _add_value(crate: ROCrate, identifier: str, name: str, value: Any, unit: str | None = None) -> Any:
    number = isinstance(value, int | float) and math.isfinite(value)  # JSON has no infinity
    properties = {"name": name, "value": value if number else str(value)} | ({"unitText": unit} if unit else {})
    identifier = re.sub(r"[^\w#=/.+-]", "-", identifier)
    return crate.get(identifier) or crate.add(_thing(crate, identifier, "PropertyValue", **properties))


def _add_file(crate: ROCrate, path: Path, name: str) -> Any:
    properties = {
        "name": name,
        "description": f"{name}; data/README.md says what it holds",
        "encodingFormat": TYPES[path.suffix],
        "contentSize": str(path.stat().st_size),
    }
    return crate.add_file(path, path.relative_to(ROOT).as_posix(), properties=properties)


def _thing(crate: ROCrate, identifier: str, kind: str | list[str], /, **properties: Any) -> ContextEntity:
    return ContextEntity(crate, identifier, properties={"@type": kind, **properties})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
