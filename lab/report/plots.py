"""What happened over time, as figures: the packets of a stream, and the bindings of nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING, Any

from lab.report.bindings import Held
from lab.report.figures import COLOURS, HATCHES, INK, figure, svg
from lab.report.streams import Arrival

Point = tuple[float, float]

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 6.4
"""Inches: on a phone, letters of such a figure can still be read."""
BINS = 60
"""About so many bars tell of losses."""
MOST_POINTS = 3000
"""So many dots of a kind are drawn; the page would grow by more, and the picture would not change."""
FAR = 20.0
"""So many times the median a delay may be until the axis is logarithmic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that figures show: seconds since the epoch, `zero` being where the reader's seconds begin."""

    zero: float
    begin: float
    end: float

    @property
    def limits(self) -> tuple[float, float]:
        """Both ends in the reader's seconds."""
        return self.begin - self.zero, max(self.end, self.begin + 0.001) - self.zero


def stream(name: str, arrivals: Sequence[Arrival], moves: Sequence[float], window: Window) -> str:
    """Draw sequence numbers, one-way delays and losses of a stream."""
    start = window.zero
    got = [(packet.received - start, packet) for packet in arrivals if packet.received is not None]
    lost = [packet for packet in arrivals if packet.received is None]
    with figure(WIDTH, 6.4, f"stream {name}") as drawn:
        numbers, delays, losses = drawn.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
        _dots(numbers, [(at, packet.sequence) for at, packet in got])
        _dots(numbers, [(packet.sent - start, packet.sequence) for packet in lost], "x", COLOURS[1])
        numbers.set_ylabel("sequence number")
        taken = [(at - (packet.sent - start)) * 1000 for at, packet in got]
        _dots(delays, [(at, delay) for (at, _), delay in zip(got, taken, strict=True)])
        delays.set_ylabel("one-way delay, ms")
        if taken and min(taken) > 0 and max(taken) > FAR * median(taken):
            delays.set_yscale("log")
            delays.yaxis.set_major_formatter(lambda figure_, _place: f"{figure_:g}")
        elif taken:
            delays.set_ylim(bottom=0)
        edges, shares = lost_shares(arrivals, start)
        losses.stairs(shares, edges, fill=True, color=COLOURS[1], hatch="///", edgecolor=INK, linewidth=0.5)
        losses.set(ylabel="lost, %", ylim=(0, 100), xlabel="seconds", xlim=window.limits)
        _mark(moves, window, numbers, delays, losses)
        return svg(drawn)


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """Leave out what a reader cannot tell apart: of neighbours the lowest and the highest stay."""
    if len(points) <= most:
        return [*points]
    wide = math.ceil(2 * len(points) / most)
    groups = [points[at : at + wide] for at in range(0, len(points), wide)]
    return [point for group in groups for point in sorted({min(group, key=_height), max(group, key=_height)})]


def _height(point: Point) -> float:
    return point[1]


def _dots(axes: Axes, points: Sequence[Point], marker: str = ".", colour: str = COLOURS[0]) -> None:
    shown = thinned(points)
    axes.plot([x for x, _ in shown], [y for _, y in shown], marker, ms=4, color=colour)


def lost_shares(arrivals: Sequence[Arrival], start: float) -> tuple[list[float], list[float]]:
    """Give the ends of equal times and, of what was sent in each, how many in a hundred were lost."""
    if not arrivals:
        return [0.0, 1.0], [0.0]
    first, last = arrivals[0].sent - start, arrivals[-1].sent - start
    wide = nice((last - first) / BINS)
    begin = math.floor(first / wide)
    sent, lost = [0] * (math.floor(last / wide) - begin + 1), [0] * (math.floor(last / wide) - begin + 1)
    for packet in arrivals:
        place = math.floor((packet.sent - start) / wide) - begin
        sent[place] += 1
        lost[place] += packet.received is None
    edges = [(begin + number) * wide for number in range(len(sent) + 1)]
    return edges, [100 * missing / all_ if all_ else 0.0 for missing, all_ in zip(lost, sent, strict=True)]


def nice(least: float) -> float:
    """Give the next of 1, 2 and 5 times a power of ten, from a hundredth on."""
    power = 10.0 ** math.floor(math.log10(max(least, 0.01)))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= max(least, 0.01) * (1 - 1e-9))


def bindings(rows: Mapping[str, Sequence[tuple[Held, str]]], moves: Sequence[float], window: Window) -> str:
    """Draw bindings, each with the name of its care-of address's link, as bars in named rows."""
    names = dict.fromkeys(link for row in rows.values() for _, link in row)
    looks: dict[str, Any] = {
        name: {"facecolor": colour, "hatch": hatch}
        for name, colour, hatch in zip(names, cycle(COLOURS), cycle(HATCHES), strict=False)
    }
    from matplotlib.patches import Patch  # noqa: PLC0415 - only who draws imports it

    with figure(WIDTH, 1.9 + 0.4 * len(rows), "bindings") as drawn:
        axes = drawn.add_subplot(xlabel="seconds", xlim=window.limits)
        for height, row in enumerate(rows.values()):
            for each, link in row:
                span = (each.begin - window.zero, each.end - each.begin)
                axes.broken_barh([span], (height - 0.35, 0.7), alpha=0.75, edgecolor=INK, linewidth=0.8, **looks[link])
        axes.set_yticks(range(len(rows)), labels=[*rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        _mark(moves, window, axes)
        drawn.legend(
            handles=[Patch(alpha=0.75, edgecolor=INK, label=f"at {name}", **look) for name, look in looks.items()],
            loc="outside lower center",
            ncols=min(len(looks), 4),
        )
        return svg(drawn)


def _mark(moves: Sequence[float], window: Window, *all_axes: Axes) -> None:
    """Mark moves by their numbers."""
    for number, time in enumerate(moves, start=1):
        if not window.begin <= time <= window.end:
            continue
        for axes in all_axes:
            axes.axvline(time - window.zero, color=INK, linestyle=(0, (4, 3)), linewidth=0.9)
        top = all_axes[0]
        top.annotate(
            str(number),
            (time - window.zero, 1),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontweight="bold",
        )
