"""What controls of the inter-layer loss save beside the loss itself, and the verdict that follows.

runs, controls -> measured -> one row per run -> savings -> one row per kind of loss
savings -> control_verdicts -> one sentence per question
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ilwp.common.distortion import rms, zero_share
from ilwp.experiments.controls import encode_against
from ilwp.experiments.evidence import Runs, listed, select
from ilwp.experiments.records import RunRecord
from ilwp.figures.paired import Paired
from ilwp.paper import codec, hypothesis
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import Method
from ilwp.paper.settings import Settings
from ilwp.training.recipe import TrainConfig

Controls = Mapping[TrainConfig, tuple[Path, RunRecord] | None]
NONE, LOSS = "no loss", "loss"
CONTROL_KINDS = {LOSS: "loss (previous layer)", "random": "loss (random earlier layer)", "first": "loss (first layer)",
         "zero": "L1 penalty", "decay": "weight decay"}  # fmt: skip
IN_WORDS = {"random": "the loss with a random earlier layer", "first": "the loss with the first layer",
         "zero": "an L1 penalty", "decay": "weight decay"}  # fmt: skip
OWN, PREVIOUS, UNPREDICTED = "as trained", "from the previous layer", "without prediction"
PREDICTIONS = (OWN, PREVIOUS, UNPREDICTED)
# what each kind was trained to be coded with, where that is not its own targets
AS_TRAINED = {NONE: UNPREDICTED, LOSS: PREVIOUS, "zero": UNPREDICTED, "decay": UNPREDICTED}
NEIGHBOUR, SHRINKAGE = "Does it matter that the layer is the previous one?", "Is it shrinkage?"
QUESTIONS = {NEIGHBOUR: ("random", "first"), SHRINKAGE: ("zero", "decay")}
SEEDS, AS_MUCH, LITTLE, NEAR = 3, 0.9, 0.5, 1.25
CONTROL_RULE = (
    f"A control of {SEEDS} seeds or more saves as much as the loss if it saves {100 * AS_MUCH:.0f} % of what the loss "
    f"saves on the same seeds, both at 8 bits and at equal accuracy. It saves little if it saves less than "
    f"{100 * LITTLE:.0f} % in both. A penalty counts if its weights' rms is within a factor of {NEAR} of the loss's."
)
AT_8_BITS, EQUAL = "saved at 8 bits", "saved at equal accuracy"


def control_of(config: TrainConfig) -> str:
    """Which line of the page a run belongs to."""
    if config.depthwise_decay is not None:
        return "decay"
    return config.reference or (LOSS if config.inter_layer else NONE)


def measured(runs: Runs, controls: Controls, kernels: Callable[[Path], Kernels], within: float) -> pd.DataFrame:
    """One row per run of one network and data set: its kind and seed, what became of it, what each prediction saves.

    Savings are in percent of the texture of the run without a loss that has the same seed; there is no row where that
    is missing. At equal accuracy both give their smallest file, of any bits and loop, that comes within so many points
    of the best of the worse of the two. `rms` and `zeros` are those of all layers but the first, zeros of the levels at
    8 bits in a closed loop as trained, in percent.
    """
    found = [(path, record) for weight in (0, 1) for path, record in select(runs, inter_layer=weight).items()]
    found += [made for made in controls.values() if made]
    without = {r.config.seed: _files(r) for _, r in found if control_of(r.config) == NONE}
    rows = []
    for path, record in found:
        if (baseline := without.get(record.config.seed)) is None:
            continue
        files, layers = _files(record), kernels(path)
        row = {"kind": control_of(record.config), "seed": record.config.seed, "accuracy": record.accuracy}
        row |= _network(record, layers)
        plain = baseline[baseline["prediction"] == OWN]
        for prediction, mine in files.groupby("prediction"):
            row |= _saved(str(prediction), mine, plain, within)
        rows.append(row)
    columns = ["kind", "seed", "accuracy", "rms", "zeros", "lift", "points"]
    return pd.DataFrame(rows, columns=[*columns, *(f"{what} {p}" for p in PREDICTIONS for what in (AT_8_BITS, EQUAL))])


def savings(table: pd.DataFrame) -> pd.DataFrame:
    """One row per kind, prediction and comparison: mean saving with its interval, and its share of the loss's.

    The share is of what the loss saves as trained, `size` the rms over the loss's, both on the seeds that both have.
    """
    loss = table[table["kind"] == LOSS].set_index("seed")
    rows = []
    for kind in CONTROL_KINDS:
        mine = table[table["kind"] == kind].set_index("seed")
        both = mine.index.intersection(loss.index)
        size = float((mine["rms"] / loss["rms"])[both].mean()) if len(both) else np.nan
        for comparison in (AT_8_BITS, EQUAL):
            of_loss = loss.loc[both, f"{comparison} {OWN}"].mean()
            for prediction in PREDICTIONS:
                values = mine[f"{comparison} {prediction}"].astype(float)
                share = values[both].mean() / of_loss if of_loss > 0 else np.nan
                saved = Paired(values.to_numpy())
                interval = saved.interval or (np.nan, np.nan)
                found = (len(saved), len(both), saved.mean, *interval, share, size)
                rows.append((kind, prediction, comparison, *found))
    columns = ["kind", "prediction", "comparison", "seeds", "pairs", "saved", "low", "high", "share", "size"]
    return pd.DataFrame(rows, columns=columns)


def quoted_savings(found: pd.DataFrame) -> dict[str, float]:
    """The percentages that prose quotes, by kind and comparison, from the table of `savings`."""
    own = found[found["prediction"] == OWN].set_index(["kind", "comparison"])["saved"]
    return {
        f"{name}_{short}": float(own[kind, comparison])
        for name, kind in (("loss", LOSS), ("first", "first"), ("random", "random"), ("l1", "zero"), ("decay", "decay"))
        for short, comparison in (("bits", AT_8_BITS), ("equal", EQUAL))
    }


def control_verdicts(found: pd.DataFrame) -> dict[str, str]:
    """The answer to each of `QUESTIONS` in a sentence, by `CONTROL_RULE`, from the table of `savings`."""
    own = found[found["prediction"] == OWN]
    shares = own.pivot(index="kind", columns="comparison", values="share")
    first = own.groupby("kind", sort=False)[["pairs", "size"]].first()
    answers = {}
    for question, kinds in QUESTIONS.items():
        few = [CONTROL_KINDS[kind] for kind in kinds if first.loc[kind, "pairs"] < SEEDS]
        far = [CONTROL_KINDS[kind] for kind in kinds if not 1 / NEAR <= first.loc[kind, "size"] <= NEAR]
        if few:
            answers[question] = f"No verdict yet: fewer than {SEEDS} seeds of {listed(few)}."
        elif far and question == SHRINKAGE:
            answers[question] = f"No verdict: the weights are not as small as the loss leaves them with {listed(far)}."
        else:
            answers[question] = _answer(question, shares.loc[list(kinds)])
    return answers


def _answer(question: str, shares: pd.DataFrame) -> str:
    """The answer given the share of each control in both comparisons."""
    best = str(shares.min(axis=1).idxmax())
    amount = (
        f"{IN_WORDS[best]} saves {shares.loc[best, AT_8_BITS]:.2f} times what the paper's loss saves at 8 bits, and "
        f"{shares.loc[best, EQUAL]:.2f} times at equal accuracy"
    )
    yes, no = ("No", "Yes") if question == NEIGHBOUR else ("Yes", "No")
    if shares.loc[best].min() >= AS_MUCH:
        return f"{yes}: {amount}. Smoothness between neighbours is not what saves."
    if (shares.max(axis=1) < LITTLE).all():
        return f"{no}: even {amount}."
    return f"In part: {amount}."


def _files(record: RunRecord) -> pd.DataFrame:
    """One row per file: its prediction, bits, loop, texture in bytes, accuracy. What was trained for comes twice."""
    of_method = {"baseline": UNPREDICTED, "ill": PREVIOUS}
    named = [(of_method[m.method], m) for m in record.measurements if m.method in of_method]
    if own := AS_TRAINED.get(control_of(record.config)):
        named += [(OWN, m) for prediction, m in named if prediction == own]
    named += [(OWN, m) for m in record.against_targets or []]
    rows = [(prediction, m.bits, m.loop, m.rate.texture / 8, m.accuracy) for prediction, m in named]
    return pd.DataFrame(rows, columns=["prediction", "bits", "loop", "texture", "accuracy"])


def _saved(prediction: str, mine: pd.DataFrame, baseline: pd.DataFrame, within: float) -> dict[str, Any]:
    """Percent of texture saved, and for what was trained for the accuracy at 8 bits over the baseline's in points."""
    file, other = (f[(f["bits"] == 8) & (f["loop"] == "closed")].iloc[0] for f in (mine, baseline))
    enough = min(mine["accuracy"].max(), baseline["accuracy"].max()) - within
    small, large = (files.loc[files["accuracy"] >= enough, "texture"].min() for files in (mine, baseline))
    saved = {
        f"{AT_8_BITS} {prediction}": 100 * (1 - file["texture"] / other["texture"]),
        f"{EQUAL} {prediction}": 100 * (1 - small / large),
    }
    return saved | ({"points": file["accuracy"] - other["accuracy"]} if prediction == OWN else {})


def _network(record: RunRecord, kernels: Kernels) -> dict[str, float]:
    later = np.concatenate([layer.ravel() for layer in list(kernels.values())[1:]])
    if record.targets:
        coded = encode_against(kernels, record.targets, Settings("ill", 8))[0]
    else:
        method: Method = "ill" if AS_TRAINED[control_of(record.config)] == PREVIOUS else "baseline"
        coded = codec.encode_kernels(kernels, Settings(method, 8))
    return {
        "rms": rms(later),
        "zeros": 100 * zero_share(coded.levels),
        "lift": hypothesis.best_sources(kernels).lift,
    }
