"""Figures: the numbers behind them, and that what Matplotlib makes of them fits a page."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report import plots
from lab.report.bindings import bindings
from lab.report.plots import Window, lost_shares, nice, thinned
from lab.report.streams import Arrival
from tests.report.played import BEGAN, records, stream

WINDOW = Window(zero=BEGAN, begin=BEGAN - 0.1, end=BEGAN + 0.3)
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> set[str]:
    return {text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_losses_are_shares_of_what_was_sent() -> None:
    edges, shares = lost_shares(stream(), BEGAN)
    assert edges[1] - edges[0] == pytest.approx(0.01)
    assert [share for share in shares if share] == [100.0] * 5
    assert edges[shares.index(100.0)] == pytest.approx(0.0)


def test_nothing_sent_is_nothing_lost() -> None:
    assert lost_shares([], BEGAN) == ([0.0, 1.0], [0.0])


@given(st.lists(st.tuples(st.floats(0, 1e5), st.booleans()), min_size=1, max_size=50))
def test_every_packet_is_in_one_time(sent: list[tuple[float, bool]]) -> None:
    arrivals = [
        Arrival(sequence=n, sent=at, received=None if lost else at) for n, (at, lost) in enumerate(sorted(sent))
    ]
    edges, shares = lost_shares(arrivals, 0.0)
    assert len(edges) == len(shares) + 1 <= 2 * plots.BINS
    assert all(0 <= share <= 100 for share in shares)
    assert any(shares) == any(lost for _, lost in sent)


@pytest.mark.parametrize(
    ("least", "width"), [(0.0, 0.01), (0.01, 0.01), (0.011, 0.02), (0.3, 0.5), (1.0, 1.0), (7.0, 10.0)]
)
def test_times_have_nice_widths(least: float, width: float) -> None:
    assert nice(least) == pytest.approx(width)


@given(st.lists(st.tuples(st.integers(0, 99), st.floats(0, 9)), min_size=1, max_size=300), st.integers(4, 50))
def test_of_many_points_the_extremes_stay(points: list[tuple[float, float]], most: int) -> None:
    points.sort()
    shown = thinned(points, most)
    assert len(shown) <= max(most + 2, 4)
    assert {*shown} <= {*points}
    heights = [height for _, height in points]
    assert {min(heights), max(heights)} <= {height for _, height in shown}
    assert shown == points or len(points) > most


def test_a_stream_has_its_three_figures_and_marks_of_moves() -> None:
    svg = plots.stream("cn-mn", stream(), [BEGAN, BEGAN + 0.1], WINDOW)
    assert {"sequence number", "one-way delay, ms", "lost, %", "seconds", "1", "2"} <= texts(svg)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_stream_of_one_packet_is_drawn(arrived: bool) -> None:
    only = Arrival(sequence=0, sent=BEGAN, received=BEGAN + 0.001 if arrived else None)
    assert "<svg" in plots.stream("cn-mn", [only], [], Window(zero=BEGAN, begin=BEGAN, end=BEGAN))


def test_bindings_are_named() -> None:
    rows = {f"{held.node}: mn": [(held, "away")] for held in bindings(records())}
    assert {"ha: mn", "at away", "seconds"} <= texts(plots.bindings(rows, [BEGAN], WINDOW))


def test_names_are_no_formulas_and_no_markup() -> None:
    (held,) = bindings(records())
    name = "$\\frac{<b>&amp;\"'"
    svg = plots.bindings({name: [(held, name)]}, [], WINDOW)
    assert {name, f"at {name}"} <= texts(svg)


def test_a_figure_takes_colour_and_width_from_its_page() -> None:
    svg = plots.stream("cn-mn", stream(), [], WINDOW)
    root = ElementTree.fromstring(svg)
    assert "currentColor" in svg
    assert not {"width", "height"} & {*root.attrib}
    assert not [*root.iter(f"{SVG}style")]


def test_names_inside_two_figures_differ() -> None:
    one, other = (plots.stream(name, stream(), [], WINDOW) for name in ("cn-mn", "mn-cn-1"))
    clips = [{clip.attrib["id"] for clip in ElementTree.fromstring(svg).iter(f"{SVG}clipPath")} for svg in (one, other)]
    assert clips[0]
    assert not clips[0] & clips[1]
    assert plots.stream("cn-mn", stream(), [], WINDOW) == one
