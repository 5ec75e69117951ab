"""Files of others' making, fuzzed, mutated or flipped bit by bit: a case ends well or in IlwpError, and soon."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hostile import TARGETS, Watch
from hypothesis import given, settings
from hypothesis import strategies as st
from results import LONG, TOOLS, save
from samples import SMALL, VARIANTS

from ilwp.common.errors import IlwpError
from ilwp.door import decoded
from ilwp.paper import bitstream, codec

FUZZED = {".ilwp, format 1": 300_000, ".ilwp, format 2": 450_000, "safetensors": 200_000, "torch": 100_000}
FUZZED |= {".ilwp, codebooks": 150_000, "record": 150_000, "profile": 50_000}
QUICK = 4_000
MUTATED = 20_000 if LONG else 500
SMALL_FILE = 600  # bytes


@pytest.mark.parametrize("name", TARGETS)
def test_fuzzing_finds_nothing_but_refusals(name: str, tmp_path: Path):
    if not (TOOLS / "atheris").exists():
        pytest.skip("atheris is not installed: make test-trust does that")
    found = tmp_path / "found.json"
    command = [sys.executable, Path(__file__).with_name("fuzz.py"), name, FUZZED[name] if LONG else QUICK, found]
    environment = os.environ | {"PYTHONPATH": str(TOOLS / "atheris"), "OMP_NUM_THREADS": "1"}
    process = subprocess.run(list(map(str, command)), env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert found.exists(), process.stderr[-2000:]
    result = json.loads(found.read_text())
    save("hostile", {f"fuzzed {name}": result["figures"]})
    assert result["problems"] == []
    assert result["figures"]["cases"] >= (FUZZED[name] if LONG else QUICK)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "insert", "delete", "repeat", "number"]),
        st.integers(0, 1 << 16),
        st.binary(min_size=1, max_size=6),
        st.integers(0, 7),
    ),
    min_size=1,
    max_size=5,
)
NUMBERS = [bytes(n) for n in ([0] * 4, [255] * 4, [255] * 3 + [127], [0, 0, 128, 127], [1, 0, 0, 0], [0, 0, 0, 128])]


def edited(content: bytes, edits: list[tuple[str, int, bytes, int]]) -> bytes:
    """The content with bytes flipped, overwritten, put in, taken out, said again, or turned into an awkward number."""
    changed = bytearray(content)
    for kind, place, value, small in edits:
        at = place % max(len(changed), 1)
        if kind == "flip" and changed:
            changed[at] ^= 1 << small
        elif kind == "insert":
            changed[at:at] = value
        elif kind == "delete":
            del changed[at : at + len(value)]
        elif kind == "repeat":
            changed[at:at] = changed[at : at + 16 * (small + 1)] * len(value)
        else:
            new = value if kind == "set" else NUMBERS[small % len(NUMBERS)]
            changed[at : at + len(new)] = new
    return bytes(changed)


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_find_nothing_but_refusals(name: str):
    target = TARGETS[name]
    watch, samples = Watch(target), target.samples()

    @settings(max_examples=MUTATED, database=None)
    @given(st.sampled_from(samples), EDITS)
    def mutate(sample: bytes, edits: list[tuple[str, int, bytes, int]]) -> None:
        watch.run(target.sealed(edited(target.loosened(sample), edits)))

    started = time.monotonic()
    mutate()
    save("hostile", {f"mutated {name}": watch.figures() | {"seconds": round(time.monotonic() - started, 1)}})
    assert watch.problems == []


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of everything in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in items for found in leaves(part, (*path, key)))]


AWKWARD = [
    None, True, -1, 0, 1e308, float("inf"), float("nan"), 10**400, "", "x\ny\x1b[2J", "9" * 5000, [], {}, [[]] * 9,
]  # fmt: skip


@given(st.data())
@settings(max_examples=20_000 if LONG else 500, database=None)
def test_records_with_any_value_in_any_place_find_nothing_but_refusals(data: st.DataObject):
    record = json.loads(TARGETS["record"].samples()[0])
    *parents, last = data.draw(st.sampled_from(leaves(record)[1:]))
    place = record
    for key in parents:
        place = place[key]
    value = data.draw(st.sampled_from(AWKWARD))
    if isinstance(place, dict) and data.draw(st.booleans()):
        place["x\ny"] = value
    else:
        place[last] = value
    WATCHED.run(json.dumps(record).encode())
    assert WATCHED.problems == []


WATCHED = Watch(TARGETS["record"])


def test_every_flipped_bit_of_a_small_file_is_detected():
    files = [bitstream.write_kernel_file(codec.encode_kernels(SMALL, s))[0] for s in VARIANTS]
    files += [f for t in list(TARGETS.values())[:2] for f in t.samples() if len(f) < (SMALL_FILE if LONG else 150)]
    bits = 0
    for file in files:
        for bit in range(8 * len(file)):
            damaged = bytearray(file)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(IlwpError):
                decoded(bytes(damaged))
            bits += 1
    save("hostile", {"flipped bits": {"files": len(files), "bits": bits, "undetected": 0}})


def test_decompressing_writes_the_output_and_nothing_else(tmp_path: Path, ilwp: Callable[..., Any]):
    names = ["../up.weight", "/absolute.weight", "a/../../b.weight", "\x1b[2J.weight", "C:\\x.weight"]
    content = bitstream.write_kernel_file(codec.encode_kernels(dict.fromkeys(names, SMALL["a.0.weight"]), VARIANTS[2]))[
        0
    ]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "in.ilwp").write_bytes(content)
    outcome = ilwp("decompress", folder / "in.ilwp", "-o", folder / "out.safetensors")
    assert asdict(outcome) == {"code": 0, "out": outcome.out, "err": ""}
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == [
        "folder", "folder/in.ilwp", "folder/out.safetensors",
    ]  # fmt: skip
    shown = ilwp("inspect", folder / "in.ilwp").out
    assert "\x1b" not in shown
    assert r"\x1b[2J.weight" in shown
