import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from samples import kernels

from ilwp.common.errors import IlwpError
from ilwp.common.paths import RUNS
from ilwp.experiments.records import (
    Execution,
    Measurement,
    RunRecord,
    check_replaceable,
    kernels_digest,
    kernels_path,
    read_kernels,
    read_record,
    records_in,
    write_kernels,
    write_record,
)
from ilwp.experiments.results import results_table
from ilwp.paper.settings import Rate
from ilwp.training.recipe import Epoch, TrainConfig

RATE = Rate(texture=4000, index=80, raw=9 * 4 * 32, side=120, other=0)


def record(**changes: Any) -> RunRecord:
    return replace(
        RunRecord(
            profile="smoke",
            recipe=3,
            config=TrainConfig("digits", "shufflenetv2", inter_layer=0.3, width=0.25, epochs=2),
            inter_layer_weight=1.7,
            software={"torch": "2.4"},
            hardware={"device": "CPU"},
            history=[Epoch(0.1, 2.3, 0.2, 10.0, 1.5), Epoch(0.05, 1.1, 0.1, 0.1 + 0.2, 1.5)],
            accuracy=61.25,
            seconds=3.0,
            parameters=12_345,
            depthwise_weights=9 * 104,
            kernels_sha256="0" * 64,
            measurements=[
                Measurement("ill", 8, "closed", RATE, 61.0),
                Measurement("fss", 2, "open", replace(RATE, index=160), 0.0),
            ],
        ),
        **changes,
    )


@pytest.mark.parametrize("changes", [{}, {"measurements": []}, {"accuracy": 100}, {"hardware": {"device": "µ\n"}}])
def test_a_record_comes_back_as_it_was_written(tmp_path: Path, changes: dict[str, Any]):
    write_record(tmp_path / "run.json", record(**changes))
    assert read_record(tmp_path / "run.json") == record(**changes)


EXECUTION = Execution("captured graph", "contiguous", {"channels last": 20_000.5, "contiguous": 31_000.0}, 30_500.0)


def test_a_gpus_record_says_how_its_steps_were_taken_and_comes_back(tmp_path: Path):
    gpu = record(execution=EXECUTION, measured_on={"device": "CPU"}, network_sha256="1" * 64)
    write_record(tmp_path / "run.json", gpu)
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["execution"] == {
        "step": "captured graph", "layout": "contiguous",
        "layouts": {"channels last": 20_000.5, "contiguous": 31_000.0},
        "images_per_second": 30_500.0, "reproducible": False,
    }  # fmt: skip
    assert read_record(tmp_path / "run.json") == gpu


def test_a_cpus_record_has_the_fields_that_it_always_had(tmp_path: Path):
    write_record(tmp_path / "run.json", record())
    assert list(json.loads((tmp_path / "run.json").read_text())) == [
        "profile", "recipe", "config", "inter_layer_weight", "software", "hardware", "history", "accuracy", "seconds",
        "parameters", "depthwise_weights", "kernels_sha256", "measurements", "format",
    ]  # fmt: skip


def test_records_made_before_are_written_again_byte_for_byte(tmp_path: Path):
    for path in sorted(RUNS.glob("*/*.json")):
        write_record(tmp_path / "run.json", read_record(path))
        assert (tmp_path / "run.json").read_bytes() == path.read_bytes(), path


def test_a_tied_runs_record_is_strict_json_and_comes_back(tmp_path: Path):
    tied = record(config=TrainConfig("digits", "mobilenet", inter_layer=math.inf), inter_layer_weight=math.inf)
    write_record(tmp_path / "run.json", tied)

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    stored = json.loads((tmp_path / "run.json").read_text(), parse_constant=refuse)
    assert stored["config"]["inter_layer"] == "Infinity"
    assert read_record(tmp_path / "run.json") == tied


def change(stored: Any, where: tuple[Any, ...], value: Any) -> None:
    for key in where[:-1]:
        stored = stored[key]
    if value is None:
        del stored[where[-1]]
    else:
        stored[where[-1]] = value


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("comment",), "unknown"), (("config", "comment"), "unknown"), (("history", 0, "comment"), "unknown"),
        (("measurements", 0, "rate", "comment"), 1), (("accuracy",), 100.1), (("accuracy",), "NaN"),
        (("measurements", 1, "accuracy"), -0.1), (("measurements", 1, "bits"), 9),
        (("measurements", 1, "method"), "best"), (("measurements", 1, "rate", "texture"), 1.5),
        (("config", "width"), 0), (("history",), []), (("history",), None), (("format",), 2),
        (("parameters",), "many"),
    ],
)  # fmt: skip
def test_a_record_that_makes_no_sense_is_refused_in_one_line(tmp_path: Path, where: tuple[Any, ...], value: Any):
    path = tmp_path / "run.json"
    write_record(path, record())
    stored = json.loads(path.read_text())
    change(stored, where, value)
    path.write_text(json.dumps(stored))
    with pytest.raises(IlwpError, match=rf"run.json: this is not a run's record: .*{where[-1]}[^\n]*$"):
        read_record(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "could not be read"), (b"", "is empty"), (b"{", "not a run's record"), (b"[1]", "not a run's record")],
)
def test_what_is_no_record_at_all_is_refused(tmp_path: Path, content: bytes | None, message: str):
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(IlwpError, match=message):
        read_record(tmp_path / "run.json")


def test_kernels_come_back_in_network_order(tmp_path: Path):
    layers = kernels(tuple(range(2, 14)))  # features.10 comes after features.2
    path = tmp_path / "run.json"
    digest = kernels_digest(layers)
    write_kernels(path, layers)
    write_record(path, record(kernels_sha256=digest))
    assert digest == hashlib.sha256(kernels_path(path).read_bytes()).hexdigest()
    found = read_kernels(path)
    assert list(found) == list(layers)
    for name, layer in layers.items():
        np.testing.assert_array_equal(found[name], layer)


def test_a_record_may_replace_what_a_run_left_and_nothing_else(tmp_path: Path):
    path = tmp_path / "run.json"
    check_replaceable(path)
    write_kernels(path, kernels((2, 3)))
    check_replaceable(path)  # killed before it wrote the record
    write_record(path, record(kernels_sha256=kernels_digest(kernels((2, 3)))))
    check_replaceable(path)
    for content in (b"damaged", safetensors.numpy.save({"dense": np.ones((3, 3), np.float32)})):
        kernels_path(path).write_bytes(content)
        with pytest.raises(IlwpError, match=r"run.safetensors is no run's, and would be lost: name another"):
            check_replaceable(path)


def test_kernels_of_another_run_are_refused(tmp_path: Path):
    path = tmp_path / "run.json"
    write_record(path, record(kernels_sha256=kernels_digest(kernels((2, 3), seed=1))))
    write_kernels(path, kernels((2, 3), seed=2))
    with pytest.raises(IlwpError, match=r"run.safetensors does not belong to .*run.json"):
        read_kernels(path)
    kernels_path(path).unlink()
    with pytest.raises(IlwpError, match=r"run.safetensors could not be read"):
        read_kernels(path)


def test_records_in_a_folder_are_found_at_any_depth_in_the_order_of_their_names(tmp_path: Path):
    for i, name in enumerate(["b.json", "a/z.json", "a/y.json"]):
        write_record(tmp_path / name, record(recipe=i))
    found = records_in(tmp_path)
    assert [(str(path.relative_to(tmp_path)), r.recipe) for path, r in found.items()] == [
        ("a/y.json", 2),
        ("a/z.json", 1),
        ("b.json", 0),
    ]
    assert records_in(tmp_path / "absent") == {}


def test_the_results_table_has_a_row_a_measurement():
    table = results_table([record(), record(recipe=4), record(measurements=[])])
    assert len(table) == 4
    assert list(table["method"]) == ["ill", "fss"] * 2
    row = table.iloc[1]
    assert (row["profile"], row["dataset"], row["network"], row["inter_layer"], row["width"], row["seed"]) == (
        "smoke", "digits", "shufflenetv2", 0.3, 0.25, 0,
    )  # fmt: skip
    assert (row["bits"], row["loop"], row["float_accuracy"], row["accuracy"]) == (2, "open", 61.25, 0.0)


def test_the_results_tables_sizes_add_up():
    row = results_table([record()]).iloc[1]
    parts = [row[f"{part}_bytes"] for part in ("texture", "index", "raw", "side", "other")]
    assert parts == [500, 20, 144, 15, 0]
    assert row["total_bytes"] == sum(parts) == 679
    assert row["bits_a_weight"] == pytest.approx(8 * 679 / (9 * 104))
    # the first layer's 36 weights are raw, so the texture is that of the others
    assert row["texture_bits_a_weight"] == pytest.approx(4000 / (9 * 104 - 36))
