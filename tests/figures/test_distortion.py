import numpy as np
import pandas as pd
import pytest

from ilwp.common.distortion import later_layers_snr
from ilwp.experiments import evidence
from ilwp.experiments.records import read_kernels
from ilwp.figures import distortion
from ilwp.paper import bitstream, codec
from ilwp.paper.settings import Settings


def curve_points(curve: str, seed: int, points: list[tuple[int, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(points, columns=["bits", "bits_a_weight", "snr_db"])
    return table.assign(curve=curve, seed=seed)


def test_files_are_compared_where_they_are_as_near_as_the_baseline():
    points = pd.concat(
        [
            curve_points("baseline", 0, [(5, 4.0, 20.0), (6, 5.0, 25.0)]),
            curve_points("fss", 0, [(5, 4.0, 20.0), (6, 6.0, 30.0)]),
            curve_points("baseline", 1, [(6, 5.0, 40.0)]),
            curve_points("fss", 1, [(6, 6.0, 30.0)]),
            curve_points("fss", 2, [(6, 6.0, 30.0)]),
        ]
    )
    ratios = distortion.at_equal_distortion(points, "fss", 6)
    assert ratios == pytest.approx([1.0, np.nan], nan_ok=True)
    assert len(distortion.at_equal_distortion(points, "lss", 6)) == 0


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_points_are_those_of_files_that_were_written(loop: str):
    runs = evidence.select(evidence.load_runs("cpu"), dataset="cifar10", network="mobilenet", seed=0)
    points = distortion.rates_and_distortions(runs, read_kernels, loop)
    points = points[points["bits"] == 6]
    assert points["curve"].tolist() == ["baseline", "fss", "lss", "ill"]
    path, record = next(iter(evidence.select(runs, inter_layer=1).items()))
    kernels = read_kernels(path)
    coded = codec.encode_kernels(kernels, Settings("ill", 6, loop))
    rate = bitstream.write_kernel_file(coded)[1]
    assert points.iloc[-1]["bits_a_weight"] == pytest.approx(rate.total / record.depthwise_weights)
    assert points.iloc[-1]["snr_db"] == pytest.approx(later_layers_snr(kernels, codec.decode_kernels(coded)))


def test_without_runs_there_are_no_points():
    assert distortion.rates_and_distortions({}, read_kernels).empty
