"""Every rule can pass and can fail: of each there is a capture, doctored, in which it alone fails."""

from pathlib import Path

import pytest

from lab.verify import RULES, Check, Verdict, verify
from tests.known_ids import unknown
from tests.verify import (
    doctor_correspondent_registration,
    doctor_dhcpv6,
    doctor_direct_path,
    doctor_discovery,
    doctor_home_link,
    doctor_mobility_header,
    doctor_movement_and_tunnels,
    doctor_multicast,
    doctor_prefix_discovery,
    doctor_protection,
    doctor_registration,
    doctor_return_routability,
)
from tests.verify import protected as esp
from tests.verify.doctor import DOCTORINGS, Doctoring
from tests.verify.protected import protected
from tests.verify.story import Story

FILES_OF_DOCTORINGS = (
    doctor_correspondent_registration,
    doctor_dhcpv6,
    doctor_direct_path,
    doctor_discovery,
    doctor_home_link,
    doctor_mobility_header,
    doctor_movement_and_tunnels,
    doctor_protection,
    doctor_multicast,
    doctor_prefix_discovery,
    doctor_registration,
    doctor_return_routability,
)
"""What they enter into the table counts."""


IN_ESP = [
    *{each.rule: each for each in reversed(DOCTORINGS) if not each.protected}.values(),
    *(each for each in DOCTORINGS if each.protected),
]
"""The first of each rule, and what only a story with ESP can show."""
ALSO_IN_ESP = {
    # Without its routing header it seems to be for another home address, in an association that is not that one's.
    "ba-routing-routing_header_missing": {"esp-home-address"},
    "prefix-advertisement-without_routing_header": {"esp-home-address"},
    # So it is without its Home Address option.
    "prefix-solicitation-asked_without_home_address": {"esp-home-address"},
}


def of(checks: list[Check], verdict: Verdict) -> set[str]:
    return {check.id for check in checks if check.verdict is verdict}


def assert_evident(checks: list[Check], rule: str, places: set[tuple[str, int]]) -> None:
    (check,) = (check for check in checks if check.id == rule)
    assert places & {(evidence.capture, evidence.frame) for evidence in check.evidence}
    assert all(evidence.note for evidence in check.evidence)
    assert check.evidence[0].note in check.detail


def test_every_rule_passes_on_the_good_story(good: Story, tmp_path: Path) -> None:
    checks = verify(protected(good).write(tmp_path))
    assert [(check.id, check.detail) for check in checks if check.verdict is not Verdict.PASSED] == []
    assert len(checks) == len(RULES) == len({check.id for check in checks})


def test_without_esp_every_other_rule_passes(good: Story, tmp_path: Path) -> None:
    checks = verify(good.write(tmp_path))
    assert of(checks, Verdict.NOT_APPLICABLE) == set(esp.RULES)
    assert of(checks, Verdict.FAILED) == set()


def test_every_rule_has_a_doctoring() -> None:
    assert {doctoring.rule for doctoring in DOCTORINGS} == {rule.id for rule in RULES}


def test_every_rule_names_requirements_that_exist() -> None:
    assert {rule.id: unknown("rfc6275", rule.requirements) for rule in RULES} == {rule.id: [] for rule in RULES}
    assert [rule.id for rule in RULES if not rule.requirements] == []


@pytest.mark.parametrize("doctoring", [each for each in DOCTORINGS if not each.protected], ids=str)
def test_it_alone_fails_on_the_doctored_story(doctoring: Doctoring, good: Story, tmp_path: Path) -> None:
    story = good.copy()
    guilty = doctoring.spoil(story)
    checks = verify(story.write(tmp_path))
    assert of(checks, Verdict.FAILED) == {doctoring.rule} | doctoring.also
    assert of(checks, Verdict.NOT_APPLICABLE) == set(esp.RULES)
    assert_evident(checks, doctoring.rule, story.places(guilty))


@pytest.mark.parametrize("doctoring", IN_ESP, ids=str)
def test_it_fails_in_esp_as_well(doctoring: Doctoring, good: Story, tmp_path: Path) -> None:
    story = protected(good) if doctoring.protected else good.copy()
    guilty = doctoring.spoil(story)
    story = story if doctoring.protected else protected(story)
    checks = verify(story.write(tmp_path))
    expected = {doctoring.rule} | doctoring.also | ALSO_IN_ESP.get(str(doctoring), set())
    assert of(checks, Verdict.FAILED) == expected
    assert of(checks, Verdict.NOT_APPLICABLE) == set()
    assert_evident(checks, doctoring.rule, story.places(guilty))
