"""Speed and memory beside peers: data/benchmarks/speed.json -> speeds, speed_numbers, speed_aims."""

import pandas as pd

from ilwp.figures.benchmark_names import AS_SMALL, IMAGENET, OURS, PEER
from ilwp.figures.benchmarks import judged


def speeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per network and codec: share of bytes, millions of weights per second, how much faster ours is, memory.

    Memory is the most that a process holds, over the tensors' bytes.
    """
    found = rows.assign(share=rows["bytes"] / rows["memory"])
    for way in ("encode", "decode"):
        ours = found[found["codec"] == OURS].set_index("network")[f"{way}_s"]
        found[way] = found["weights"] / found[f"{way}_s"] / 1e6
        found[f"{way}_times"] = found[f"{way}_s"] / found["network"].map(ours)
    columns = ["network", "codec", "share", "encode", "decode", "encode_times", "decode_times"]
    return found[[*columns, "encode_peak", "decode_peak"]]


def speed_numbers(rows: pd.DataFrame) -> dict[str, float]:
    """The numbers that prose quotes."""
    found = speeds(rows)
    ours = found[found["codec"] == OURS]
    vit, small_tensors = ours[ours["network"].str.startswith("ViT")].iloc[0], ours[ours["network"] == IMAGENET].iloc[0]
    peer = found[(found["codec"] == PEER) & (found["network"] == IMAGENET)].iloc[0]
    small = found[found["codec"] == AS_SMALL].iloc[0]
    weights = rows.loc[rows["network"] == vit["network"], "weights"].iloc[0] / 1e6
    numbers = {"vit_weights": weights, "encode": vit["encode"], "decode": vit["decode"]}
    numbers |= {"encode_small": small_tensors["encode"], "decode_small": small_tensors["decode"]}
    numbers |= {"peer_times": peer["decode_times"], "as_small_times": peer["decode_times"] / small["decode_times"]}
    return {name: float(value) for name, value in numbers.items()}


def speed_aims(rows: pd.DataFrame) -> pd.DataFrame:
    """Each aim with what it asks for and what was measured; `wanted` is the least, or for memory the most."""
    found = speeds(rows)
    ours = found[found["codec"] == OURS].set_index("network")
    vit = next(network for network in ours.index if network.startswith("ViT"))
    peer = found[(found["codec"] == PEER) & (found["network"] == IMAGENET)].iloc[0]
    large = ours[ours.index != IMAGENET]  # beside a small network the program itself is what takes memory
    two_cores = rows.set_index("network").loc[vit, "two_cores"].max()
    return judged([
        ("million weights per second encoded, ViT-B", "at least", 10, ours.loc[vit, "encode"]),
        ("million weights per second decoded, ViT-B", "at least", 20, ours.loc[vit, "decode"]),
        ("times NNCodec's speed to decode, MobileNetV2", "at least", 5, peer["decode_times"]),
        ("times faster to decode ViT-B with two cores", "at least", 1.7, two_cores),
        ("most memory to encode ViT-B or ConvNeXt-T, times the tensors", "at most", 3, large["encode_peak"].max()),
        ("most memory to decode ViT-B or ConvNeXt-T, times the tensors", "at most", 3, large["decode_peak"].max()),
    ])  # fmt: skip
