"""A verdict on every claim of the paper, from the records, by a rule that is written beside it.

Evidence -> scorecard -> list[Score]
"""

from ilwp.figures import claims_hypothesis, claims_residuals, claims_sizes, claims_trade_offs
from ilwp.figures.scorecard_evidence import Evidence
from ilwp.figures.scores import Score

FROZEN = "2026-11-28"  # since when rules stay as they are
CLAIMS = (  # C1 to C12, the first in two
    claims_hypothesis.previous_layer_leads,
    claims_hypothesis.previous_layer_beats_chance,
    claims_hypothesis.loss_strengthens_it,
    claims_sizes.weight_one_is_smallest,
    claims_sizes.searches_cost_more,
    claims_sizes.texture_falls,
    claims_sizes.loss_halves_the_file,
    claims_trade_offs.loss_saves_half_on_average,
    claims_trade_offs.loss_leads_at_every_size,
    claims_residuals.residuals_are_laplace,
    claims_residuals.entropies_are_in_order,
    claims_trade_offs.local_search_is_slightly_better,
    claims_trade_offs.searches_keep_accuracy,
)


def scorecard(found: Evidence) -> list[Score]:
    """All claims."""
    return [claim(found) for claim in CLAIMS]
