"""One training run's evidence: a JSON record and, beside it, the trained depthwise kernels as safetensors."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ilwp.common.errors import IlwpError, about, first_problem
from ilwp.common.files import atomic_write, read_bytes
from ilwp.common.tensor_files import read_tensors, to_safetensors, write_state_dict
from ilwp.paper.kernels import Kernels, as_weights, depthwise_kernels
from ilwp.paper.methods import Loop, Method
from ilwp.paper.settings import Rate
from ilwp.training.recipe import Epoch, Layout, TrainConfig

Percent = Annotated[float, Field(ge=0, le=100)]


@dataclass(frozen=True, config={"extra": "forbid"})
class Measurement:
    """A network compressed one way: where the file's bits go and the test accuracy after decoding, in percent."""

    method: Method
    bits: Annotated[int, Field(ge=2, le=8)]
    loop: Loop
    rate: Rate
    accuracy: Percent


@dataclass(frozen=True, config={"extra": "forbid"})
class Execution:
    """How a GPU took the steps of a run. `images_per_second` counts whole epochs, with their evaluation.

    `layouts` says what a probe before the first step measured, images per second in each layout; the faster was taken.
    Two such runs of one configuration end in different bits, since a GPU adds up in no fixed order.
    """

    step: Literal["captured graph"]
    layout: Layout
    layouts: dict[Layout, float]
    images_per_second: float
    reproducible: Literal[False] = False


@dataclass(frozen=True, config={"extra": "forbid", "ser_json_inf_nan": "strings"})
class RunRecord:
    """What was trained, on what, how it went and what compression makes of it.

    `inter_layer_weight` is the factor of Eq. 2 in this schedule that stands for the paper's lambda in
    `config.inter_layer`. `accuracy` is the last epoch's in percent, `seconds` the wall time of all epochs.

    The last five fields are not written where they are None. Without `execution` a run took its steps on a CPU, in
    float32, eagerly and channels last, and ends in the same bits again. Without `measured_on` it was compressed where
    it was trained. `network_sha256` is that of the whole network's file while there are no measurements yet.
    `targets` are those of a control whose loss compares each layer from the second on with another one than the
    previous: which one, counted from 0. `against_targets` are its kernels predicted from these layers by ill.
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
    execution: Execution | None = None
    measured_on: dict[str, str] | None = None
    network_sha256: str | None = None
    targets: list[int] | None = None
    against_targets: list[Measurement] | None = None

    def is_of(self, recipe: int, config: TrainConfig) -> bool:
        """Whether this recipe and configuration made it."""
        return self.recipe == recipe and self.config == config


def kernels_path(record: Path) -> Path:
    """Where the kernels of the run recorded in `record` are."""
    return record.with_suffix(".safetensors")


def write_record(path: Path, record: RunRecord) -> None:
    """Write the record, whole or not at all."""
    atomic_write(path, TypeAdapter(RunRecord).dump_json(record, indent=1, exclude_none=True) + b"\n")


def kernels_digest(kernels: Kernels) -> str:
    """The SHA-256 of the file that `write_kernels` would write."""
    return hashlib.sha256(to_safetensors(as_weights(kernels))).hexdigest()


def write_kernels(path: Path, kernels: Kernels) -> None:
    """Write the kernels that belong to the record at `path`, which holds their digest."""
    write_state_dict(kernels_path(path), as_weights(kernels))


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
