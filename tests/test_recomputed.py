"""One run of each kind, recomputed by a script that imports nothing of the project."""

import ast
from pathlib import Path

import numpy as np
import pytest
import recomputation

from ilwp.common.distortion import later_layers_snr, zero_share
from ilwp.common.paths import RUNS
from ilwp.experiments import chance, evidence
from ilwp.experiments.nearness import pairwise_nearness, probability
from ilwp.experiments.records import RunRecord, read_kernels, read_record
from ilwp.figures.comparisons import equal_accuracy
from ilwp.figures.residuals import coded_residuals, laplace_distance, layer_differences, peakedness
from ilwp.figures.scorecard_evidence import collect_evidence, leading
from ilwp.paper import codec, hypothesis
from ilwp.paper.huffman import entropy
from ilwp.paper.laplace import fit_laplace
from ilwp.paper.methods import LOOPS, Loop, Method
from ilwp.paper.settings import Settings

PLAIN, TRAINED_FOR_IT, TIED = (
    RUNS / "cpu" / f"cifar10-mobilenet-lambda{value}-seed0.json" for value in ("0", "1", "inf")
)
OF_CURVES = {"baseline": PLAIN, "fss": PLAIN, "lss": PLAIN, "ill": TRAINED_FOR_IT}


def bits_of(record: RunRecord, method: str, bits: int, loop: str) -> tuple[int, int]:
    rate = next(m.rate for m in record.measurements if (m.method, m.bits, m.loop) == (method, bits, loop))
    return rate.texture, rate.index


def test_the_script_imports_nothing_of_the_project():
    tree = ast.parse(Path(recomputation.__file__).read_text())
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} == {
        "heapq", "json", "math", "numpy", "pathlib", "re", "safetensors", "sys",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "unit"), [(PLAIN, False), (PLAIN, True), (TRAINED_FOR_IT, False)], ids=["fig2", "unit length", "fig3"]
)
def test_the_hypothesis_is_as_measured(path: Path, unit: bool):
    layers, kernels = recomputation.read_layers(path), read_kernels(path)
    if unit:
        layers, kernels = recomputation.unit(layers), chance.unit_length(kernels)
    again = recomputation.hypothesis(layers)
    sources, nearness = hypothesis.best_sources(kernels), pairwise_nearness(kernels)
    assert sources.previous_share == pytest.approx(again["share"], abs=1e-3)
    assert sources.chance_share == pytest.approx(again["chance"])
    assert sources.lift == pytest.approx(again["lift"], rel=2e-3)
    for row, theirs in zip(sources.share[2:], again["shares"], strict=True):
        np.testing.assert_allclose(row[: len(theirs)], theirs, atol=0.02)  # two kernels of a layer may be as near
    assert leading(sources) == again["leads"]
    assert probability(nearness.nearest) == pytest.approx(again["nearest"], abs=1e-3)
    assert probability(nearness.random) == pytest.approx(again["random"], abs=1e-5)


@pytest.mark.parametrize("method", list(OF_CURVES))
def test_residuals_and_their_laplace_fits_are_as_measured(method: Method):
    again = recomputation.residuals(recomputation.read_layers(OF_CURVES[method]), method)
    found = np.concatenate([r.ravel() for r in codec.residuals(read_kernels(OF_CURVES[method]), method)])
    np.testing.assert_allclose(found, again, atol=1e-7)
    fit = fit_laplace(found)
    assert (fit.scale, fit.nats, laplace_distance(found, fit)) == pytest.approx(recomputation.laplace(again))


@pytest.mark.parametrize("path", [PLAIN, TRAINED_FOR_IT])
def test_layers_differ_from_the_one_before_as_measured(path: Path):
    again = recomputation.differences(recomputation.read_layers(path))
    np.testing.assert_allclose(layer_differences(read_kernels(path)), again, rtol=1e-5)


@pytest.mark.parametrize("loop", ["closed", "open"])
@pytest.mark.parametrize("method", list(OF_CURVES))
def test_files_of_8_bits_take_what_the_record_says(method: Method, loop: Loop):
    path = OF_CURVES[method]
    again = recomputation.coded(recomputation.read_layers(path), method, 8, loop)
    used = "closed" if method == "baseline" else loop
    assert (again["texture"], again["index"]) == bits_of(read_record(path), method, 8, used)
    kernels = read_kernels(path)
    coded = codec.encode_kernels(kernels, Settings(method, 8, loop))
    counts = np.unique(np.concatenate([q.ravel() for q in coded.levels]), return_counts=True)[1]
    assert again["entropy"] == pytest.approx(entropy(counts))
    assert again["snr"] == pytest.approx(later_layers_snr(kernels, codec.decode_kernels(coded)), abs=1e-4)
    np.testing.assert_allclose(peakedness(coded_residuals(kernels, method, loop)), again["peaks"], rtol=1e-4)
    assert again["zeros"] == zero_share(coded.levels)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize(("method", "path"), [("baseline", PLAIN), ("ill", TRAINED_FOR_IT), ("ill", TIED)])
def test_files_of_other_widths_take_what_the_record_says(method: str, path: Path, bits: int):
    again = recomputation.coded(recomputation.read_layers(path), method, bits, "closed")
    assert (again["texture"], again["index"]) == bits_of(read_record(path), method, bits, "closed")


@pytest.mark.parametrize(
    "stem",
    [
        "cpu/cifar10-shufflenetv2",
        "cpu/cifar100-mobilenetv2",
        "full-width/cifar10-mobilenet",
        "paper-short/cifar10-mobilenet",
    ],
)
def test_files_of_other_networks_take_what_the_record_says(stem: str):
    for weight, method in ((0, "baseline"), (1, "ill")):
        path = RUNS / f"{stem}-lambda{weight}-seed0.json"
        again = recomputation.coded(recomputation.read_layers(path), method, 8, "closed")
        assert again["texture"] == bits_of(read_record(path), method, 8, "closed")[0]


def test_pairs_of_runs_differ_as_the_scorecard_says():
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet")
    found = collect_evidence(runs, read_kernels)
    folder = RUNS / "cpu"
    pairs = [[folder / f"cifar10-mobilenet-lambda{w}-seed{seed}.json" for w in (0, 1)] for seed in range(5)]
    for loop in LOOPS:
        for again, paired in zip(
            recomputation.paired(pairs, "ill", loop),
            (found.ratio("ill", loop=loop), found.points("ill", loop)),
            strict=True,
        ):
            assert (paired.mean, *(paired.interval or ())) == pytest.approx(again, rel=1e-5)
    equal = equal_accuracy(found)
    assert [equal[curve].mean for curve in ("baseline", "ill")] == pytest.approx(recomputation.equal_accuracy(pairs))
