"""Curves are drawn where their figures belong, on logarithmic axes."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.report.curves import draw, powers_around

FIGURES = st.floats(1e-6, 1e12)
SVG = "{http://www.w3.org/2000/svg}"
Points = list[tuple[float, float]]


def curve(svg: str) -> Points:
    """Read where the markers of the first curve are."""
    axes = next(group for group in ElementTree.fromstring(svg).iter(f"{SVG}g") if group.get("id") == "axes_1")
    line = next(group for group in axes.findall(f"{SVG}g") if (group.get("id") or "").startswith("line2d"))
    return [(float(use.attrib["x"]), float(use.attrib["y"])) for use in line.iter(f"{SVG}use")]


def frame(svg: str) -> tuple[float, float, float, float]:
    """Read where the axes are: left, top, right, bottom."""
    axes = next(group for group in ElementTree.fromstring(svg).iter(f"{SVG}g") if group.get("id") == "patch_2")
    path = next(axes.iter(f"{SVG}path")).attrib["d"]
    corners = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)]
    across, upwards = zip(*corners, strict=True)
    return min(across), min(upwards), max(across), max(upwards)


def test_tenfold_is_as_far_everywhere() -> None:
    svg = draw("t", "x", "y", {"cost": [(1, 1), (10, 10), (100, 100)]})
    (first, second, third) = curve(svg)
    left, top, right, bottom = frame(svg)
    assert first == pytest.approx((left, bottom), abs=0.01)
    assert third == pytest.approx((right, top), abs=0.01)
    assert second == pytest.approx(((left + right) / 2, (top + bottom) / 2), abs=0.01)


@settings(max_examples=10)
@given(st.lists(st.tuples(FIGURES, FIGURES), min_size=1, max_size=5))
def test_whatever_the_figures_are_they_are_on_the_picture(points: Points) -> None:
    svg = draw("t", "x", "y", {"one": points})
    left, top, right, bottom = frame(svg)
    drawn = curve(svg)
    assert len(drawn) == len(points)
    for across, upwards in drawn:
        assert left - 1 <= across <= right + 1
        assert top - 1 <= upwards <= bottom + 1


def test_names_are_shown_as_they_are() -> None:
    svg = draw("a < b", "x & y", "µs", {"one": [(1, 2)], "two & $three": [(3, 4)]})
    shown = {text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert {"a < b", "x & y", "µs", "one", "two & $three"} <= shown


def test_powers_of_ten_are_named() -> None:
    svg = draw("t", "x", "y", {"one": [(10, 1), (100_000, 2)]})
    shown = {text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert {"10", "100", "1,000", "10,000", "100,000"} <= shown
    assert powers_around([20, 2000]) == (10, 10_000)
    assert powers_around([10]) == (10, 100)


def test_a_curve_without_points_is_named_all_the_same() -> None:
    assert "none yet" in draw("t", "x", "y", {"one": [(1, 1)], "none yet": []})


def test_nothing_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="growth: no points"):
        draw("growth", "x", "y", {"one": []})
