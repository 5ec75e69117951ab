"""One training run's evidence: a JSON record and, beside it, the trained depthwise kernels as safetensors."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ilwp.common.errors import IlwpError, about, first_problem
from ilwp.common.files import atomic_write, read_bytes
from ilwp.common.tensor_files import read_tensors, write_state_dict
from ilwp.paper.kernels import Kernels, depthwise_kernels, with_kernels
from ilwp.paper.settings import Loop, Method, Rate
from ilwp.training.train import Epoch, TrainConfig

Percent = Annotated[float, Field(ge=0, le=100)]


@dataclass(frozen=True, config={"extra": "forbid"})
class Measurement:
    """A network compressed one way: where the file's bits go and the test accuracy after decoding, in percent."""

    method: Method
    bits: Annotated[int, Field(ge=2, le=8)]
    loop: Loop
    rate: Rate
    accuracy: Percent


@dataclass(frozen=True, config={"extra": "forbid", "ser_json_inf_nan": "strings"})
class RunRecord:
    """What was trained, on what, how it went and what compression makes of it.

    `inter_layer_weight` is the factor of Eq. 2 in this schedule that stands for the paper's lambda in
    `config.inter_layer`. `accuracy` is the last epoch's in percent, `seconds` the wall time of all epochs.
    """

    profile: str
    recipe: int
    config: TrainConfig
    inter_layer_weight: float
    software: dict[str, str]
    hardware: dict[str, str]
    history: Annotated[list[Epoch], Field(min_length=1)]
    accuracy: Percent
    seconds: float
    parameters: int  # of the whole network
    depthwise_weights: int
    kernels_sha256: str
    measurements: list[Measurement]
    format: Literal[1] = 1

    def is_of(self, recipe: int, config: TrainConfig) -> bool:
        """Whether this recipe and configuration made it."""
        return self.recipe == recipe and self.config == config


def kernels_path(record: Path) -> Path:
    """Where the kernels of the run recorded in `record` are."""
    return record.with_suffix(".safetensors")


def write_record(path: Path, record: RunRecord) -> None:
    """Write the record, whole or not at all."""
    atomic_write(path, TypeAdapter(RunRecord).dump_json(record, indent=1) + b"\n")


def write_kernels(path: Path, kernels: Kernels) -> str:
    """Write the kernels that belong to the record at `path`; their SHA-256, which the record holds."""
    write_state_dict(kernels_path(path), with_kernels(kernels, kernels))
    return hashlib.sha256(kernels_path(path).read_bytes()).hexdigest()


def check_replaceable(path: Path) -> None:
    """Raises IlwpError where a record and kernels written to `path` would replace files that are no run's."""
    file = path
    try:
        if path.exists():
            read_record(path)
        if (file := kernels_path(path)).exists():  # a run that was killed may have left them without a record
            tensors = read_tensors(file)
            if len(depthwise_kernels(tensors)) < len(tensors):
                raise IlwpError("it holds more than kernels")
    except IlwpError as error:
        raise IlwpError(f"{file} is no run's, and would be lost: name another record with --output") from error


def read_record(path: Path) -> RunRecord:
    """A validated record; raises IlwpError where it is missing or does not make sense."""
    content = read_bytes(path)
    with about(path):
        return parse_record(content)


def parse_record(content: bytes) -> RunRecord:
    """The record in a JSON file's bytes; raises IlwpError where it does not make sense."""
    try:
        return TypeAdapter(RunRecord).validate_json(content)
    except ValidationError as error:
        raise IlwpError(f"this is not a run's record: {first_problem(error)}") from error


def read_kernels(path: Path) -> Kernels:
    """The depthwise kernels of the run recorded at `path`, in network order."""
    record, stored = read_record(path), kernels_path(path)
    if hashlib.sha256(read_bytes(stored)).hexdigest() != record.kernels_sha256:
        raise IlwpError(f"{stored} does not belong to {path}: restore both or run it again")
    return depthwise_kernels(read_tensors(stored))


def records_in(folder: Path) -> dict[Path, RunRecord]:
    """All records below a folder, in the order of their names."""
    return {path: read_record(path) for path in sorted(folder.rglob("*.json"))}


def results_table(records: Iterable[RunRecord]) -> pd.DataFrame:
    """One row a measurement: the run's settings, sizes in bytes and in bits a depthwise weight, accuracy in percent."""
    rows = [
        {
            "profile": r.profile, **asdict(r.config), "float_accuracy": r.accuracy,
            "method": m.method, "bits": m.bits, "loop": m.loop,
            **{f"{part}_bytes": value / 8 for part, value in asdict(m.rate).items()},
            "total_bytes": m.rate.total / 8, "bits_a_weight": m.rate.total / r.depthwise_weights,
            "texture_bits_a_weight": m.rate.texture / (r.depthwise_weights - m.rate.raw // 32),
            "accuracy": m.accuracy,
        }
        for r, m in ((r, m) for r in records for m in r.measurements)
    ]  # fmt: skip
    return pd.DataFrame(rows)
