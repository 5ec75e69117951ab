from collections.abc import Iterator

import pytest

from ilwp.figures import scorecard_evidence, sources


@pytest.fixture(autouse=True, scope="module")
def _few_deals() -> Iterator[None]:
    """How many random deals of kernels a figure shows changes nothing that is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (scorecard_evidence, sources):
            patch.setattr(module, "DEALS", 2)
        yield
