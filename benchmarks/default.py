"""What the default costs: `ilwp compress`, without any option of quality, and `ilwp compare`, on two trained networks.

    ILWP_DATA=... python benchmarks/default.py    (`make bench-peers`; four minutes)

Outputs are compared for test images of CIFAR-10, without labels. MobileNetV2, trained on ImageNet, gets them enlarged
to the 224 pixels that it takes. For this book's MobileNet there is an accuracy as well.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from results import IMAGENET, TRAINED, load, save

from ilwp.common.tensor_files import write_state_dict

OURS = "MobileNet"
NETWORK, WIDTH = TRAINED[OURS][1], ("--width", TRAINED[OURS][2])
GRAPHS: dict[str, tuple[object, ...]] = {
    IMAGENET: ("--graph", "torchvision.models:mobilenet_v2"),
    OURS: ("--graph", NETWORK, *WIDTH),
}
INPUTS: dict[str, tuple[object, ...]] = {
    IMAGENET: ("--inputs", "cifar10", "--count", 400, "--input-size", 224, "--normalise", "imagenet"),
    OURS: ("--inputs", "cifar10", "--count", 400),
}


def main() -> None:
    """One row per network, with its weights alone and with its graph, into data/benchmarks."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        plain, coded = Path(folder) / "net.safetensors", Path(folder) / "net.ilwp"
        for network, graph in GRAPHS.items():
            tensors = load(network)[0]
            write_state_dict(plain, tensors)
            for setting, options in (("weights alone", ()), ("with the graph", graph)):
                _ilwp("compress", plain, "-o", coded, *options)
                row = {
                    "network": network, "setting": setting, "options": _line(options),
                    "memory": sum(t.nbytes for t in tensors.values()), "bytes": coded.stat().st_size,
                    "inputs options": _line(INPUTS[network]),
                }  # fmt: skip
                row |= json.loads(_ilwp("compare", plain, coded, *graph, *INPUTS[network], "--json"))["outputs"]
                if network == OURS:
                    row |= {"accuracy": _accuracy(coded), "accuracy_before": _accuracy(plain)}
                print(row, flush=True)
                rows.append(row)
    save("default", rows, ("numpy", "torch", "torchvision", "constriction"))


def _accuracy(file: Path) -> float:
    return float(_ilwp("evaluate", file, "--network", NETWORK, *WIDTH))


def _ilwp(*arguments: object) -> str:
    command = [str(Path(sys.executable).with_name("ilwp")), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _line(options: Any) -> str:
    return " ".join(map(str, options))


if __name__ == "__main__":
    main()
