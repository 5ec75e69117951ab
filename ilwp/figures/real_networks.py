"""Whole public networks beside the peers: size against what the outputs keep, and the aims that were set for it.

    real_networks.json, real_tried.json -> draw, real_sizes, real_aims, shares_of_peer

What a codec needs for an SNR lies between two of its own files, on a line of the bytes' logarithm. For an agreement it
is as in `bytes_at`.
"""

from collections.abc import Callable, Mapping
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ilwp.figures import style
from ilwp.figures.benchmark_names import CREPE, FOLDED, IMAGENET, NO_GRAPH, OPT_QP, OURS, PEER, TAUGHT, WITH_BIASES
from ilwp.figures.benchmark_plots import WHOLE, Line, draw_lines
from ilwp.figures.benchmarks import at_one_point, benchmark_rows, bytes_at, least

PICTURES = {"photographs": "photographs", "enlarged": "CIFAR-10, enlarged"}
SOUND = {"recordings": "recordings", "tones": "made-up tones"}
DB, FINE_DB, AGREEMENT = 20.5, 30.0, 0.87  # where files are compared
CERWU = "CERWU's rule"
CODECS = {
    OURS: Line("ours", style.BLUE, "*"),
    TAUGHT: Line("ours, images", style.BLUE, "^", "--"),
    NO_GRAPH: Line("ours, graph unknown", "#56b4e9", "o", ":", filled=False),
    PEER: Line("NNCodec as it comes", "#8c8c8c", "d", ":", filled=False),
    OPT_QP: Line("NNCodec, opt_qp", WHOLE[PEER].colour, "s", "--", filled=False),
    FOLDED: Line("NNCodec, opt_qp, folded", WHOLE[PEER].colour, "X", "--"),
    WITH_BIASES: Line("the same with our biases", "#882255", "P", "-."),
}
ENCODE_SECONDS = "encode (s)"
SNR, KEPT, SIZE = "SNR of outputs (dB)", "same class (%)", "file (MB)"
MEASURES = {SNR: "snr_db", KEPT: "agreement"}
LEAST = {SNR: 8.0, KEPT: 50.0}  # what is drawn


def networks(*inputs: str) -> list[str]:
    """Those that were measured on one of these kinds of inputs, or on any."""
    found = benchmark_rows("real_networks")["network"].unique()
    return [network for network in found if not inputs or kinds_of_inputs(network).keys() & set(inputs)]


def kinds_of_inputs(network: str) -> dict[str, str]:
    """The kinds of inputs that a network was measured on, in words."""
    frame = benchmark_rows("real_networks")
    counts = frame[frame["network"] == network].reindex(columns=[*PICTURES, *SOUND]).max()
    return {name: words for name, words in (PICTURES | SOUND).items() if counts[name] > 0}


def draw(kinds: Mapping[str, str]) -> Figure:
    """A row of panels per network and kind of inputs (PICTURES or SOUND): SNR of outputs, inputs of the same class."""
    frame = benchmark_rows("real_networks")
    rows = [(network, inputs) for network in networks(*kinds) for inputs in kinds]
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(style.WIDTH, 1.45 * len(rows) + 0.7), sharex="row", squeeze=False
    )
    for (network, inputs), panels in zip(rows, axes, strict=True):
        of_network = frame[(frame["network"] == network) & frame["codec"].isin(CODECS)].sort_values("bytes")
        for ax, (title, column) in zip(panels, MEASURES.items(), strict=True):
            values = of_network[f"{inputs}_{column}"] * (100 if title == KEPT else 1)
            table = pd.DataFrame({"codec": of_network["codec"], SIZE: of_network["bytes"] / 1e6, title: values})
            draw_lines(ax, table[values >= LEAST[title]], CODECS, "codec", SIZE, title)
        panels[0].set_title(f"{network.partition(',')[0]}, {kinds[inputs]}")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    style.shared_legend(figure, axes, columns=2)
    return figure


def real_sizes(network: str) -> pd.DataFrame:
    """One row per codec: MB for equal outputs, and seconds; NaN where a codec's files are all better, or all worse."""
    frame = benchmark_rows("real_networks")
    frame = frame[frame["network"] == network]
    shown = {"ZipNN": "ZipNN, lossless"} | {name: line.title for name, line in CODECS.items()}
    rows = {}
    for name, title in shown.items():
        points = frame[frame["codec"] == name]
        if points.empty:
            continue
        exact = points["bytes"].min() if name == "ZipNN" else None
        row = {}
        for inputs, words in kinds_of_inputs(network).items():
            row[f"MB at {DB:g} dB, {words}"] = (exact or snr_bytes(points, inputs)) / 1e6
            row[f"MB at {100 * AGREEMENT:g} % kept, {words}"] = (exact or agreement_bytes(points, inputs)) / 1e6
        rows[title] = row | {ENCODE_SECONDS: points["encode_s"].median(), "decode (s)": points["decode_s"].median()}
    return pd.DataFrame(rows).T


def inputs_in_words(network: str) -> str:
    """How many inputs a network was tried on, and the standard error of shares near AGREEMENT."""
    frame = benchmark_rows("real_networks")
    kinds = kinds_of_inputs(network)
    counts = [int(frame[frame["network"] == network][inputs].max()) for inputs in kinds]
    errors = [100 * float(np.sqrt(AGREEMENT * (1 - AGREEMENT) / count)) for count in counts]
    off = " and ".join(f"{error:.1f}" for error in errors)
    tried = " and ".join(f"{count} of {words}" for count, words in zip(counts, kinds.values(), strict=True))
    return f"inputs: {tried}; the shares' standard errors are {off} points"


def snr_bytes(points: pd.DataFrame, inputs: str = "photographs", snr_db: float = DB, beyond: float = 0.0) -> float:
    """Bytes that a codec needs for that SNR of the outputs; NaN above its points, or more than `beyond` dB below."""
    if points.empty:
        return float("nan")
    points = points.sort_values(f"{inputs}_snr_db")
    known, logs = points[f"{inputs}_snr_db"].to_numpy(), np.log(points["bytes"].to_numpy())
    if beyond and known[0] - beyond <= snr_db < known[0]:
        return float(np.exp(logs[0] + (snr_db - known[0]) * (logs[1] - logs[0]) / (known[1] - known[0])))
    return float(np.exp(np.interp(snr_db, known, logs, left=np.nan, right=np.nan)))


def agreement_bytes(points: pd.DataFrame, inputs: str = "photographs") -> float:
    """Bytes that a codec needs for inputs to keep their class; NaN beyond its points."""
    values = points[f"{inputs}_agreement"]
    if points.empty or values.min() > AGREEMENT:
        return float("nan")
    return bytes_at(points.assign(accuracy=values), AGREEMENT)


def real_aims() -> pd.DataFrame:
    """Each aim, at most how much was wanted and what was reached, NaN where it is not measured."""
    frame = benchmark_rows("real_networks")
    frame = frame[frame["network"] == IMAGENET]
    helped = frame["codec"] == WITH_BIASES
    ours = frame[frame["codec"] == OURS]
    rows = []
    for codec, title, inputs, of_best, of_helped in (
        (OURS, "no data", "photographs", 0.80, 0.85),
        (TAUGHT, "unlabelled images of another kind", "photographs", 0.60, 0.75),
        (TAUGHT, "unlabelled images of the kind", "enlarged", 0.60, 0.75),
    ):
        own = frame[frame["codec"] == codec]
        for wanted, theirs, peers in (
            (of_best, "NNCodec's best", frame[~helped]), (of_helped, "NNCodec's with our biases", frame[helped]),
        ):  # fmt: skip
            for measure, where in ((snr_bytes, f"{DB:g} dB"), (agreement_bytes, f"{100 * AGREEMENT:g} % kept")):
                ratio = measure(own, inputs) / least(peers, PEER, partial(measure, inputs=inputs))
                rows.append((f"ImageNet's MobileNetV2, {title}, bytes at {where} of {theirs}", wanted, ratio))
    rules = benchmark_rows("real_tried").pipe(lambda tried: tried[tried["idea"].str.startswith(CERWU)])
    theirs = rules.groupby("idea").apply(snr_bytes, "enlarged").min()
    own = frame[frame["codec"] == TAUGHT]
    rows.append((f"the same at {DB:g} dB of CERWU's rule on our coder", 0.90, snr_bytes(own, "enlarged") / theirs))
    best = frame[frame["codec"] == FOLDED]["encode_s"].median()
    seconds = ours["encode_s"].median() / best
    rows.append(("ImageNet's MobileNetV2, no data, seconds to encode of NNCodec's", 0.2, seconds))
    networks = benchmark_rows("networks")
    for network, plain, images in (("MobileNet", 0.55, 0.40), ("ShuffleNetV2", 0.75, 0.60)):
        sizes = at_one_point(networks[networks["network"] == network])
        for codec, title, wanted in ((OURS, "no data", plain), (TAUGHT, "unlabelled images", images)):
            aim = f"the book's {network}, {title}, bytes at 1 point lost of NNCodec's"
            rows.append((aim, wanted, sizes[codec] / sizes[PEER]))
    table = pd.DataFrame(rows, columns=["aim", "wanted", "reached"])
    return table.assign(met=table["reached"] <= table["wanted"])


def shares_of_peer() -> dict[str, float]:
    """Bytes of a network over those of NNCodec's best file with as good outputs: ImageNet's MobileNetV2 without data
    for photographs, and `taught` by images for images of their kind; CREPE without data for recordings, `unknown`
    without its graph, `fine` at FINE_DB, and `kept` at AGREEMENT.
    """
    recorded = partial(snr_bytes, inputs="recordings")
    return {
        "plain": _share_of_peer(IMAGENET, OURS, snr_bytes),
        "taught": _share_of_peer(IMAGENET, TAUGHT, partial(snr_bytes, inputs="enlarged")),
        "sound": _share_of_peer(CREPE, OURS, recorded),
        "unknown": _share_of_peer(CREPE, NO_GRAPH, recorded),
        "fine": _share_of_peer(CREPE, OURS, partial(recorded, snr_db=FINE_DB)),
        "kept": _share_of_peer(CREPE, OURS, partial(agreement_bytes, inputs="recordings")),
    }


def _share_of_peer(network: str, codec: str, measure: Callable[[pd.DataFrame], float]) -> float:
    """The bytes that one of our codecs needs, over the least that NNCodec needs by its own means."""
    files = benchmark_rows("real_networks").pipe(lambda frame: frame[frame["network"] == network])
    theirs = files[files["codec"] != WITH_BIASES]
    return measure(files[files["codec"] == codec]) / least(theirs, PEER, measure)
