"""Coverage-guided fuzzing of one reader: python tests/trust/fuzz.py TARGET CASES RESULT.json [SECONDS]."""

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(folder) for folder in Path(__file__).resolve().parents[1:3]]
import atheris  # noqa: E402

with atheris.instrument_imports(include=["ilwp"]):
    import hostile

name, cases, result = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
seconds = float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
target = hostile.TARGETS[name]
watch = hostile.Watch(target)
samples = target.samples()
started = time.monotonic()


def case(content: bytes) -> None:
    watch.run(content)
    if watch.cases >= cases or time.monotonic() - started > seconds:
        figures = watch.figures() | {"seconds": round(time.monotonic() - started, 1)}
        result.write_text(json.dumps({"figures": figures, "problems": watch.problems}))
        os._exit(0)


def mutate(content: bytes, longest: int, seed: int) -> bytes:
    """A mutation that gets past the first word and, nearly always, past the checksum."""
    chance = random.Random(seed)
    kept = 5 if target.checksum and chance.random() < 0.95 else 0
    loose = target.loosened(content)
    changed = loose[:kept] + atheris.Mutate(loose[kept:], longest - kept)
    sealed = target.sealed(changed) if chance.random() < 0.97 else changed
    return sealed if len(sealed) <= longest else content  # which libFuzzer does not take


with tempfile.TemporaryDirectory() as corpus:
    for i, sample in enumerate(samples):
        (Path(corpus) / str(i)).write_bytes(sample)
    longest = max(len(target.loosened(sample)) for sample in samples) + 256
    options = [f"-max_len={longest}", f"-runs={2 * cases}", "-seed=1", "-rss_limit_mb=8000", "-print_final_stats=0"]
    atheris.Setup([sys.argv[0], *options, corpus], case, custom_mutator=mutate)
    atheris.Fuzz()
