"""Benchmarks take turns, count right and say what they ran on."""

import json

import pytest

from lab.bench import codec
from lab.bench.measure import Side, Unit, histogram, interleave, machine, row


def test_sides_take_turns() -> None:
    calls: list[str] = []
    baseline = Side(name="theirs", work=lambda: calls.append("theirs"), calls=2)
    ours = Side(name="ours", work=lambda: calls.append("ours"))
    found = interleave("call", baseline, ours, rounds=3)
    assert calls == ["theirs", "theirs", "ours"] * 3
    assert (found["what"], found["baseline"]) == ("call", "theirs")


def test_ratio_is_the_median_over_the_rounds() -> None:
    found = row("call", "theirs", [10.0, 20.0, 90.0], [1.0, 4.0, 3.0])
    assert found["theirs"] == {"median": 20.0, "min": 10.0, "p90": 76.0, "max": 90.0, "count": 3}
    assert found["ours"] == {"median": 3.0, "min": 1.0, "p90": pytest.approx(3.8), "max": 4.0, "count": 3}
    assert found["ratio"] == 10.0


@pytest.mark.parametrize(("unit", "ratio"), [(Unit.MICROSECONDS, 0.5), (Unit.OCTETS, 0.5), (Unit.PER_SECOND, 2.0)])
def test_ratio_is_how_many_times_better_ours_is(unit: Unit, ratio: float) -> None:
    found = row("call", "theirs", [10.0], [20.0], unit)
    assert (found["ratio"], found["unit"], found["ours"]["p90"]) == (ratio, unit, 20.0)


def test_a_histogram_counts_in_classes_and_shows_empty_ones_between() -> None:
    assert histogram([13.0, 13.9, 16.0], 1.0) == [
        {"at_least": 13.0, "count": 2},
        {"at_least": 14.0, "count": 0},
        {"at_least": 15.0, "count": 0},
        {"at_least": 16.0, "count": 1},
    ]


def test_machine_is_described() -> None:
    described = machine()
    assert all(described.values())
    assert described["cores"] >= 1


def test_codec_is_measured_on_both_sides() -> None:
    found = codec.measure(quick=True)
    assert json.loads(json.dumps(found)) == found
    assert [row["what"] for row in found["rows"]] == ["build a Binding Update", "parse a Binding Update"]
    assert all(row["ours"]["min"] <= row["ours"]["median"] <= row["ours"]["max"] for row in found["rows"])
