"""Sweeps: all combinations, in turns, resumed where they were interrupted."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.cli.main import main
from lab.emulation.kernels import Choice, KernelName
from lab.emulation.scenario import find_scenarios
from lab.emulation.settings import Settings
from lab.emulation.sweep import PLAN, Point, Sweep, is_played, play, points, read_values, resume
from lab.errors import ConfigError
from lab.report.comparison import Line, Run, compare
from lab.report.model import Result, load
from tests.report.results import result

SWEEP = Sweep(scenario="handover", values={"outage": ["0.01", "0.1"], "ro": ["on", "off"]}, repeat=3, seed=7)


class Player:
    """Plays nothing, and leaves a result that depends on settings and seed; is interrupted before the run `until`."""

    def __init__(self, until: int | None = None) -> None:
        self.played: list[str] = []
        self._until = until

    def __call__(self, point: Point) -> Result:
        if len(self.played) == self._until:
            raise KeyboardInterrupt
        self.played.append(str(point))
        (move,) = result().handovers
        cost = point.settings.outage * 1000 + point.seed
        settings = {"outage": str(point.settings.outage), "ro": str(point.settings.ro)}
        made = replace(
            result(), seed=point.seed, settings=settings, handovers=[replace(move, interruption_ms=cost)], ok=True
        )
        point.directory.mkdir(parents=True, exist_ok=True)
        (point.directory / "result.json").write_text(made.to_json(), encoding="utf-8")
        return made


def table(planned: list[Point]) -> list[Line]:
    return compare([Run(directory=point.directory, result=load(point.directory)) for point in planned])


def test_all_combinations_are_played_before_any_is_played_again(tmp_path: Path) -> None:
    planned = points(SWEEP, Settings(), tmp_path)
    assert [(point.time, *point.assignments) for point in planned[:5]] == [
        (1, "outage=0.01", "ro=on"),
        (1, "outage=0.01", "ro=off"),
        (1, "outage=0.1", "ro=on"),
        (1, "outage=0.1", "ro=off"),
        (2, "outage=0.01", "ro=on"),
    ]
    assert len({point.directory for point in planned}) == len(planned) == 12
    assert {point.seed for point in planned} == {7, 8, 9}
    assert planned[1].settings == Settings(outage=0.01, ro=False)


@pytest.mark.parametrize("until", [0, 1, 5, 11])
def test_an_interrupted_sweep_that_goes_on_gives_the_same_table(tmp_path: Path, until: int) -> None:
    whole, parts = points(SWEEP, Settings(), tmp_path / "whole"), points(SWEEP, Settings(), tmp_path / "parts")
    play(whole, Player(), lambda _: None)
    resume(SWEEP, tmp_path / "parts")
    first, second = Player(until), Player()
    with pytest.raises(KeyboardInterrupt):
        play(parts, first, lambda _: None)
    resume(SWEEP, tmp_path / "parts")
    play(parts, second, lambda _: None)
    assert first.played + second.played == [str(point) for point in parts]
    assert table(whole) == table(parts)
    assert len(table(whole)) == 4


def test_half_a_result_is_none(tmp_path: Path) -> None:
    (point, *_) = points(SWEEP, Settings(), tmp_path)
    assert not is_played(point)
    Player()(point)
    assert is_played(point)
    text = (point.directory / "result.json").read_text(encoding="utf-8")
    (point.directory / "result.json").write_text(text[: len(text) // 2], encoding="utf-8")
    assert not is_played(point)


def test_a_folder_is_for_one_sweep_which_may_be_repeated_more_often(tmp_path: Path) -> None:
    resume(SWEEP, tmp_path)
    resume(replace(SWEEP, repeat=5), tmp_path)
    with pytest.raises(ConfigError, match="has another sweep, with seed 7; give another folder by --out"):
        resume(replace(SWEEP, seed=1), tmp_path)
    (tmp_path / PLAN).write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigError, match="not what a sweep writes"):
        resume(SWEEP, tmp_path)


def test_progress_tells_what_is_left(tmp_path: Path) -> None:
    times, told = iter([0.0, 100.0, 200.0, 300.0]), list[str]()
    planned = points(replace(SWEEP, values={"outage": ["0.01"]}), Settings(), tmp_path)
    play(planned, Player(), told.append, lambda: next(times))
    assert told == [
        "1 of 3: outage=0.01, time 1 holds; about 3 min left",
        "2 of 3: outage=0.01, time 2 holds; about 2 min left",
        "3 of 3: outage=0.01, time 3 holds",
    ]
    play(planned, Player(until=0), told.append)
    assert told[3:] == ["3 of 3 are played already"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["outage"], "write it as key=value or key=value,value,…"),
        (["outage="], "write it as"),
        (["outage=1,,2"], "write it as"),
        (["outage=1", "outage=2"], "outage is there twice"),
        (["outage=1,1"], "a value is there twice"),
    ],
)
def test_values_that_are_none(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_values(words)


def test_values() -> None:
    assert read_values(["outage=0.01, 0.1", "ro=on"]) == {"outage": ["0.01", "0.1"], "ro": ["on"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["handover", "--set", "outage=0.01,x"], "--set outage=x: not a value for outage"),
        (["handover", "--set", "colour=red"], "unknown key 'colour'"),
        (["no-such", "--set", "ro=on"], "no-such"),
        (["handover", "--repeat", "0"], "no number of times"),
    ],
)
def test_the_command_refuses_before_it_plays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    try:
        status = main(["sweep", *words, "--out", str(tmp_path / "sweep")])
    except SystemExit as refused:
        status = int(refused.code or 0)
    assert status == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


def test_the_command_goes_on_after_an_interruption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    player = Player(until=3)

    def instead(_: object, **told: Any) -> Result:
        point = next(each for each in planned if each.directory == told["directory"])
        assert (told["seed"], told["settings"]) == (point.seed, point.settings)
        return player(point)

    directory = tmp_path / "sweep"
    planned = points(replace(SWEEP, seed=1), find_scenarios("handover")[0].settings, directory)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("lab.cli.sweep.run_experiment", instead)
    monkeypatch.setattr(
        "lab.cli.sweep.choose_kernel", lambda *_, **__: Choice(name=KernelName.HOST, reason="nothing is played")
    )
    command = ["sweep", "handover", "--set", "outage=0.01,0.1", "--set", "ro=on,off", "--out", str(directory)]
    assert main(command) == 130
    assert "what was played is kept; the same command goes on" in capsys.readouterr().out
    player = Player()
    assert main(command) == 0
    assert "3 of 12 are played already" in (out := capsys.readouterr().out)
    assert "12.0" in out  # 10 ms and the seeds 1 to 3
    assert out.count("1. home → visited1") == 4
    assert (directory / "moves.csv").read_text(encoding="utf-8").count("\n") == 13
    assert (directory / "moves.parquet").is_file()
