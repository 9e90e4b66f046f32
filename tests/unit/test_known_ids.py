"""Whatever claims to prove a requirement names one that exists."""

import pytest

from lab.verify import RULES
from lab.verify.rules import Rule
from tests.known_ids import cases, requirements, unknown

pytest_plugins = ["pytester"]


def test_lists_are_whole() -> None:
    assert len(requirements()) == 145
    assert [sum(case.startswith(role) for case in cases()) for role in ("CN-", "HA-", "MN-")] == [136, 222, 198]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rules_name_known_requirements(rule: Rule) -> None:
    assert rule.requirements
    assert unknown("rfc6275", rule.requirements) == []


@pytest.mark.parametrize(
    ("marker", "known", "wrong"), [("rfc6275", "10.3.1-c", "10.3.1-z"), ("case", "HA-016", "HA-999")]
)
def test_a_marker_with_an_unknown_identifier_stops_the_tests(
    pytester: pytest.Pytester, marker: str, known: str, wrong: str
) -> None:
    pytester.makeconftest("from tests.conftest import pytest_collection_modifyitems")
    test = "import pytest\n@pytest.mark.{marker}('{id}')\ndef test() -> None:\n    pass\n"
    pytester.makepyfile(test.format(marker=marker, id=known))
    assert pytester.runpytest().ret == pytest.ExitCode.OK
    pytester.makepyfile(test.format(marker=marker, id=wrong))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{marker}: no such identifier in docs/: *{wrong}*"])
