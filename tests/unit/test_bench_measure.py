"""Benchmarks take turns, count right and say what they ran on."""

import json

from lab.bench import codec
from lab.bench.measure import Side, interleave, machine, row


def test_sides_take_turns() -> None:
    calls: list[str] = []
    baseline = Side(name="theirs", work=lambda: calls.append("theirs"), calls=2)
    ours = Side(name="ours", work=lambda: calls.append("ours"))
    found = interleave("call", baseline, ours, rounds=3)
    assert calls == ["theirs", "theirs", "ours"] * 3
    assert (found["what"], found["baseline"]) == ("call", "theirs")


def test_ratio_is_the_median_over_the_rounds() -> None:
    found = row("call", "theirs", [10.0, 20.0, 90.0], [1.0, 4.0, 3.0])
    assert found["baseline_us"] == {"median": 20.0, "min": 10.0, "max": 90.0}
    assert found["ours_us"] == {"median": 3.0, "min": 1.0, "max": 4.0}
    assert found["ratio"] == 10.0


def test_machine_is_described() -> None:
    described = machine()
    assert all(described.values())
    assert described["cores"] >= 1


def test_codec_is_measured_on_both_sides() -> None:
    found = codec.measure(quick=True)
    assert json.loads(json.dumps(found)) == found
    assert [row["what"] for row in found["rows"]] == ["build a Binding Update", "parse a Binding Update"]
    assert all(row["ours_us"]["min"] <= row["ours_us"]["median"] <= row["ours_us"]["max"] for row in found["rows"])
