"""Tables for the terminal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]], formats: Mapping[str, Callable[[Any], str]] | None = None) -> str:
    """Columns under the first row's names, all to the right; None is a dash.

    >>> print(table([{"layer": "a", "step": None}, {"layer": "b", "step": 0.25}], {"step": "{:.1f}".format}))
    layer step
        a    -
        b  0.2
    """
    names = list(rows[0])
    cells = [["-" if row[n] is None else (formats or {}).get(n, str)(row[n]) for n in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    return "\n".join(" ".join(map(str.rjust, line, widths)) for line in [names, *cells])
