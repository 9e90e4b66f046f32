"""`result.json`: written, read back, and refused by name of file and field if it is something else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.errors import ConfigError
from lab.report.model import Result, load
from tests.report.results import exercise_result, hostile_result, result

WRITTEN = {"plain": result(), "hostile": hostile_result(), "exercise": exercise_result(without=True)}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_is_read_back(tmp_path: Path, written: Result) -> None:
    (tmp_path / "result.json").write_text(written.to_json(), encoding="utf-8")
    assert load(tmp_path) == written


def test_failed_checks_are_picked() -> None:
    assert result().failed() == []
    assert len(hostile_result().failed()) == 1


@pytest.mark.parametrize(
    ("change", "holds", "outcome"),
    [
        ({}, True, "failed, as it must"),
        ({"succeeded": True}, False, "succeeded, AND MUST NOT"),
        ({"attempted": False}, False, "was not made"),
        ({"caught_by": []}, False, "failed, as it must"),  # a rule that is broken by somebody else
        ({"expected": True, "succeeded": True}, True, "succeeded, as it must"),
        ({"expected": True}, False, "failed, AND MUST NOT"),
    ],
)
def test_an_exercise_holds_by_the_outcome_of_its_attack(change: dict[str, Any], holds: bool, outcome: str) -> None:
    played = exercise_result(without=False)
    assert played.attack is not None
    attack = replace(played.attack, **change)
    assert replace(played, attack=attack).holds is holds
    assert outcome in attack.outcome


def test_without_an_attack_all_checks_must_hold() -> None:
    assert result().holds
    assert not replace(exercise_result(without=False), attack=None).holds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema: it is of version 2; this program reads 1"),
        ({"seed": "x"}, "seed: Input should be a valid integer"),
        ({"handovers": [{}]}, r"handovers\.0\.mobile_node: Field required"),
        ({"checks": [{"verdict": "maybe"}]}, r"checks\.0\."),
        ({"settings": []}, "settings: Input should be an object"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(json.loads(result().to_json()) | change), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^{path}: {said}"):
        load(tmp_path)


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"\xff\xfe", b"null"], ids=repr)
def test_another_file_is_refused(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(octets)
    with pytest.raises(ConfigError, match=f"^{path}: "):
        load(tmp_path)


def test_a_folder_without_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=f"cannot be read: No such file or directory; is {tmp_path} the folder of a run"
    ):
        load(tmp_path)
