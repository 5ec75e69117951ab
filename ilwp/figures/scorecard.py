"""A verdict on every claim of the paper, from the records, by a rule that is written beside it.

Evidence -> scorecard -> list[Score]
"""

from ilwp.figures import claims_files as files
from ilwp.figures import claims_hypothesis as hypothesis
from ilwp.figures.scorecard_evidence import Evidence
from ilwp.figures.scores import Score

CLAIMS = (  # C1 to C12
    hypothesis.previous_layer_leads,
    hypothesis.loss_strengthens_it,
    files.weight_one_is_smallest,
    files.searches_cost_more,
    files.texture_falls,
    files.loss_halves_the_file,
    files.loss_saves_half_on_average,
    files.loss_leads_at_every_size,
    hypothesis.residuals_are_laplace,
    hypothesis.entropies_are_in_order,
    files.local_search_is_slightly_better,
    files.searches_keep_accuracy,
)


def scorecard(found: Evidence) -> list[Score]:
    """All twelve claims."""
    return [claim(found) for claim in CLAIMS]
