"""Profiles of experiments: one file each under config/, read into training configurations.

A cell is one run of a profile's grid; its name is the stem of its record's file.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ilwp.common.errors import IlwpError, about, first_problem, one_line
from ilwp.common.files import read_bytes
from ilwp.common.paths import CONFIG
from ilwp.training.recipe import NetworkName, TrainConfig


@dataclass(frozen=True, config={"extra": "forbid"})
class Block:
    """A rectangular part of a grid: all networks x lambdas x seeds on one data set.

    A control's block has a `reference` or a `depthwise_decay`, as `TrainConfig`.
    """

    dataset: str
    networks: Annotated[list[str], Field(min_length=1)]
    inter_layer: Annotated[list[float], Field(min_length=1)]
    seeds: Annotated[list[int], Field(min_length=1)]
    reference: str | None = None
    depthwise_decay: float | None = None


@dataclass(frozen=True, config={"extra": "forbid"})
class Profile:
    """Settings of `TrainConfig` for all networks, those that differ for one, and the grid to run.

    Raising `recipe` says that runs made before are no longer wanted.
    """

    recipe: int
    settings: dict[str, Any]
    grid: Annotated[list[Block], Field(min_length=1)]
    networks: dict[NetworkName, dict[str, Any]] = Field(default_factory=dict)

    def config(self, dataset: str, network: str, inter_layer: float, seed: int, **control: Any) -> TrainConfig:
        """One cell's configuration; raises IlwpError where a value is unknown or out of range.

        A `control` has a `reference` or a `depthwise_decay`.
        """
        chosen = self.settings | self.networks.get(network, {})  # type: ignore[call-overload]
        if inter_layer in (0, math.inf):  # the loss is not used, so its calibration makes no difference
            chosen.pop("calibration", None)
        cell = {"dataset": dataset, "network": network, "inter_layer": inter_layer, "seed": seed}
        try:
            return TrainConfig(**(chosen | cell | control))
        except ValidationError as error:
            raise IlwpError(f"these settings cannot be trained: {first_problem(error)}") from error

    def cells(self) -> Iterator[TrainConfig]:
        """Every run of the grid, in the order of the file."""
        for block in self.grid:
            for network, inter_layer, seed in itertools.product(block.networks, block.inter_layer, block.seeds):
                control = {"reference": block.reference, "depthwise_decay": block.depthwise_decay}
                yield self.config(block.dataset, network, inter_layer, seed, **control)


def load_profile(name: str) -> Profile:
    """The profile in config/<name>.yaml; raises IlwpError where there is none or it does not make sense."""
    known = {path.stem: path for path in sorted(CONFIG.glob("*.yaml"))}
    if name not in known:
        raise IlwpError(f"no profile is called {name[:40]!r}: choose one of {', '.join(known)}")
    path = known[name]
    content = read_bytes(path)
    with about(path):
        return parse_profile(content)


def parse_profile(content: bytes) -> Profile:
    """The profile in a YAML file's bytes; raises IlwpError where it does not make sense."""
    try:
        # aliases can make a short file endless
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(content)):
            raise IlwpError("this is not a profile: write values out where they are used, without * and &")
        return TypeAdapter(Profile).validate_python(yaml.safe_load(content))
    except ValidationError as error:
        raise IlwpError(f"this is not a profile: {first_problem(error)}") from error
    # its own errors, and what Python makes of absurd dates, numbers and depths
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise IlwpError(f"this is not YAML: {one_line(error)}") from error


def cell_name(config: TrainConfig) -> str:
    """What a run is called within its profile, such as `cifar10-mobilenet-lambda1-seed0`; no two have one name.

    A control's name says so: `cifar10-mobilenet-lambda1-first-seed0`, `cifar10-mobilenet-lambda0-decay0.01-seed0`.
    """
    parts = [config.dataset, config.network, f"lambda{_shortest(config.inter_layer)}"]
    if config.reference:
        parts.append(config.reference)
    if config.depthwise_decay is not None:
        parts.append(f"decay{_shortest(config.depthwise_decay)}")
    return "-".join([*parts, f"seed{config.seed}"])


def train_options(config: TrainConfig) -> str:
    """The options with which `ilwp train` makes a run of a profile."""
    options = [
        f"--dataset {config.dataset}",
        f"--network {config.network}",
        f"--lambda {_shortest(config.inter_layer)}",
    ]
    if config.reference:
        options.append(f"--reference {config.reference}")
    if config.depthwise_decay is not None:
        options.append(f"--depthwise-decay {_shortest(config.depthwise_decay)}")
    return " ".join([*options, f"--seed {config.seed}"])


def _shortest(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
