"""How long the command line takes to start, beside Python importing NumPy, in seconds of processor time.

    python benchmarks/startup.py        (`make bench-startup`; a minute)

Every command's help text, and `inspect` and `decompress` of a small file. The median of a few runs, which take turns,
so that a machine that slows down slows them all.
"""

import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory

from results import save

from ilwp.cli.main import cli
from ilwp.common.paths import ROOT

RUNS = 7
ILWP = "from ilwp.cli.main import main; main()"
SMALL = ROOT / "tests" / "expected" / "network.ilwp"


def processor_seconds(code: str, arguments: tuple[str, ...]) -> float:
    """User and system time of a Python process of its own."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


with TemporaryDirectory() as folder:
    calls = {"python -c 'import numpy'": ("import numpy", ())}
    calls |= {
        f"ilwp {name} --help".replace("  ", " "): (ILWP, (*name.split(), "--help")) for name in ("", *cli.commands)
    }
    calls["ilwp inspect FILE"] = ILWP, ("inspect", str(SMALL))
    calls["ilwp decompress FILE"] = ILWP, ("decompress", str(SMALL), "-o", str(Path(folder) / "back.safetensors"))
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(RUNS):
        for name, (code, arguments) in calls.items():
            taken[name].append(processor_seconds(code, arguments))

numpy_alone = median(taken["python -c 'import numpy'"])
rows = [
    {"call": name, "seconds": round(median(found), 3), "beside_numpy": round(median(found) / numpy_alone, 2)}
    for name, found in taken.items()
]
save("startup", rows, ("numpy", "click", "pydantic", "constriction"))
