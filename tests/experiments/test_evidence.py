from types import SimpleNamespace

import pytest

from ilwp.experiments.evidence import made_from, provenance, same_seeds


def run(network: str, dataset: str, inter_layer: float, seed: int = 0, epochs: int = 12, width: float = 0.5):
    config = SimpleNamespace(
        network=network, dataset=dataset, inter_layer=inter_layer, seed=seed, epochs=epochs, width=width, batch_size=128
    )
    return SimpleNamespace(config=config)


PAPER = ". The paper: width 1, 200 epochs, batches of 256, 5 seeds."
ONE = [run("mobilenet", "cifar10", 0)]


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (ONE, "MobileNet at width 0.5 on CIFAR-10, λ = 0: one seed; 12 epochs of batches of 128"),
        (
            [*ONE, run("mobilenet", "cifar10", 0, 1), run("mobilenet", "cifar10", float("inf"))],
            "MobileNet at width 0.5 on CIFAR-10, λ = 0: 2 seeds; λ = ∞: one seed; 12 epochs of batches of 128",
        ),
        (
            [run(n, d, 1) for d in ("cifar10", "cifar100") for n in ("mobilenet", "shufflenet", "shufflenetv2")],
            "MobileNet, ShuffleNet and ShuffleNetV2 at width 0.5 on CIFAR-10 and CIFAR-100, λ = 1: one seed; "
            "12 epochs of batches of 128",
        ),
        (
            [*ONE, run("mobilenet", "cifar10", 0, epochs=30, width=1)],
            "MobileNet at width 0.5 on CIFAR-10, λ = 0: one seed; 12 epochs of batches of 128; "
            "MobileNet at width 1 on CIFAR-10, λ = 0: one seed; 30 epochs of batches of 128",
        ),
    ],
)
def test_a_figure_says_what_it_is_made_from(runs: list, sentence: str):
    assert made_from(runs) == f"Made from {sentence}{PAPER}"


def test_no_runs_are_said_too():
    assert made_from([]) == "Made from no run yet."


def test_provenance_has_a_row_for_runs_that_are_alike_and_one_for_the_paper():
    runs = [*ONE, run("shufflenet", "cifar10", 0), run("mobilenet", "cifar100", 0), run("shufflenet", "cifar100", 0)]
    table = provenance([*runs, run("mobilenet", "cifar10", 0, epochs=18, width=1)])
    assert table.to_numpy().tolist() == [
        ["MobileNet and ShuffleNet", "CIFAR-10 and CIFAR-100", "0.5", 12, 128, "λ = 0: one seed"],
        ["MobileNet", "CIFAR-10", "1", 18, 128, "λ = 0: one seed"],
        ["the paper: all four", "CIFAR-10 and CIFAR-100", "1", 200, 256, "5 seeds"],
    ]
    assert len(provenance([])) == 1


@pytest.mark.parametrize(
    ("seeds", "left"),
    [
        ({0: [0, 1], 1: [0, 1], float("inf"): [0, 2]}, {0}),
        ({0: [0, 1], 1: [1, 0]}, {0, 1}),
        ({0: [0], 1: [1]}, set()),
        ({1: [3]}, {3}),
        ({}, set()),
    ],
)
def test_curves_of_a_panel_stand_on_the_same_seeds(seeds: dict[float, list[int]], left: set[int]):
    runs = {(w, s): run("mobilenet", "cifar10", w, s) for w, chosen in seeds.items() for s in chosen}
    found = same_seeds(runs)
    assert {r.config.seed for r in found.values()} == left
    for weight in seeds:
        assert {r.config.seed for r in found.values() if r.config.inter_layer == weight} == left
