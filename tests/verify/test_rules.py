"""Every rule can pass and can fail: of each there is a capture, doctored, in which it alone fails."""

from pathlib import Path

import pytest

from lab.verify import RULES, Check, Verdict, verify
from tests.known_ids import unknown
from tests.verify import (
    doctor_correspondent_registration,
    doctor_direct_path,
    doctor_discovery,
    doctor_home_link,
    doctor_mobility_header,
    doctor_movement_and_tunnels,
    doctor_prefix_discovery,
    doctor_registration,
    doctor_return_routability,
)
from tests.verify.doctor import DOCTORINGS, Doctoring
from tests.verify.story import Story

FILES_OF_DOCTORINGS = (
    doctor_correspondent_registration,
    doctor_direct_path,
    doctor_discovery,
    doctor_home_link,
    doctor_mobility_header,
    doctor_movement_and_tunnels,
    doctor_prefix_discovery,
    doctor_registration,
    doctor_return_routability,
)
"""What they enter into the table counts."""


def of(checks: list[Check], verdict: Verdict) -> set[str]:
    return {check.id for check in checks if check.verdict is verdict}


def test_every_rule_passes_on_the_good_story(good: Story, tmp_path: Path) -> None:
    checks = verify(good.write(tmp_path))
    assert [(check.id, check.detail) for check in checks if check.verdict is not Verdict.PASSED] == []
    assert len(checks) == len(RULES) == len({check.id for check in checks})


def test_every_rule_has_a_doctoring() -> None:
    assert {doctoring.rule for doctoring in DOCTORINGS} == {rule.id for rule in RULES}


def test_every_rule_names_requirements_that_exist() -> None:
    assert {rule.id: unknown("rfc6275", rule.requirements) for rule in RULES} == {rule.id: [] for rule in RULES}
    assert [rule.id for rule in RULES if not rule.requirements] == []


@pytest.mark.parametrize("doctoring", DOCTORINGS, ids=str)
def test_it_alone_fails_on_the_doctored_story(doctoring: Doctoring, good: Story, tmp_path: Path) -> None:
    story = good.copy()
    guilty = doctoring.spoil(story)
    checks = verify(story.write(tmp_path))
    assert of(checks, Verdict.FAILED) == {doctoring.rule} | doctoring.also
    assert of(checks, Verdict.NOT_APPLICABLE) == set()
    (check,) = (check for check in checks if check.id == doctoring.rule)
    assert story.places(guilty) & {(evidence.capture, evidence.frame) for evidence in check.evidence}
    assert all(evidence.note for evidence in check.evidence)
    assert check.evidence[0].note in check.detail
