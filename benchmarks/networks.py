"""Bytes of whole networks against accuracy: ours, without and with training images, and NNCodec.

    ILWP_DATA=... python benchmarks/networks.py    (`make bench-peers`; 20 minutes, most of them evaluating)

Nothing is retrained. All get folded batch norms: NNCodec with its trellis and two steps for vectors, both coarser than
its default, ours of 8 bits with kernels as sets, and with 1,000 training images or none.
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
PLAIN = [(8.0, 8.0), (7.5, 7.5), (7.5, 7.0), (7.0, 6.5), (7.0, 6.0)]  # bits of kernels and of dense weights
ROUNDED = [(7.5, 6.5), (7.0, 6.0), (7.0, 5.5), (7.0, 5.0), (6.5, 4.75)]


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
            for bits, dense_bits in grid:
                plan = Plan(method="multiset", bits=bits, range="network", dense_bits=dense_bits, vector_bits=8)
                found, encoding = timed(lambda p=plan, s=shown: compress_network(tensors, p, structure, s), 1)  # noqa: B023
                back, decoding = timed(lambda content=found.content: decoded(content), 1)
                row(codec, f"{bits:g} and {dense_bits:g} bits", len(found.content), back, encoding, decoding)
    save("networks", rows)


if __name__ == "__main__":
    main()
