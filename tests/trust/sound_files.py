"""Sound files of every kind that is read, to be damaged."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from samples import SMALL, VARIANTS, kernels, state_dict

from ilwp.codebooks import additive
from ilwp.common.paths import RUNS
from ilwp.door import compress_coded
from ilwp.networks.symmetry import Symmetry
from ilwp.paper import bitstream, codec
from ilwp.paper.methods import PAPER_METHODS
from ilwp.paper.settings import Settings
from ilwp.whole import coding, segments
from ilwp.whole.pieces import Levels
from ilwp.whole.plan import Plan

EXPECTED = Path(__file__).parent.parent / "expected"


def files_of_format_1() -> list[bytes]:
    others = [None, {"bias": np.arange(3, dtype=np.float32), "mean": np.ones(2)}]
    small = [bitstream.write_kernel_file(codec.encode_kernels(SMALL, s), o)[0] for s in VARIANTS for o in others]
    more = [
        bitstream.write_kernel_file(codec.encode_kernels(kernels((3, 5, 2)), Settings(m, bits=3)))[0]
        for m in PAPER_METHODS
    ]
    return [*small, *more, *((EXPECTED / f"{m}.ilwp").read_bytes() for m in PAPER_METHODS)]


def files_of_format_2() -> list[bytes]:
    tensors = {name: t for name, t in state_dict().items() if "depthwise" in name or t.ndim < 2}
    free = [Symmetry(name, np.zeros(len(t), np.int64), signed=()) for name, t in tensors.items() if t.ndim > 1]
    plans = [Plan(m, bits=b, dense_bits=b, vector_bits=b) for m in (*PAPER_METHODS, "multiset") for b in (2, 5)]
    written = [segments.write_pieces(coding.encode_tensors(tensors, plan, free)) for plan in plans]
    plans = [
        coding.encode_tensors(tensors | {"norm.weight": np.float32([1, 2, 4] * 30)}, Plan(quality=q)) for q in (10, 30)
    ]
    written += map(segments.write_pieces, plans)
    rims = np.random.default_rng(0).laplace(0, 6, (64, 80)) * np.geomspace(1, 1e-3, 80)
    written.append(segments.write_pieces({"rims.weight": Levels(np.rint(rims).astype(np.int32), 0.5)}))
    return [*written, (EXPECTED / "network.ilwp").read_bytes()]


def files_of_codebooks() -> list[bytes]:
    tensors = state_dict()
    sets = [additive.quantize_additive(tensors, books, 3, 4, shared) for books in (1, 2) for shared in (True, False)]
    written = [compress_coded(tensors, found).content for found in sets]
    return [*written, (EXPECTED / "codebooks.ilwp").read_bytes()]


def saved_by_torch() -> list[bytes]:
    made = []
    for zipped in (True, False):
        file = io.BytesIO()
        tensors = {name: torch.from_numpy(t.copy()) for name, t in kernels((2, 3)).items()}
        torch.save({name: t[:, None] for name, t in tensors.items()}, file, _use_new_zipfile_serialization=zipped)
        made.append(file.getvalue())
    return made


def records() -> list[bytes]:
    record = json.loads(next(iter(sorted(RUNS.rglob("*.json")))).read_text())
    short = {part: record[part][:1] for part in ("history", "measurements")}
    return [json.dumps(record | short).encode()]
