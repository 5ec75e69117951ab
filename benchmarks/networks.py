"""Bytes of whole networks against accuracy: ours, without and with training images, and NNCodec.

    ILWP_DATA=... python benchmarks/networks.py    (`make bench-peers`; 20 minutes, most of them evaluating)

Nothing is retrained. All get folded batch norms: NNCodec with its trellis and two steps for vectors, both coarser than
its default, ours with kernels as sets, by quality and by bits, and with 1,000 training images or none.
"""

import numpy as np
import torch
from peers import nncodec_decode, nncodec_encode
from results import TRAINED, load, save, timed

from ilwp.door import compress_network, decoded, structure_of
from ilwp.networks.tensors import load_tensors
from ilwp.training import datasets
from ilwp.training.inputs import load_inputs
from ilwp.training.train import evaluate
from ilwp.whole.batch_norms import folded
from ilwp.whole.plan import Plan

NETWORKS = ("MobileNet", "ShuffleNetV2")
PEER = [(-26, -50), (-24, -50), (-22, -50), (-26, -40), (-24, -40), (-22, -40), (-20, -40)]
# qualities in dB, or bits of kernels and of dense weights
PLAIN = [20, 17, 15, 13, (8.0, 8.0), (7.5, 7.5), (7.5, 7.0), (7.0, 6.5), (7.0, 6.0)]
ROUNDED = [16, 13, (7.5, 6.5), (7.0, 6.0), (7.0, 5.5), (7.0, 5.0), (6.5, 4.75)]


def planned(wanted: int | tuple[float, float]) -> tuple[Plan, str]:
    """A file's plan, and the setting in words."""
    if isinstance(wanted, int):
        return Plan(method="multiset", quality=wanted), f"{wanted} dB"
    bits, dense_bits = wanted
    plan = Plan(method="multiset", bits=bits, range="network", dense_bits=dense_bits, vector_bits=8)
    return plan, f"{bits:g} and {dense_bits:g} bits"


def main() -> None:
    """Both networks."""
    torch.set_num_threads(1)
    images = datasets.load("cifar10")
    seen = load_inputs("cifar10", 1000, part="train").array()
    rows = []
    for name in NETWORKS:
        tensors, module = load(name)
        _, graph, width = TRAINED[name]
        structure = structure_of(graph, width, tensors)
        simpler = folded(tensors, structure.foldable_norms)
        weights = {n: t for n, t in simpler.items() if t.dtype == np.float32}
        shapes = {n: t.shape for n, t in weights.items()}

        def row(codec: str, setting: str, size: int, back: dict, encoding: float, decoding: float) -> None:
            load_tensors(module, back)  # noqa: B023
            found = {"network": name, "codec": codec, "setting": setting, "bytes": size,  # noqa: B023
                     "accuracy": evaluate(module, images), "encode_s": encoding, "decode_s": decoding}  # noqa: B023  # fmt: skip
            print(found, flush=True)
            rows.append(found)

        row("float32", "", 4 * sum(t.size for t in weights.values()), tensors, 0.0, 0.0)
        for qp, vector_qp in PEER:
            file, encoding = timed(lambda qp=qp, v=vector_qp: nncodec_encode(weights, qp, True, v), 1)  # noqa: B023
            back, decoding = timed(lambda file=file: nncodec_decode(file, shapes), 1)  # noqa: B023
            row("NNCodec", f"qp {qp}, vectors {vector_qp}", len(file), simpler | back, encoding, decoding)
        for codec, shown, grid in (("ilwp", None, PLAIN), ("ilwp, images", seen, ROUNDED)):
            for wanted in grid:
                plan, setting = planned(wanted)
                found, encoding = timed(lambda p=plan, s=shown: compress_network(tensors, p, structure, s), 1)  # noqa: B023
                back, decoding = timed(lambda content=found.content: decoded(content), 1)
                row(codec, setting, len(found.content), back, encoding, decoding)
    save("networks", rows)


if __name__ == "__main__":
    main()
