"""Files stay readable, are refused by older readers in a line, and are the same whatever Python and thread count."""

import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
from results import TOOLS, save
from sound_files import EXPECTED

from ilwp.common.bytes import LATEST
from ilwp.common.errors import IlwpError
from ilwp.common.paths import ROOT
from ilwp.door import decoded
from ilwp.paper import bitstream

OTHERS = {
    "Python 3.12": TOOLS / "python3.12",
    "Python 3.13": TOOLS / "python3.13",
    "Python 3.11, oldest packages": TOOLS / "oldest",
}
THREADS = ("1", "2", "7")
CORES = ("Nehalem", "Sandybridge", "Haswell", "SkylakeX")  # kernels that OpenBLAS may choose


def hashes(python: Path, **variables: str) -> dict[str, list[str]] | None:
    """None where this processor lacks what it was told to use."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"} | variables
    command = [str(python), str(ROOT / "tests" / "trust" / "written.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode == -signal.SIGILL:
        return None
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_files_are_the_same_under_every_python_and_thread_count():
    here = hashes(Path(sys.executable), OMP_NUM_THREADS="1")
    tried = []
    for threads in THREADS:
        found = hashes(Path(sys.executable), OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads)
        assert found == here, threads
        tried.append(f"Python 3.11, {threads} thread{'s' * (threads != '1')}")
    for name, folder in OTHERS.items():
        if not folder.exists():
            continue
        assert hashes(folder / "bin" / "python", OMP_NUM_THREADS="1") == here, name
        tried.append(name)
    for core in CORES:
        found = hashes(Path(sys.executable), OPENBLAS_CORETYPE=core)
        assert found in (here, None), core
        tried += [f"OpenBLAS for {core}"] * (found is not None)
    save("format", {"identical": {"files": len(here), "tried": tried, "differing": 0}})


def test_every_golden_is_read():
    goldens = sorted(EXPECTED.glob("*.ilwp"))
    versions = [path.read_bytes()[4] for path in goldens]
    for path in goldens:
        found = decoded(path.read_bytes())
        wanted = path.with_suffix(".safetensors")
        for name, tensor in (safetensors.numpy.load_file(wanted) if wanted.exists() else {}).items():
            assert found[name].tobytes() == tensor.tobytes()
    assert set(versions) >= {1, 2}
    save("format", {"goldens": {f"format {v}": versions.count(v) for v in sorted(set(versions))}})


def test_a_reader_of_version_1_refuses_version_2_in_one_line():
    with pytest.raises(IlwpError, match=r"^this file has format version 2, not 1$"):
        bitstream.read_kernel_file((EXPECTED / "network.ilwp").read_bytes())


@pytest.mark.parametrize("version", [0, *range(LATEST + 1, 256)])
def test_a_file_of_the_future_is_refused_in_one_line(version: int, tmp_path: Path, ilwp: Callable[..., Any]):
    content = bytearray((EXPECTED / "network.ilwp").read_bytes()[:-4])
    content[4] = version
    file = tmp_path / "future.ilwp"
    file.write_bytes(bytes(content) + zlib.crc32(content).to_bytes(4, "little"))
    assert ilwp("decompress", file).refused(f"format version {version}")
    assert [path.name for path in tmp_path.iterdir()] == ["future.ilwp"]
