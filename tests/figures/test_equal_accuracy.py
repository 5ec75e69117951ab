import matplotlib.pyplot as plt
import pytest

from ilwp.experiments import evidence
from ilwp.experiments.records import read_kernels
from ilwp.figures import style
from ilwp.figures.comparisons import equal_accuracy
from ilwp.figures.equal_accuracy import draw_equal_accuracy
from ilwp.figures.output import plotted
from ilwp.figures.scorecard_evidence import collect_evidence


def test_rings_are_the_smallest_files_at_the_accuracy_of_the_losss_own():
    runs = evidence.select(evidence.load_runs("cpu"), network="mobilenet", dataset="cifar10")
    found = collect_evidence(runs, read_kernels)
    with plt.rc_context():
        style.use_style()
        figure = draw_equal_accuracy(found, "cpu", "closed")
    rings = plotted(figure).dropna(subset="smallest file (kB)").set_index("curve")
    assert rings.index.tolist() == ["baseline", "ill"]
    assert rings["smallest file (kB)"]["ill"] < rings["smallest file (kB)"]["baseline"]
    level = found.by_seed("ill", "accuracy").mean()
    assert rings["top-1 accuracy (%)"].tolist() == pytest.approx([level] * 2)
    words = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert all(f"{paired.mean:.2f} of the" in words for paired in equal_accuracy(found).values())
    plt.close("all")


def test_without_runs_the_figure_says_how_to_make_them():
    figure = draw_equal_accuracy(collect_evidence({}, read_kernels), "cpu", "closed")
    assert "not run yet" in [text.get_text() for text in figure.axes[0].texts]
    plt.close("all")
