"""The verdict on controls, from made-up records of them; the runs beside are the committed ones."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ilwp.experiments import evidence
from ilwp.experiments.records import RunRecord, read_kernels
from ilwp.figures import control_plots, control_tables, controls
from ilwp.figures.controls import (
    AS_MUCH,
    AT_8_BITS,
    CONTROL_KINDS,
    EQUAL,
    LITTLE,
    NEIGHBOUR,
    OWN,
    PREVIOUS,
    SHRINKAGE,
    UNPREDICTED,
)
from ilwp.paper.settings import Rate
from ilwp.training.recipe import TrainConfig

RUNS = evidence.trained_with(evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet"), (0, 1))
GRID = list(evidence.load_controls("controls"))


def made(config: TrainConfig, like: float) -> tuple[Path, RunRecord]:
    """A control's record made of the run of its seed with lambda `like`; its targets are the previous layers."""
    ((path, record),) = evidence.select(RUNS, inter_layer=like, seed=config.seed).items()
    if config.reference in ("random", "first"):
        ill = [m for m in record.measurements if m.method == "ill"]
        record = replace(record, targets=list(range(12)), against_targets=ill)
    return path, replace(record, config=config)


def savings_of(like: dict[str, float]) -> pd.DataFrame:
    found = {c: made(c, like[kind]) if (kind := controls.control_of(c)) in like else None for c in GRID}
    return controls.savings(controls.measured(RUNS, found, read_kernels, 0.5))


def of(found: pd.DataFrame, kind: str, prediction: str, comparison: str) -> pd.Series:
    (row,) = found[
        (found["kind"] == kind) & (found["prediction"] == prediction) & (found["comparison"] == comparison)
    ].iloc
    return row


def test_every_control_of_the_grid_has_a_line():
    assert {controls.control_of(config) for config in GRID} == set(CONTROL_KINDS) - {"loss"}


def test_what_is_coded_as_the_loss_is_saves_as_much_and_small_weights_alone_save_little():
    found = savings_of({"random": 1, "first": 1, "zero": 1, "decay": 1})
    for comparison in (AT_8_BITS, EQUAL):
        assert of(found, "first", OWN, comparison)["share"] == pytest.approx(1)
        assert of(found, "zero", OWN, comparison)["saved"] == of(found, "zero", UNPREDICTED, comparison)["saved"]
        assert of(found, "zero", PREVIOUS, comparison)["share"] == pytest.approx(1)
    assert of(found, "decay", OWN, EQUAL)["size"] == 1
    assert controls.control_verdicts(found) == {
        NEIGHBOUR: "No: the loss with a random earlier layer saves 1.00 times what the paper's loss saves at 8 "
        "bits, and 1.00 times at equal accuracy. Smoothness between neighbours is not what saves.",
        SHRINKAGE: controls.control_verdicts(found)[SHRINKAGE],
    }
    assert controls.control_verdicts(found)[SHRINKAGE].startswith("No: even an L1 penalty saves ")


def test_penalties_that_leave_larger_weights_than_the_loss_are_not_judged():
    found = savings_of({"random": 0, "first": 0, "zero": 0, "decay": 1})
    answers = controls.control_verdicts(found)
    assert answers[SHRINKAGE] == "No verdict: the weights are not as small as the loss leaves them with L1 penalty."
    assert answers[NEIGHBOUR].startswith("Yes: even the loss with ")


def test_without_its_seeds_a_question_is_left_open():
    answers = controls.control_verdicts(savings_of({"first": 1}))
    assert answers[NEIGHBOUR] == "No verdict yet: fewer than 3 seeds of loss (random earlier layer)."
    assert answers[SHRINKAGE] == "No verdict yet: fewer than 3 seeds of L1 penalty and weight decay."


def table_of(first: tuple[float, float], random: tuple[float, float]) -> pd.DataFrame:
    """Savings of the neighbour's controls: shares at 8 bits and at equal accuracy."""
    shares = {"first": first, "random": random}
    return pd.DataFrame(
        [
            {"kind": kind, "prediction": OWN, "comparison": comparison, "pairs": 3, "size": 1.0,
             "share": shares.get(kind, (0.0, 0.0))[i]}
            for kind in CONTROL_KINDS
            for i, comparison in enumerate((AT_8_BITS, EQUAL))
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "random", "answer"),
    [
        ((AS_MUCH, 1.2), (0.1, 0.1), "No: the loss with the first layer saves 0.90 times what"),
        ((AS_MUCH - 0.01, 1.2), (0.1, 0.1), "In part: the loss with the first layer saves 0.89 times what"),
        ((0.2, 0.1), (LITTLE - 0.01, 0.3), "Yes: even the loss with a random earlier layer saves 0.49 times"),
        ((0.2, 0.1), (LITTLE, 0.3), "In part: the loss with a random earlier layer saves 0.50 times"),
        ((-0.2, 0.6), (0.1, 0.1), "In part: the loss with a random earlier layer saves 0.10 times"),
    ],
)
def test_the_rule_has_its_bounds(first: tuple[float, float], random: tuple[float, float], answer: str):
    assert controls.control_verdicts(table_of(first, random))[NEIGHBOUR].startswith(answer)


def test_savings_at_equal_accuracy_are_of_the_smallest_files_that_are_accurate_enough():
    def files(*rows: tuple[int, float, float]) -> pd.DataFrame:
        return pd.DataFrame([(b, "closed", t, a) for b, t, a in rows], columns=["bits", "loop", "texture", "accuracy"])

    mine, plain = files((8, 60.0, 80.0), (4, 30.0, 79.6), (2, 10.0, 20.0)), files((8, 100.0, 82.0), (4, 50.0, 79.5))
    saved = controls._saved(OWN, mine, plain, within=0.5)
    assert saved == {
        f"{AT_8_BITS} {OWN}": pytest.approx(40), f"{EQUAL} {OWN}": pytest.approx(40), "points": pytest.approx(-2)
    }  # fmt: skip
    assert controls._saved(OWN, mine, plain, within=0.1)[f"{EQUAL} {OWN}"] == pytest.approx(40)
    assert controls._saved(OWN, mine, plain, within=0.45)[f"{EQUAL} {OWN}"] == pytest.approx(70)


def test_a_run_is_compared_with_the_baseline_of_its_own_seed_or_not_at_all():
    alone = {path: r for path, r in RUNS.items() if (r.config.inter_layer, r.config.seed) != (0, 1)}
    table = controls.measured(alone, {}, read_kernels, 0.5)
    assert sorted(table[table["kind"] == "loss"]["seed"]) == [0, 2, 3, 4]
    ((_, plain),) = evidence.select(RUNS, inter_layer=0, seed=2).items()
    ((_, loss),) = evidence.select(RUNS, inter_layer=1, seed=2).items()
    rates: list[Rate] = [
        next(m.rate for m in r.measurements if (m.method, m.bits, m.loop) == (method, 8, "closed"))
        for r, method in ((plain, "baseline"), (loss, "ill"))
    ]
    row = table[(table["kind"] == "loss") & (table["seed"] == 2)].iloc[0]
    assert row[f"{AT_8_BITS} {OWN}"] == pytest.approx(100 * (1 - rates[1].texture / rates[0].texture))


def test_the_page_names_what_is_missing_and_its_hours():
    found = dict.fromkeys(GRID)
    text = control_tables.missing_runs("controls", found, RUNS)
    assert "`make grid PROFILE=controls`" in text
    assert f"{len(GRID)} of {len(GRID)} runs are missing, 4." in text
    assert ", 0 hours" not in control_tables.missing_runs("controls", found, {})
    assert control_tables.missing_runs("controls", {c: made(c, 1) for c in GRID}, RUNS) == ""


@pytest.mark.parametrize(
    "like", [{}, {"first": 1.0}, {"random": 1.0, "first": 0.0, "zero": 1.0, "decay": 1.0}], ids=str
)
def test_figure_and_tables_show_what_there_is(like: dict[str, float]):
    found = savings_of(like)
    figure = control_plots.saved(found)
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert texts.count("not run yet") == 2 * (len(CONTROL_KINDS) - 1 - len(like))
    plt.close(figure)
    table = control_tables.savings_table(found).set_index("")
    assert [int(n) for n in table["seeds"]] == [5, *(3 if kind in like else 0 for kind in list(CONTROL_KINDS)[1:])]
    assert table.loc["loss (previous layer)", "over the loss's, same seeds, at 8 bits"] == "1.00"


def test_prose_quotes_what_the_table_of_savings_has():
    found = savings_of({"first": 1})
    quoted = controls.quoted_savings(found)
    assert quoted["first_bits"] == of(found, "first", OWN, AT_8_BITS)["saved"]
    assert quoted["loss_equal"] == of(found, "loss", OWN, EQUAL)["saved"]
