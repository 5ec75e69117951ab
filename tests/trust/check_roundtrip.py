"""Every method, coder, bit width, loop, quantizer and range, odd kernels and real: decoded is what was meant."""

import itertools

import numpy as np
import pytest
from results import LONG, save
from samples import kernels, unusual_kernels

from ilwp.common.paths import RUNS
from ilwp.door import decoded
from ilwp.experiments.records import read_kernels
from ilwp.networks.symmetry import Symmetry
from ilwp.paper import bitstream, codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import BITS, METHODS
from ilwp.paper.settings import Settings
from ilwp.whole import segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.pieces import KernelLevels, Shared, decode_pieces
from ilwp.whole.plan import Plan

BOTH = ("layer", "network")
SLACK = 1 + 1e-6
WIDTHS = BITS if LONG else (2, 8)
FRACTIONS = (2, 5.5, 16)


def denormals() -> Kernels:
    return {name: (k * np.float32(1e-41)).astype(np.float32) for name, k in kernels((3, 6, 4)).items()}


KINDS = unusual_kernels() | {"one kernel": kernels((1,)), "denormals": denormals(), "5x5": kernels((4, 7, 5), 5, 5)}
KINDS["large"] = {name: k * np.float32(1e37) for name, k in kernels((3, 6, 4)).items()}
KINDS["one weight stands out"] = {name: np.where(k == k.max(), 1e6, k * 1e-3) for name, k in kernels((9, 9)).items()}
TRAINED = sorted(RUNS.rglob("*mobilenet-lambda[01]-seed0.json"))
REAL = {path.stem: path for path in (TRAINED if LONG else TRAINED[:1])}


def layers_of(kind: str) -> Kernels:
    return read_kernels(REAL[kind]) if kind in REAL else KINDS[kind]


def worst(coded: codec.CodedKernels, layers: Kernels, decoded: Kernels) -> float:
    """The greatest error in steps, less what rounding to float32 explains."""
    found = [0.0]
    for layer, got, quantizer in zip(
        list(layers.values())[1:], list(decoded.values())[1:], coded.quantizers, strict=True
    ):
        error = np.abs(got.astype(np.float64) - layer) - np.spacing(np.abs(layer))
        found.append(float(error.max()) / quantizer.step)
    return max(found)


@pytest.mark.parametrize("kind", [*KINDS, *REAL])
def test_files_of_format_1(kind: str):
    layers, files, furthest = layers_of(kind), 0, 0.0
    real = kind in REAL
    widths = WIDTHS[::3] if real else WIDTHS
    for method, bits, loop in itertools.product(METHODS, widths, ("closed", "open")):
        for quantizer, shared, table in itertools.product(
            ("symmetric", "affine"), BOTH, ("network",) if real else BOTH
        ):
            settings = Settings(method, bits, loop, quantizer, shared, table)
            coded = codec.encode_kernels(layers, settings)
            meant = codec.decode_kernels(coded)
            read = bitstream.read_kernel_file(bitstream.write_kernel_file(coded)[0])[0]
            got = codec.decode_kernels(read)
            assert {n: k.tobytes() for n, k in got.items()} == {n: k.tobytes() for n, k in meant.items()}
            files += 1
            if loop == "closed":
                furthest = max(furthest, worst(coded, layers, got))
    assert furthest <= 0.5 * SLACK
    save(
        "roundtrip",
        {f"format 1, {'trained kernels, ' if real else ''}{kind}": {"files": files, "worst_steps": furthest}},
    )


@pytest.mark.parametrize("kind", [*KINDS, *REAL])
def test_files_of_format_2(kind: str):
    tensors = {name: k[:, None] for name, k in layers_of(kind).items()}
    if min(map(len, tensors.values())) < 2:
        pytest.skip("a layer of one kernel cannot be told from a plain convolution")
    free = [Symmetry(name, np.zeros(len(t), np.int64), signed=()) for name, t in tensors.items()]
    files, furthest = 0, 0.0
    fractions = FRACTIONS[1:2] if kind in REAL else FRACTIONS
    for method, bits, shared in itertools.product((*METHODS, "multiset"), fractions, BOTH):
        pieces = encode_tensors(tensors, Plan(method=method, bits=bits, range=shared), free)
        content = segments.write_pieces(pieces)
        meant, got = decode_pieces(pieces), decoded(content)
        assert {n: t.tobytes() for n, t in got.items()} == {n: t.tobytes() for n, t in meant.items()}
        files += 1
        if method in ("aligned", "multiset"):  # their channels come back in another order
            continue
        for name, tensor in tensors.items():
            piece = pieces[name]
            if isinstance(piece, Shared):
                assert got[name] is got[piece.name]
                continue
            if not isinstance(piece, KernelLevels):  # it reaches too many levels for its size, or takes no fewer bits
                assert got[name].tobytes() == tensor.tobytes()
                continue
            error = np.abs(got[name].astype(np.float64) - tensor) - np.spacing(np.abs(tensor))
            # cosine coefficients keep distances, so the bound is on the kernel as a whole
            length = np.sqrt((error.clip(0) ** 2).sum(axis=(1, 2, 3)).max() / tensor[0].size)
            furthest = max(furthest, float(length) / piece.step)
    assert furthest <= 0.5 * SLACK
    name = f"format 2, {'trained kernels, ' if kind in REAL else ''}{kind}"
    save("roundtrip", {name: {"files": files, "worst_steps": furthest}})
