"""What the default does to a network that people use: `ilwp compress` and `ilwp compare` on ImageNet's MobileNetV2.

    ILWP_DATA=... python benchmarks/default.py    (`make bench-peers`; three minutes)

Outputs are compared for 400 test images of CIFAR-10, enlarged to the 224 pixels that the network takes. They are
natural images, and no label is needed.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from results import IMAGENET, load, save

from ilwp.common.tensor_files import write_state_dict

GRAPH = ("--graph", "torchvision.models:mobilenet_v2")
INPUTS = ("--inputs", "cifar10", "--count", "400", "--input-size", "224", "--normalise", "imagenet")
SETTINGS = {"the weights alone": (), "the graph too": GRAPH}


def main() -> None:
    """A row a setting into data/benchmarks."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        plain, coded = Path(folder) / "net.safetensors", Path(folder) / "net.ilwp"
        tensors = load(IMAGENET)[0]
        write_state_dict(plain, tensors)
        for setting, options in SETTINGS.items():
            _ilwp("compress", plain, "-o", coded, *options)
            found = json.loads(_ilwp("compare", plain, coded, *GRAPH, *INPUTS, "--json"))
            row: dict[str, Any] = {"network": IMAGENET, "setting": setting, "options": " ".join(options)}
            row |= {"memory": sum(t.nbytes for t in tensors.values()), "bytes": coded.stat().st_size}
            row |= {"compare": " ".join((*GRAPH, *INPUTS))} | found["outputs"]
            print(row, flush=True)
            rows.append(row)
    save("default", rows, ("numpy", "torch", "torchvision", "constriction"))


def _ilwp(*arguments: object) -> str:
    command = [str(Path(sys.executable).with_name("ilwp")), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
