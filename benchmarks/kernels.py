"""Rate against distortion of depthwise kernels: every method of ours and every peer, in one run.

    python benchmarks/kernels.py    (`make bench-peers`; 5 minutes)

A peer gets all kernels as one tensor and as a tensor a layer, with and without its trellis; general compressors get
the levels of plain quantization with one step, a byte each. Ours are whole files of format 2 of these tensors alone.
SNR is over all kernels, those of the first layer too.
"""

from dataclasses import replace

import numpy as np
from peers import GENERAL, nncodec_decode, nncodec_encode
from results import IMAGENET, TRAINED, load, save, timed

from ilwp.common.distortion import snr
from ilwp.door import decoded
from ilwp.networks.symmetries import symmetries
from ilwp.networks.symmetry import Follower, Symmetry
from ilwp.paper.kernels import depthwise_kernels
from ilwp.whole import segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.pieces import decode_pieces
from ilwp.whole.plan import Plan

QPS = range(-36, -15, 2)
BITS = np.arange(4.0, 9.1, 0.5)
METHODS = ("baseline", "fss", "lss", "ill", "aligned", "multiset")


def flat(tensors: dict[str, np.ndarray]) -> np.ndarray:
    """All kernels, (n, taps)."""
    return np.concatenate([t.reshape(len(t), -1) for t in tensors.values()])


def traced(kernels: dict[str, np.ndarray], found: list[Symmetry]) -> tuple[dict[str, np.ndarray], list[Symmetry]]:
    """Kernels alone, with two vectors a layer that go where its channels go and turn when their signs do."""
    tensors, free = dict(kernels), []
    for symmetry in found:
        channels = len(kernels[symmetry.layer])
        places = np.arange(channels)
        order, sign = f"{symmetry.layer}.order", f"{symmetry.layer}.sign"
        tensors |= {order: np.arange(channels, dtype=np.float32), sign: np.ones(channels, np.float32)}
        signed = None if symmetry.signed is None else (sign,)
        free.append(replace(symmetry, followers=(Follower(order, places), Follower(sign, places)), signed=signed))
    return tensors, free


def ours(network: str, kernels: dict[str, np.ndarray], found: list[Symmetry]) -> list[dict]:
    """Rows of all methods."""
    rows = []
    tensors, free = traced(kernels, found)
    for method in METHODS:
        for bits in BITS:
            plan = Plan(method=method, bits=bits, range="network")
            pieces, encoding = timed(lambda plan=plan: encode_tensors(tensors, plan, free))
            kept = {name: pieces[name] for name in kernels}
            file, writing = timed(lambda kept=kept: segments.write_pieces(kept))
            back, decoding = timed(lambda file=file: decoded(file))
            where = decode_pieces(pieces)
            arranged = {
                name: layer[where[f"{name}.order"].astype(int)] * where[f"{name}.sign"][:, None, None, None]
                for name, layer in kernels.items()
            }
            rows.append(
                row(
                    network, f"ilwp {method}", bits, len(file), flat(arranged), flat(back), encoding + writing, decoding
                )
            )
    return rows


def nncodec(network: str, kernels: dict[str, np.ndarray]) -> list[dict]:
    """Rows of the peer's four ways."""
    rows = []
    for layout, tensors in (("one tensor", {"kernels": flat(kernels)}), ("a tensor a layer", kernels)):
        shapes = {name: t.shape for name, t in tensors.items()}
        for trellis in (True, False):
            for qp in QPS:
                file, encoding = timed(lambda t=tensors, qp=qp, trellis=trellis: nncodec_encode(t, qp, trellis))
                back, decoding = timed(lambda file=file, shapes=shapes: nncodec_decode(file, shapes))
                codec = f"NNCodec, {layout}{', trellis' if trellis else ''}"
                rows.append(row(network, codec, qp, len(file), flat(kernels), flat(back), encoding, decoding))
    return rows


def general(network: str, kernels: dict[str, np.ndarray]) -> list[dict]:
    """Rows of compressors that know nothing of weights."""
    rows = []
    for bits in BITS[BITS <= 8]:
        step = np.float32(np.abs(flat(kernels)).max() / (2 ** (bits - 1) - 1))
        levels = np.rint(flat(kernels) / step).astype(np.int8)
        for codec, (compress, decompress) in GENERAL.items():
            file, encoding = timed(lambda levels=levels, f=compress: f(levels.tobytes()))
            _, decoding = timed(lambda file=file, f=decompress: f(file))
            rows.append(row(network, codec, bits, len(file), flat(kernels), levels * step, encoding, decoding))
    return rows


def row(
    network: str, codec: str, setting: float, size: int, original: np.ndarray, decoded: np.ndarray,
    encoding: float, decoding: float,
) -> dict:  # fmt: skip
    """One point."""
    return {
        "network": network, "codec": codec, "setting": float(setting), "bytes": size,
        "bits_a_weight": 8 * size / original.size, "snr_db": snr([original], [decoded]),
        "encode_s": encoding, "decode_s": decoding,
    }  # fmt: skip


def main() -> None:
    """All networks."""
    rows = []
    for network in (IMAGENET, *TRAINED):
        tensors, module = load(network)
        kernels = {name: tensors[name] for name in depthwise_kernels(tensors)}
        rows += ours(network, kernels, symmetries(module)) + nncodec(network, kernels) + general(network, kernels)
    save("kernels", rows)


if __name__ == "__main__":
    main()
