"""What each ingredient of the codec brings: files of the same kernels at one distortion, an ingredient at a time.

python benchmarks/ablation.py    (`make bench-peers`; 2 minutes)
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from results import IMAGENET, TRAINED, load, save

from ilwp.common.distortion import snr
from ilwp.common.tensor_files import StateDict
from ilwp.networks.symmetries import symmetries
from ilwp.networks.symmetry import Symmetry
from ilwp.paper import bitstream, codec
from ilwp.paper.kernels import depthwise_kernels
from ilwp.paper.settings import Settings
from ilwp.whole import segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.pieces import WEIGHTS, decode_pieces
from ilwp.whole.plan import Plan

WANTED = 24.1  # dB
NETWORKS = (IMAGENET, *TRAINED)


def karhunen_loeve(kernels: StateDict) -> np.ndarray:
    """The basis that decorrelates a network's own kernels, one per row, in a byte per entry."""
    flat = np.concatenate([k.reshape(len(k), -1) for k in kernels.values()]).astype(np.float64)
    return np.rint(127 * np.linalg.eigh(flat.T @ flat)[1].T[::-1]) / 127


def with_basis(basis: np.ndarray | None) -> ExitStack:
    """Inside it, kernels are transformed with this basis; with the cosines if it is None."""
    stack = ExitStack()
    for module in ("depthwise", "pieces") if basis is not None else ():
        stack.enter_context(patch(f"ilwp.whole.{module}.basis", lambda *_: basis))
    return stack


def size(kernels: StateDict, plan: Plan, free: Sequence[Symmetry], basis: np.ndarray | None) -> tuple[float, int]:
    """SNR in dB as the levels have it, and bytes, of kernels coded with another basis than the cosines."""
    with with_basis(basis):
        pieces = encode_tensors(kernels, plan, free)
        decoded = decode_pieces(pieces)
    # neither order nor signs change a norm, so sorted norms tell how large the error is wherever a kernel went
    if plan.method in ("aligned", "multiset"):
        with with_basis(basis):
            decoded = decode_pieces(encode_tensors(kernels, replace(plan, method="baseline"), ()))
    flat = [np.concatenate([t[name].ravel() for name in kernels]) for t in (kernels, decoded)]
    return snr(*flat), len(segments.write_pieces(pieces))


def at_wanted(measure) -> int:
    """Bytes at WANTED, between the two nearest of a grid of bits."""
    found = sorted(measure(bits) for bits in np.arange(6.0, 9.6, 0.5))
    return round(float(np.interp(WANTED, *zip(*found, strict=True))))


def huffman(kernels: StateDict, bits: float) -> tuple[float, int]:
    """The paper's coder without prediction, one range for all layers."""
    plain = {name: k[:, 0] for name, k in kernels.items()}
    coded = codec.encode_kernels(plain, Settings(method="baseline", bits=int(bits), range="network"))
    decoded = codec.decode_kernels(coded)
    return snr(*([t[name] for name in plain] for t in (plain, decoded))), len(bitstream.write_kernel_file(coded)[0])


def main() -> None:
    """All networks."""
    rows = []
    for network in NETWORKS:
        tensors, module = load(network)
        kernels = {name: tensors[name] for name in depthwise_kernels(tensors)}
        found = [replace(s, followers=(), signed=s.signed and ()) for s in symmetries(module)]
        unsigned = [replace(s, signed=None) for s in found]
        taps = next(iter(kernels.values()))[0].size
        whole = sorted(huffman(kernels, bits) for bits in range(4, 9))
        rows.append({"network": network, "ingredient": "one step, Huffman",
                     "bytes": round(float(np.interp(WANTED, *zip(*whole, strict=True)))),
                     "reached": whole[-1][0] >= WANTED})  # fmt: skip
        identity, learned = np.eye(taps), karhunen_loeve(kernels)
        for ingredient, method, free, basis in (
            ("one step, ANS", "baseline", (), identity),
            ("its own decorrelating transform", "baseline", (), learned),
            ("cosine transform", "baseline", (), None),
            ("cosine transform, prediction from beside", "ill", (), None),
            ("cosine transform, aligned prediction", "aligned", found, None),
            ("cosine transform, aligned prediction, weighted", "aligned", found, None),
            ("cosine transform, a set", "multiset", unsigned, None),
            ("cosine transform, a set, free signs", "multiset", found, None),
        ):

            def measure(bits: float, method=method, free=free, basis=basis, kernels=kernels) -> tuple[float, int]:
                return size(kernels, Plan(method=method, bits=bits, range="network"), free, basis)

            extra = learned.size if basis is learned else 0
            weights = WEIGHTS if ingredient.endswith("weighted") else WEIGHTS[:1]
            with patch("ilwp.whole.depthwise.WEIGHTS", weights):
                bytes_ = at_wanted(measure) + extra
            rows.append({"network": network, "ingredient": ingredient, "bytes": bytes_, "reached": True})
    save("ablation", rows)


if __name__ == "__main__":
    main()
