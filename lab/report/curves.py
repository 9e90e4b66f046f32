"""Figures that grow with a size, as a picture with logarithmic axes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.templating import render

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 80, 220, 40, 50
"""Margins: names of the curves are to the right."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Told apart by everybody (Okabe and Ito)."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Places of positive figures between two ends, in whole powers of ten."""

    first: int
    last: int
    start: float
    end: float

    @classmethod
    def over(cls, figures: Sequence[float], start: float, end: float) -> "Axis":
        """Make an axis that holds some figures."""
        first = math.floor(math.log10(min(figures)))
        last = max(math.ceil(math.log10(max(figures))), first + 1)
        return cls(first, last, start, end)

    def at(self, figure: float) -> float:
        """Give the place of a figure."""
        return self.start + (math.log10(figure) - self.first) / (self.last - self.first) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Give places and names of powers of ten."""
        return [(self.at(10.0**power), f"{10.0**power:,.10g}") for power in range(self.first, self.last + 1)]


def draw(title: str, x: str, y: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw curves through points of positive figures, as SVG; ValueError if there is no point."""
    points = [point for curve in series.values() for point in curve]
    if not points:
        raise ValueError(f"{title}: no points")
    across = Axis.over([left for left, _ in points], LEFT, WIDTH - RIGHT)
    upwards = Axis.over([right for _, right in points], HEIGHT - BOTTOM, TOP)
    curves = [
        {
            "name": name,
            "colour": COLOURS[number % len(COLOURS)],
            "points": [(round(across.at(left), 1), round(upwards.at(right), 1)) for left, right in curve],
        }
        for number, (name, curve) in enumerate(series.items())
    ]
    return render(
        "curves.svg.j2",
        title=title,
        x=x,
        y=y,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        across=across.ticks(),
        upwards=upwards.ticks(),
        curves=curves,
    )
