import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evidence_samples import BASELINE, at_8_bits, evidence_of, files

from ilwp.common.paths import RUNS
from ilwp.experiments import evidence
from ilwp.experiments.records import Measurement, RunRecord, read_kernels, read_record
from ilwp.figures import scorecard_evidence
from ilwp.figures.claims_sizes import weight_one_is_smallest
from ilwp.figures.scorecard import CLAIMS, scorecard
from ilwp.figures.scorecard_evidence import Evidence, collect_evidence
from ilwp.figures.scores import FAILS, HOLDS, IN_PART, RULE, UNTESTED, Score
from ilwp.paper.hypothesis import Sources

# of the rules as frozen: who changes a rule changes this too, and says so on the page
FROZEN_RULES = "bd93edf6031a70fcb712e8df2c9d2018e374d420d7be9fc2e5e52022095e224f"
LOWER = [89.5, 90.5, 91.5]  # half a point below BASELINE
NAMES = ["C1a", "C1b", *(f"C{i}" for i in range(2, 13))]
JUDGES = dict(zip(NAMES, CLAIMS, strict=True))


def judged(claim: str, found: Evidence) -> Score:
    return JUDGES[claim](found)


def rules_digest(scores: list[Score]) -> str:
    rules = [RULE, *(f"{score.claim} {score.rule}" for score in scores)]
    return hashlib.sha256("\n".join(rules).encode()).hexdigest()


def times(factor: float) -> list[float]:
    return [factor * size for size in BASELINE[0]]


def test_the_rules_are_the_frozen_ones():
    assert rules_digest(scorecard(at_8_bits(baseline=BASELINE))) == FROZEN_RULES
    assert rules_digest(scorecard(collect_evidence({}, read_kernels))) == FROZEN_RULES


def test_the_papers_own_numbers_pass():
    table = evidence.paper_table1()
    five = range(5)
    rows = [(c, "mobilenet", s, 8, table.loc[c, "total"], table.loc[c, "accuracy"]) for c in table.index for s in five]
    printed = files(rows).assign(texture_bytes=[table.loc[c, "texture"] for c in table.index for _ in five])
    found = evidence_of(printed, printed)
    for claim in ("C4", "C5", "C6", "C8", "C11", "C12"):
        assert judged(claim, found).verdict == HOLDS, claim


@pytest.mark.parametrize(
    ("claim", "curves", "wanted"),
    [
        ("C4", {"fss": (times(1.1), BASELINE[1]), "lss": (times(1.05), BASELINE[1])}, HOLDS),
        ("C4", {"fss": (times(1.1), BASELINE[1]), "lss": (times(0.95), BASELINE[1])}, IN_PART),
        ("C4", {"fss": (times(0.9), BASELINE[1]), "lss": (times(0.95), BASELINE[1])}, FAILS),
        ("C4", {"fss": ([150, 150, 310], BASELINE[1]), "lss": ([150, 150, 310], BASELINE[1])}, FAILS),  # not clearly
        ("C6", {"ill": (times(0.5), LOWER)}, HOLDS),
        ("C6", {"ill": (times(0.5), [80, 81, 82])}, IN_PART),
        ("C6", {"ill": (times(0.8), [80, 81, 82])}, FAILS),
        ("C7", {"ill": (times(0.5), LOWER)}, UNTESTED),
        ("C11", {"fss": (times(1.1), BASELINE[1]), "lss": (times(1.08), BASELINE[1])}, HOLDS),
        ("C11", {"fss": (times(1.1), BASELINE[1]), "lss": (times(0.5), BASELINE[1])}, IN_PART),
        ("C11", {"fss": (times(1.1), BASELINE[1]), "lss": (times(1.2), BASELINE[1])}, FAILS),
        ("C12", {"fss": (times(1.1), BASELINE[1]), "lss": (times(1.1), BASELINE[1])}, HOLDS),
        ("C12", {"fss": (times(1.1), LOWER), "lss": (times(1.1), BASELINE[1])}, IN_PART),
        ("C12", {"fss": (times(1.1), LOWER), "lss": (times(1.1), LOWER)}, FAILS),
        ("C12", {}, UNTESTED),
    ],
)
def test_verdicts_follow_their_rules(claim: str, curves: dict, wanted: str):
    assert judged(claim, at_8_bits(baseline=BASELINE, **curves)).verdict == wanted


def test_both_loops_are_judged():
    closed, opened = (
        at_8_bits(baseline=BASELINE, ill=(times(size), accuracies)).closed
        for size, accuracies in ((0.6, [80, 81, 82]), (0.5, LOWER))
    )
    score = judged("C6", evidence_of(closed, opened))
    assert (score.verdict, score.which) == (IN_PART, "holds: open loop\ndoes not: closed loop")


def test_runs_are_compared_seed_by_seed():
    found = at_8_bits(baseline=BASELINE, ill=(times(0.5), LOWER))
    table = found.closed[~((found.closed["curve"] == "ill") & (found.closed["seed"] == 0))]
    found = evidence_of(table, table)
    assert found.ratio("ill").values.tolist() == [0.5, 0.5]
    assert found.points("ill").values.tolist() == [-0.5, -0.5]
    assert found.panels() == [("mobilenet", "cifar10")]
    assert found.panels("tied") == []


@pytest.mark.parametrize("claim", ["C4", "C5", "C6", "C7", "C8", "C11", "C12"])
def test_a_run_without_its_pair_changes_no_verdict(claim: str):
    curves = {"fss": (times(1.1), BASELINE[1]), "lss": (times(1.05), BASELINE[1]), "ill": (times(0.5), LOWER)}
    paired = at_8_bits(baseline=BASELINE, **curves).closed
    paired = pd.concat([paired, paired.assign(network="mobilenetv2")])
    lone = paired[(paired["curve"] == "baseline") & (paired["seed"] == 0)]
    more = pd.concat([paired, lone.assign(seed=7, total_bytes=1.0, texture_bytes=1.0, accuracy=99.0)])
    scores = [judged(claim, evidence_of(table, table)) for table in (paired, more)]
    assert (scores[0].ours, scores[0].verdict, scores[0].runs) == (scores[1].ours, scores[1].verdict, scores[1].runs)


def test_the_loss_is_compared_with_a_baseline_that_is_as_accurate():
    table = files([
        ("baseline", "mobilenet", 0, 8, 100.0, 90.0), ("baseline", "mobilenet", 0, 6, 70.0, 89.0),
        ("baseline", "mobilenet", 0, 5, 60.0, 88.0), ("ill", "mobilenet", 0, 8, 50.0, 88.5),
        ("baseline", "mobilenetv2", 0, 8, 100.0, 90.0), ("ill", "mobilenetv2", 0, 8, 80.0, 90.0),
    ])  # fmt: skip
    found = evidence_of(table, table.assign(total_bytes=table["total_bytes"] - 10))
    assert found.equally_accurate_bytes("baseline").tolist() == [60]
    assert found.equally_accurate_bytes("baseline", among=["closed"]).tolist() == [70]
    assert found.equally_accurate_bytes("ill").tolist() == [40]
    assert np.isnan(found.equally_accurate_bytes("lss")).tolist() == [True]
    saved = judged("C7", found)
    # 50 of 70 and 80 of 100, 40 of 60 and 70 of 90
    assert (saved.verdict, saved.ours.count("24 % on average"), saved.ours.count("28 % on average")) == (FAILS, 1, 1)


def test_the_trade_off_is_judged_against_each_rival_in_each_loop():
    table = files([
        ("baseline", "mobilenet", 0, 8, 100.0, 90.0), ("baseline", "mobilenet", 0, 6, 70.0, 89.0),
        ("fss", "mobilenet", 0, 8, 110.0, 90.6), ("lss", "mobilenet", 0, 8, 105.0, 90.0),
        ("lss", "mobilenet", 0, 2, 10.0, 50.0), ("ill", "mobilenet", 0, 8, 60.0, 89.5),
    ])  # fmt: skip
    score = judged("C8", evidence_of(table, table.assign(total_bytes=40.0)))
    assert score.verdict == IN_PART
    names = "(against the baseline, against LSS)", "(against FSS)"
    holds, fails = (f"closed loop {which}, open loop {which}" for which in names)
    assert score.which == f"holds: {holds}\ndoes not: {fails}"
    assert "2 of 2 files of the baseline (1 at no loss)" in score.ours
    assert "the baseline matches 0 of ILL's 1" in score.details


def sweep(calibration: float, **files_of: tuple[int, float]) -> dict[Path, RunRecord]:
    """Records at seed 0 that differ in lambda, named `l1` for 1, with bytes and accuracy of their 8-bit files."""
    base = read_record(RUNS / "cpu" / "cifar10-mobilenet-lambda1-seed0.json")
    runs = {}
    for name, (size, accuracy) in files_of.items():
        weight = float(name[1:])
        measured = [
            Measurement(
                "ill", 8, loop, replace(base.measurements[0].rate, texture=8 * size, index=0, raw=0, side=0), accuracy
            )
            for loop in ("closed", "open")
        ]
        config = replace(base.config, inter_layer=weight, calibration=calibration if weight else 1.0)
        runs[Path(name)] = replace(base, config=config, measurements=measured)
    return runs


@pytest.mark.parametrize(
    ("calibration", "weights", "wanted"),
    [
        (10, {"l0": (100, 90.0), "l1": (50, 89.5), "l3": (60, 88.0), "l10": (70, 87.0)}, UNTESTED),
        (1, {"l0": (100, 90.0), "l1": (50, 89.5)}, IN_PART),
        (1, {"l0": (100, 90.0), "l1": (110, 85.0)}, FAILS),
        (1, {"l0": (100, 90.0), "l1": (50, 89.5), "l3": (60, 88.0), "l10": (70, 87.0)}, HOLDS),
        (1, {"l0": (100, 90.0), "l1": (50, 89.5), "l3": (40, 88.0), "l10": (30, 87.0)}, IN_PART),
        (1, {"l0": (100, 90.0), "l1": (50, 80.0), "l3": (40, 88.0), "l10": (30, 87.0)}, FAILS),
    ],
)
def test_the_weight_is_judged_as_printed_only(calibration: float, weights: dict, wanted: str):
    runs = sweep(calibration, **weights)
    assert weight_one_is_smallest(collect_evidence(runs, read_kernels)).verdict == wanted


def test_runs_with_the_printed_weight_judge_the_loss_where_there_are_some():
    calibrated = at_8_bits(baseline=BASELINE, ill=(times(0.5), LOWER))
    printed = at_8_bits(baseline=([100.0], [90.0]), ill=([90.0], [89.9]))
    scores = [judged("C6", replace(calibrated, printed=each)) for each in (None, at_8_bits(baseline=BASELINE), printed)]
    assert [(score.verdict, score.runs) for score in scores] == [(HOLDS, 3), (HOLDS, 3), (IN_PART, 1)]


def test_without_runs_nothing_is_tested():
    found = collect_evidence({}, read_kernels)
    scores = scorecard(found)
    assert [score.claim for score in scores] == NAMES
    assert {score.verdict for score in scores} == {UNTESTED}


def test_the_committed_runs_give_every_claim_its_numbers():
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet", seed=0)
    scores = {score.claim: score for score in scorecard(collect_evidence(runs, read_kernels))}
    untested = {claim for claim, score in scores.items() if score.verdict == UNTESTED}
    assert untested == {"C3", "C7"}
    assert not any("none" in score.ours for claim, score in scores.items() if claim not in untested)
    assert {claim: score.runs for claim, score in scores.items()} == {
        "C1a": 1, "C1b": 23, "C2": 1, "C3": 0, "C4": 1, "C5": 2, "C6": 1, "C7": 1, "C8": 1, "C9": 2, "C10": 2, "C11": 1,
        "C12": 1,
    }  # fmt: skip
    for score in scores.values():
        assert Path("notebooks", f"{Path(score.page).name}.ipynb").exists()


def test_the_previous_layer_leads_where_no_other_has_more():
    share = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0.4, 0.6, 0, 0], [0.5, 0.2, 0.3, 0]])
    assert scorecard_evidence.leading(Sources(share, share, ())) == 0.5


def lifts(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["network", "leads", "unit_low"]).assign(
        dataset="x", seed=range(len(rows)), share=0.3, lift=2.0, unit=1.0, untrained=1.0, leads_shuffled=0.5
    )


@pytest.mark.parametrize(
    ("runs", "counted", "beyond"),
    [
        ([("A", 0.9, 1.1), ("B", 0.6, 1.2)], HOLDS, HOLDS),
        ([("A", 0.9, 0.9), ("B", 0.6, 1.2)], HOLDS, IN_PART),
        ([("A", 0.9, 1.2), ("A", 0.8, 0.9), ("B", 0.4, 1.1)], IN_PART, IN_PART),
        ([("A", 0.9, 0.9), ("B", 0.5, 0.9), ("C", 0.5, 0.9)], FAILS, FAILS),
    ],
)
def test_the_first_claim_is_judged_as_counted_and_beyond_chance(runs: list, counted: str, beyond: str):
    public = pd.DataFrame([("P, 3x3", 1.1, True, False)], columns=["title", "unit_lift", "above", "below"])
    found = evidence_of(pd.DataFrame(), pd.DataFrame(), lifts(*runs), public)
    scores = [judged(claim, found) for claim in ("C1a", "C1b")]
    assert [score.verdict for score in scores] == [counted, beyond]
    if counted == IN_PART:
        assert scores[0].which == "holds: trained here (A on x)\ndoes not: trained here (B on x)"
        assert scores[1].which == "holds: trained here (B on x), public networks\ndoes not: trained here (A on x)"


def test_zeros_are_counted_in_the_loop_that_is_asked_for():
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet", seed=0)
    # what the second layer loses to its coarser step, the third makes up for in a closed loop
    layers = {"a": (0, 0), "b": (1, 0.003), "c": (1.5, 0.003)}
    kernels = {name: np.array([[weights]], np.float32) for name, weights in layers.items()}
    found = collect_evidence(runs, lambda path: kernels)
    assert [found.zeros("ill", 1, loop).tolist() for loop in ("open", "closed")] == [[50], [25]]


@pytest.mark.parametrize(("lost", "wanted"), [(0.19, HOLDS), (0.21, FAILS)])
def test_a_rule_states_the_threshold_that_is_used(lost: float, wanted: str):
    lower = [accuracy - lost for accuracy in BASELINE[1]]
    score = judged("C12", at_8_bits(baseline=BASELINE, fss=(times(1.1), lower), lss=(times(1.1), lower)))
    assert score.verdict == wanted
    assert "at most 0.2 points" in score.rule
