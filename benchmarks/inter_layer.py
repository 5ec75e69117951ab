"""What the inter-layer loss is worth in bytes, with the paper's coder and with ours, against accuracy.

    ILWP_DATA=... python benchmarks/inter_layer.py    (`make bench-peers`; 10 minutes, all of them evaluating)

Depthwise kernels alone, of the two committed MobileNets on CIFAR-10, one trained without the loss and one with it.
"""

import torch
from results import load, save

from ilwp.networks.tensors import load_tensors
from ilwp.paper import bitstream, codec
from ilwp.paper.kernels import depthwise_kernels
from ilwp.paper.settings import Settings
from ilwp.training import datasets
from ilwp.training.train import evaluate
from ilwp.whole import segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.pieces import decode_pieces
from ilwp.whole.plan import Plan

NETWORKS = {"baseline": "MobileNet", "ill": "MobileNet, inter-layer loss"}
BITS = {"baseline": (8, 7.5, 7, 6.5, 6, 5.5), "ill": (8, 7.5, 7, 6.75, 6.5, 6.25)}


def main() -> None:
    """Both networks."""
    torch.set_num_threads(1)
    images = datasets.load("cifar10")
    rows = []
    for method, name in NETWORKS.items():
        tensors, module = load(name)
        kernels = depthwise_kernels(tensors)

        def row(coder: str, bits: float, range_: str, size: int, decoded: dict) -> None:
            changed = {n: k[:, None] if k.ndim == 3 else k for n, k in decoded.items()}
            load_tensors(module, tensors | changed)  # noqa: B023
            found = {"network": name, "method": method, "coder": coder, "bits": bits, "range": range_, "bytes": size,  # noqa: B023
                     "accuracy": evaluate(module, images)}  # noqa: B023  # fmt: skip
            print(found, flush=True)
            rows.append(found)

        load_tensors(module, tensors)
        floats = 4 * sum(k.size for k in kernels.values())
        rows.append({"network": name, "method": method, "coder": "float32", "bits": 32.0, "range": "", "bytes": floats,
                     "accuracy": evaluate(module, images)})  # fmt: skip
        for bits in (8, 6):
            coded = codec.encode_kernels(kernels, Settings(method=method, bits=bits))
            row("Huffman", bits, "layer", len(bitstream.write_kernel_file(coded)[0]), codec.decode_kernels(coded))
        for range_, grid in (("layer", (8, 6)), ("network", BITS[method])):
            for bits in grid:
                pieces = encode_tensors(
                    {n: k[:, None] for n, k in kernels.items()}, Plan(method, bits=bits, range=range_)
                )
                row("ANS", bits, range_, len(segments.write_pieces(pieces)), decode_pieces(pieces))
    save("inter_layer", rows)


if __name__ == "__main__":
    main()
