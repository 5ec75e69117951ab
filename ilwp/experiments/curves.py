"""The curves of the paper's figures: what each one shows, and how it is drawn."""

import math
from dataclasses import dataclass

from ilwp.paper.methods import Loop, Method, loops


@dataclass(frozen=True)
class Curve:
    """Networks trained with lambda `inter_layer` (Eq. 3) and coded with `method`.

    Colours are Okabe and Ito's, which colour-blind readers tell apart; every curve has a marker of its own too.
    """

    title: str
    inter_layer: float
    method: Method
    colour: str
    marker: str
    in_paper: bool = True

    @property
    def loops(self) -> tuple[Loop, ...]:
        """The loops that its files are measured in."""
        return loops(self.method)

    def nearest_loop(self, wanted: Loop) -> Loop:
        """The loop whose files stand for this curve where a figure shows `wanted`: the only one, if it has only one."""
        return wanted if wanted in self.loops else self.loops[0]


CURVES = {
    "baseline": Curve("Baseline", 0.0, "baseline", "#4d4d4d", "s"),
    "fss": Curve("FSS", 0.0, "fss", "#e69f00", "^"),
    "lss": Curve("LSS", 0.0, "lss", "#56b4e9", "v"),
    "ill": Curve("ILL", 1.0, "ill", "#d55e00", "o"),
    "tied": Curve("All layers tied", math.inf, "ill", "#009e73", "D", in_paper=False),
}
PAPER_CURVES = {name: curve for name, curve in CURVES.items() if curve.in_paper}
