"""Every case of the checklists is carried by a test."""

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.known_ids import cases

TESTS = Path(__file__).parents[1]
TOGETHER = {"CN": 136, "HA": 222, "MN": 198}


@pytest.mark.parametrize("role", TOGETHER)
def test_every_case_is_carried(role: str) -> None:
    listed = {number for number in cases() if number.startswith(role)}
    assert len(listed) == TOGETHER[role]
    assert sorted(listed - carried()) == []


@cache
def carried() -> frozenset[str]:
    """Give the numbers that any test is marked with."""
    names = [".".join(path.relative_to(TESTS.parent).with_suffix("").parts) for path in TESTS.glob("*/test_*.py")]
    return frozenset(number for name in sorted(names) for number in carried_by(importlib.import_module(name)))


def test_a_case_that_no_test_carries_is_missed() -> None:
    module = ModuleType("with_one_test")
    assert [*carried_by(module)] == []

    @pytest.mark.case("CN-001")
    @pytest.mark.parametrize("value", [pytest.param(1, marks=pytest.mark.case("CN-002")), 2])
    def test(value: int) -> None:
        raise AssertionError(value)

    module.__dict__["test_one"] = test
    assert sorted(carried_by(module)) == ["CN-001", "CN-002"]


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
