"""Every network that torchvision builds, with random weights: compressed, decoded and compared, tensor by tensor.

    python benchmarks/zoo.py                      (`make bench-zoo`; an hour on one core, 8 GB of memory, 3 GB of disk)
    python benchmarks/zoo.py swin_t mobilenet_v2  some of them, on the screen
    python benchmarks/zoo.py --timm 30            and those of timm of at most 30 million parameters, if it is installed

Each state dict is saved with torch, compressed as `ilwp compress` does, without the graph, and decoded. It fails if a
name, type or shape changes, if a parameter or a batch norm's statistic has a lower SNR than the quality says, or if
anything else is not exact.
Families in which orders of channels may be free are compressed with their graph, too. There what must have the quality
is the outputs. A network that is done is not done again, unless the package has changed.
"""

import argparse
import gc
import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import save
from torch import nn
from zoo_networks import Builder, builders

from ilwp.common.files import atomic_write
from ilwp.common.paths import PACKAGE, ROOT
from ilwp.common.progress import progress_bar
from ilwp.door import compress_network, load_file, read_state_dict, save_file, structure_of_module
from ilwp.networks.comparison import output_differences, snr_db
from ilwp.networks.sensitivity import natural_shape, synthetic_inputs
from ilwp.networks.tensors import load_tensors
from ilwp.whole.methods import QUALITY, QUALITY_OF_WEIGHTS
from ilwp.whole.plan import Plan

FOLDER = ROOT / ".zoo"
SLACK = 0.5  # dB that a tensor may be under its quality, since errors are not spread quite evenly over a step
OUTPUTS_SLACK = 6.0  # the same of outputs, whose noise is only foreseen to first order


def of_tensors(builder: Builder) -> dict[str, Any]:
    """The row of a network compressed without its graph."""
    file, coded = FOLDER / "network.pth", FOLDER / "network.ilwp"
    module = builder.make()
    torch.save(module.state_dict(), file)
    inexact = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    inexact |= {name for name in module.state_dict() if name.endswith(("running_mean", "running_var"))}
    del module
    tensors = read_state_dict(file)
    encoding = _seconds(lambda: save_file(tensors, coded))
    started = time.process_time()
    back = load_file(coded)
    decoding = time.process_time() - started
    quality = {n: snr_db(t, back[n]) for n, t in tensors.items() if n in back and t.shape == back[n].shape}
    wrong = list(tensors) != list(back) and ["other names or another order"]
    wrong = wrong or [f"{name} is of another type or shape" for name, t in tensors.items() if not _alike(t, back[name])]
    least = {name: QUALITY_OF_WEIGHTS - SLACK if name in inexact else math.inf for name in quality}
    wrong += [f"{name} has {q:.1f} dB" for name, q in quality.items() if q < least[name]]
    worst = min(quality, key=lambda name: quality[name], default="")
    memory = sum({id(t): t.nbytes for t in tensors.values()}.values())
    return {
        "tensors": len(tensors), "memory": memory, "bytes": coded.stat().st_size,
        "share": coded.stat().st_size / memory, "worst": worst, "snr_db": quality.get(worst),
        "encode_s": encoding, "decode_s": decoding, "failure": "; ".join(wrong[:3]),
    }  # fmt: skip


def of_graph(builder: Builder) -> dict[str, Any]:
    """The row of a network compressed with its graph."""
    coded = FOLDER / "network.ilwp"
    module, other = builder.make(), builder.make()
    tensors = {name: t.numpy() for name, t in module.state_dict().items()}
    structure = structure_of_module(module, tensors)
    proving = _seconds(lambda: structure.belief)
    started = time.process_time()
    found = compress_network(tensors, Plan(method="multiset"), structure)
    encoding = time.process_time() - started
    coded.write_bytes(found.content)
    load_tensors(other, load_file(coded))
    snr = output_differences(module, other, [synthetic_inputs(natural_shape(module), seed=2)]).snr_db
    refused = [f"{what}: {why}" for what, why in structure.belief.refused.items()]
    wrong = [f"outputs have {snr:.1f} dB"] * (snr < QUALITY - OUTPUTS_SLACK)
    return {
        "family": builder.family, "layers": len(structure.symmetries),
        "free": sum(s.ordered for s in structure.symmetries),
        "signed": sum(s.signed is not None for s in structure.symmetries),
        "norms": len(structure.all_norms), "folded": len(structure.foldable_norms), "refused": refused,
        "bytes": len(found.content), "snr_db": snr, "of_noise_db": _with_noise(module, builder.make()),
        "prove_s": proving, "encode_s": encoding,
        "failure": "; ".join(wrong),
    }  # fmt: skip


def _with_noise(network: nn.Module, other: nn.Module) -> float:
    """The SNR in dB of a network's outputs once each weight is changed by about a thousandth of itself."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1 + 1e-3 * torch.randn(parameter.shape, generator=generator))
    inputs = synthetic_inputs(natural_shape(network), seed=2)
    return output_differences(network, other, [inputs]).snr_db


KINDS: dict[str, Callable[[Builder], dict[str, Any]]] = {"tensors": of_tensors, "graph": of_graph}


def rows(chosen: list[Builder], made_by: str) -> Iterator[dict[str, Any]]:
    """One row per network, and one more for each with a family, from where they were left."""
    tasks = [(builder, kind) for builder in chosen for kind in KINDS if kind == "tensors" or builder.family]
    with progress_bar("zoo", len(tasks), "networks") as bar:
        for builder, kind in tasks:
            kept = FOLDER / "rows" / f"{builder.library}-{builder.name}-{kind}.json"
            row = _kept(kept, made_by)
            if row is None:
                about = {"network": builder.name, "library": builder.library, "row": kind}
                row = about | {"parameters": builder.parameters} | _tried(KINDS[kind], builder)
                atomic_write(kept, json.dumps({"made by": made_by, "row": row}).encode())
            bar.set_postfix_str(f", {builder.name}{': ' if row['failure'] else ''}{row['failure']}")
            bar.update()
            yield row


def _tried(measure: Callable[[Builder], dict[str, Any]], builder: Builder) -> dict[str, Any]:
    try:
        return measure(builder)
    except Exception as error:  # a failure of any kind is a result
        return {"failure": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    finally:
        gc.collect()


def _kept(path: Path, made_by: str) -> dict[str, Any] | None:
    if not path.exists():
        return None
    content = json.loads(path.read_bytes())
    return content["row"] if content["made by"] == made_by else None


def _seconds(function: Callable[[], Any]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype


def code_digest() -> str:
    """What the package's files are: rows of other code are made anew."""
    found = hashlib.sha256()
    for room in ("common", "door", "networks", "paper", "whole"):
        for path in sorted((PACKAGE / room).glob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def main() -> None:
    """All networks into data/benchmarks, or some on the screen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks")
    parser.add_argument("--timm", metavar="MILLIONS", type=float, default=0, help="parameters of timm's at most")
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")  # builders say what they will be called in future
    torch.set_num_threads(1)
    (FOLDER / "rows").mkdir(parents=True, exist_ok=True)
    chosen = builders(int(1e6 * wanted.timm))
    if wanted.names:
        for row in rows([builder for builder in chosen if builder.name in wanted.names], "the screen"):
            print(json.dumps(row, indent=1))
    else:
        save("zoo", list(rows(chosen, code_digest())), ("numpy", "torch", "torchvision", "timm", "constriction"))


if __name__ == "__main__":
    main()
