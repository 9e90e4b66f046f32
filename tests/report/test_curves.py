"""Curves are drawn where their figures belong, on logarithmic axes."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, draw

FIGURES = st.floats(1e-6, 1e12)
SVG = "{http://www.w3.org/2000/svg}"


def points(svg: str) -> list[list[tuple[float, float]]]:
    """Read where curves go."""
    lines = ElementTree.fromstring(svg).iter(f"{SVG}polyline")
    return [
        [(float(left), float(right)) for left, right in re.findall(r"([\d.]+),([\d.]+)", line.attrib["points"])]
        for line in lines
    ]


def test_tenfold_is_as_far_everywhere() -> None:
    (curve,) = points(draw("t", "x", "y", {"cost": [(1, 1), (10, 10), (100, 100)]}))
    (first, second, third) = curve
    assert first == (LEFT, HEIGHT - BOTTOM)
    assert third == (WIDTH - RIGHT, TOP)
    assert second == ((first[0] + third[0]) / 2, (first[1] + third[1]) / 2)


@given(st.lists(st.tuples(FIGURES, FIGURES), min_size=1, max_size=5))
def test_whatever_the_figures_are_they_are_on_the_picture(curve: list[tuple[float, float]]) -> None:
    (drawn,) = points(draw("t", "x", "y", {"one": curve}))
    assert len(drawn) == len(curve)
    for across, upwards in drawn:
        assert LEFT - 1 <= across <= WIDTH - RIGHT + 1
        assert TOP - 1 <= upwards <= HEIGHT - BOTTOM + 1


def test_names_are_shown_as_they_are() -> None:
    svg = draw("a < b", "x & y", "µs", {"one": [(1, 2)], "two & three": [(3, 4)]})
    shown = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert {"a < b", "x & y", "µs", "one", "two & three"} <= {*shown}
    assert len(points(svg)) == 2


def test_powers_of_ten_are_named() -> None:
    assert [name for _, name in Axis.over([10, 100_000], 0, 1).ticks()] == ["10", "100", "1,000", "10,000", "100,000"]


def test_nothing_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="growth: no points"):
        draw("growth", "x", "y", {"one": []})
