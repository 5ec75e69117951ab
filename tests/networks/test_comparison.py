import numpy as np
import pytest
import torch
from torch import nn

from ilwp.networks.comparison import output_differences


class Affine(nn.Module):
    """offset + slope * x, over all of its inputs."""

    def __init__(self, offset: float, slope: float, scalar: bool = False) -> None:
        super().__init__()
        self.offset, self.slope, self.scalar = offset, slope, scalar

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.offset + self.slope * x).mean() if self.scalar else self.offset + self.slope * x


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e7])
@pytest.mark.parametrize("batches", [1, 3, 20])
def test_a_constant_in_the_outputs_is_no_signal_that_varies(offset: float, batches: int):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 2, 3)))
    found = output_differences(Affine(offset, 1), Affine(offset, 0), x.chunk(batches))
    varying = float(np.square(x.numpy() - x.numpy().mean(axis=0)).sum())
    assert found.varying_snr_db == pytest.approx(10 * np.log10(varying / float(x.square().sum())), abs=1e-6)
    whole = float((offset + x).square().sum())
    assert found.snr_db == pytest.approx(10 * np.log10(whole / float(x.square().sum())), abs=1e-6)
    if offset:
        assert found.snr_db > 50 > 1 > found.varying_snr_db  # the other network gives the constant and nothing else


def test_a_shift_of_all_outputs_is_noise_to_both():
    x = torch.randn(50, 4, dtype=torch.float64)
    found = output_differences(Affine(0, 1), Affine(10, 1), [x])
    assert found.varying_snr_db < -15
    assert found.varying_snr_db == pytest.approx(found.snr_db, abs=0.5)


def test_outputs_without_a_row_an_input_have_no_part_that_varies():
    x = torch.randn(4, 3, dtype=torch.float64)
    assert output_differences(Affine(0, 1, scalar=True), Affine(0, 2, scalar=True), [x]).varying_snr_db is None
    assert output_differences(Affine(0, 1), Affine(0, 2), [x[:1]]).varying_snr_db is None
    sizes = [torch.randn(2, 3), torch.randn(2, 5)]  # as of pictures that are not of one size
    assert output_differences(Affine(0, 1), Affine(0, 2), sizes).varying_snr_db is None
    assert output_differences(Affine(0, 1), Affine(0, 1), [x]).varying_snr_db == float("inf")
