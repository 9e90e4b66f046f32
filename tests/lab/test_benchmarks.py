"""Every benchmark runs to its end and gives figures of both sides; how fast they are is not asserted."""

import json
from pathlib import Path

import pytest

from lab.bench.measure import Spread
from lab.cli.bench import known
from lab.cli.main import main


@pytest.mark.privileged
@pytest.mark.parametrize("name", known())
def test_a_benchmark_gives_figures(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert main(["bench", name, "--quick", "--json", str(file)]) == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert (found["quick"], [benchmark["name"] for benchmark in found["benchmarks"]]) == (True, [name])
    rows = found["benchmarks"][0]["rows"]
    assert rows
    table = capsys.readouterr().out
    for row in rows:
        assert f"| {name} | {row['what']} | {row['baseline']} |" in table
        assert ordered(row["theirs"])
        assert ordered(row["ours"])
        assert row["ratio"] > 0


def ordered(spread: Spread) -> bool:
    return 0 < spread["min"] <= spread["median"] <= spread["p90"] <= spread["max"] and spread["count"] > 0
