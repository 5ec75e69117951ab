"""What the inter-layer loss is worth in bytes, with the paper's coder and with ours, against accuracy.

    ILWP_DATA=... python benchmarks/inter_layer.py    (`make bench-peers`; 10 minutes, all of them evaluating)

Depthwise kernels alone, of the two committed MobileNets on CIFAR-10, one trained without the loss and one with it.
"""

from collections.abc import Iterator

from results import on_cifar, save

from ilwp.paper import bitstream, codec
from ilwp.paper.kernels import Kernels, as_weights
from ilwp.paper.methods import Method
from ilwp.paper.settings import Settings
from ilwp.whole import segments
from ilwp.whole.coding import encode_tensors
from ilwp.whole.pieces import decode_pieces
from ilwp.whole.plan import Plan

NETWORKS: dict[Method, str] = {"baseline": "MobileNet", "ill": "MobileNet, inter-layer loss"}
BITS = {"baseline": (8, 7.5, 7, 6.5, 6, 5.5), "ill": (8, 7.5, 7, 6.75, 6.5, 6.25)}


def files(method: Method, kernels: Kernels) -> Iterator[tuple[str, float, str, int, Kernels]]:
    """Coder, bits, range and bytes of each file, and what it decodes to."""
    yield "float32", 32.0, "", 4 * sum(k.size for k in kernels.values()), kernels
    for bits in (8, 6):
        coded = codec.encode_kernels(kernels, Settings(method=method, bits=bits))
        yield "Huffman", bits, "layer", len(bitstream.write_kernel_file(coded)[0]), codec.decode_kernels(coded)
    for range_, grid in (("layer", (8, 6)), ("network", BITS[method])):
        for bits in grid:
            pieces = encode_tensors(as_weights(kernels), Plan(method, bits=bits, range=range_))
            decoded = {name: weight[:, 0] for name, weight in decode_pieces(pieces).items()}
            yield "ANS", bits, range_, len(segments.write_pieces(pieces)), decoded


def main() -> None:
    """Both networks."""
    rows = []
    for method, name in NETWORKS.items():
        network = on_cifar(name)
        for coder, bits, range_, size, decoded in files(method, network.kernels):
            rows.append({"network": name, "method": method, "coder": coder, "bits": bits, "range": range_,
                         "bytes": size, "accuracy": network.accuracy(decoded)})  # fmt: skip
            print(rows[-1], flush=True)
    save("inter_layer", rows)


if __name__ == "__main__":
    main()
