"""Every case of a correspondent node is proved here."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.known_ids import cases

HERE = Path(__file__).parent


def test_every_case_of_a_correspondent_is_proved() -> None:
    carried = {number for path in sorted(HERE.glob("test_*.py")) for number in carried_by(load(path))}
    listed = {number for number in cases() if number.startswith("CN-")}
    assert sorted(listed - carried) == []
    assert len(listed) == 136


def test_a_case_that_no_test_carries_is_missed() -> None:
    module = ModuleType("with_one_test")
    assert [*carried_by(module)] == []

    @pytest.mark.case("CN-001")
    @pytest.mark.parametrize("value", [pytest.param(1, marks=pytest.mark.case("CN-002")), 2])
    def test(value: int) -> None:
        raise AssertionError(value)

    module.__dict__["test_one"] = test
    assert sorted(carried_by(module)) == ["CN-001", "CN-002"]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"cases_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def carried_by(module: ModuleType) -> Iterator[str]:
    """Give the numbers that the tests of a module are marked with."""
    for name, function in vars(module).items():
        if name.startswith("test_"):
            for mark in getattr(function, "pytestmark", []):
                yield from numbers(mark)
                if mark.name == "parametrize":
                    for value in mark.args[1]:
                        for inner in getattr(value, "marks", []):
                            yield from numbers(inner)


def numbers(mark: Any) -> Iterator[str]:
    mark = getattr(mark, "mark", mark)
    if mark.name == "case":
        yield from mark.args
