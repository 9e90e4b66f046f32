"""Figures that grow with a size, as a picture with logarithmic axes."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from lab.report.figures import COLOURS, MARKERS, STYLES, figure, svg

WIDTH, HEIGHT = 8.0, 4.8


def powers_around(figures: Sequence[float]) -> tuple[float, float]:
    """Give the powers of ten between which positive figures are."""
    first = math.floor(math.log10(min(figures)))
    return 10.0**first, 10.0 ** max(math.ceil(math.log10(max(figures))), first + 1)


def draw(title: str, x: str, y: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw curves through points of positive figures, as SVG; ValueError if there is no point."""
    points = [point for curve in series.values() for point in curve]
    if not points:
        raise ValueError(f"{title}: no points")
    with figure(WIDTH, HEIGHT, title) as drawn:
        axes = drawn.add_subplot(title=title, xlabel=x, ylabel=y, xscale="log", yscale="log")
        for (name, curve), colour, style, marker in zip(
            series.items(), cycle(COLOURS), cycle(STYLES), cycle(MARKERS), strict=False
        ):
            across, upwards = zip(*curve, strict=True) if curve else ((), ())
            axes.plot(across, upwards, color=colour, linestyle=style, marker=marker, label=name, clip_on=False)
        axes.set_xlim(*powers_around([left for left, _ in points]))
        axes.set_ylim(*powers_around([right for _, right in points]))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_figure_name)
            axis.set_minor_formatter(lambda *_: "")
        drawn.legend(loc="outside right upper")
        return svg(drawn, background="white")


def _figure_name(figure_: Any, _place: Any) -> str:
    return f"{figure_:,.10g}"
