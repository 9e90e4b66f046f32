"""Runs side by side: found in folders, put together by what was chosen for them, written as tables."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import polars
import pytest

from lab.cli.main import main
from lab.errors import ConfigError
from lab.report.comparison import Run, Spread, compare, find, flat, varying, write_table
from lab.report.handovers import Handover
from lab.report.model import Result
from tests.report.results import exercise_result, result


def handover(interruption_ms: float, lost: int = 1, to: str = "visited1") -> Handover:
    (made,) = result().handovers
    return replace(made, interruption_ms=interruption_ms, lost=lost, to_link=to)


def run(played: Result, directory: Path = Path("results")) -> Run:
    return Run(directory=directory, result=played)


def written(directory: Path, played: Result) -> Path:
    directory.mkdir(parents=True)
    (directory / "result.json").write_text(played.to_json(), encoding="utf-8")
    return directory


def test_runs_of_the_same_conditions_are_one_line_for_each_move() -> None:
    moves = [[handover(14), handover(20, to="home")], [handover(13), handover(30, to="home")], [handover(18)]]
    (first, second) = compare([run(replace(result(), handovers=each, seed=seed)) for seed, each in enumerate(moves)])
    assert (first.move, second.move) == ("1. home → visited1", "2. home → home")
    assert first.interruption_ms == Spread(median=14, least=13, most=18, count=3)
    assert second.interruption_ms == Spread(median=25, least=20, most=30, count=2)
    assert first.conditions == {}
    assert (first.runs, first.held) == (3, 3)
    assert first.parts["router"] == 1.5


def test_what_differs_tells_lines_apart_and_nothing_else_is_told() -> None:
    user, bpf = result(), replace(result(), plane="bpf", ok=False, settings={"dad": "optimistic", "ra_interval": "3.0"})
    lines = compare([run(user), run(bpf), run(user)])
    assert varying([run(user), run(bpf)]) == ["plane", "ra_interval"]
    assert [(line.conditions, line.runs, line.held) for line in lines] == [
        ({"plane": "user", "ra_interval": ""}, 2, 2),
        ({"plane": "bpf", "ra_interval": "3.0"}, 1, 0),
    ]


def test_protections_that_are_off_are_a_condition() -> None:
    assert varying([run(exercise_result(without=each)) for each in (False, True)]) == ["without"]


def test_a_run_without_a_move_is_a_line_as_well() -> None:
    (line,) = compare([run(replace(result(), handovers=[]))])
    assert (line.move, line.interruption_ms, line.lost, line.parts) == ("", None, None, {})


def test_runs_are_found_below_folders_each_once(tmp_path: Path) -> None:
    one, two = written(tmp_path / "all" / "one", result()), written(tmp_path / "all" / "two", result())
    found = find([tmp_path / "all", two])
    assert [each.directory.resolve() for each in found] == [one.resolve(), two.resolve()]
    with pytest.raises(ConfigError, match=r"no result\.json there or below"):
        find([tmp_path / "none"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_have_each_move_of_each_run(tmp_path: Path, ending: str) -> None:
    runs = [run(replace(result(), handovers=[handover(14.5), handover(20)])), run(replace(result(), handovers=[]))]
    path = tmp_path / f"moves.{ending}"
    write_table(runs, path)
    read = polars.read_csv(path) if ending == "csv" else polars.read_parquet(path)
    assert read["interruption_ms"].to_list() == [14.5, 20.0, None]
    assert read["move"].to_list() == [1, 2, None]
    assert read["router_ms"].to_list() == [1.5, 1.5, None]
    assert read["dad"].to_list() == ["optimistic"] * 3
    assert [record["ok"] for record in flat(runs)] == read["ok"].to_list()


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"moves\.xlsx: \.xlsx: a table is written as \.csv or as \.parquet"):
        write_table([run(result())], tmp_path / "moves.xlsx")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path / "good", replace(result(), handovers=[handover(14)]))
    assert main(["compare", str(good), "--table", str(tmp_path / "moves.csv")]) == 0
    assert "1. home → visited1" in capsys.readouterr().out
    with (tmp_path / "moves.csv").open(encoding="utf-8") as table:
        (row,) = csv.DictReader(table)
    assert (row["from"], row["to"], row["interruption_ms"]) == ("home", "visited1", "14.0")
    bad = written(tmp_path / "bad", replace(result(), plane="bpf", ok=False, error="no way"))
    assert main(["compare", str(good), str(bad)]) == 1
    assert f"{bad}: no way" in capsys.readouterr().out
    assert main(["compare", str(good), "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["move"], line["interruption_ms"]["median"]) == ("1. home → visited1", 14.0)
