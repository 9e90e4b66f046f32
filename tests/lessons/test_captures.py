"""Lessons on captures: a good story meets each, and what it is about must be in it."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from scapy.layers import inet6

from lab.cli.main import main
from lab.lessons.course import COURSE, find_lesson
from lab.lessons.lesson import Kind, grade
from lab.lessons.work import open_work
from lab.verify import CaptureError
from tests.verify import handover
from tests.verify.correspondence import add_correspondence
from tests.verify.handover import good_story
from tests.verify.protected import protected
from tests.verify.story import Story

Doctor = Callable[[Story], object]


def failing(lesson: str, story: Story, folder: Path, **answers: float) -> set[str]:
    """Give the criteria of a lesson that a story does not meet."""
    found = find_lesson(lesson)
    return {one.name for one in grade(found, open_work(found, story.write(folder), answers)) if not one.holds}


@cache
def _good(*, direct: bool) -> Story:
    story = good_story()
    if direct:
        add_correspondence(story)
    return story


@cache
def _sealed() -> Story:
    return protected(_good(direct=False))


def by_tunnel() -> Story:
    """Tell of tunnels alone."""
    return _good(direct=False).copy()


def straight() -> Story:
    """Tell of direct paths as well."""
    return _good(direct=True).copy()


def sealed() -> Story:
    """Tell of registrations in ESP, and of the keys."""
    return _sealed().copy()


def without_keys(story: Story) -> None:
    story.table = []


def one_without_esp(story: Story) -> None:
    story.replace("bu-6", handover.deregistration(3))


def never_renewed(story: Story) -> None:
    story.keep(lambda sent: sent.time < 2.8)


def never_away(story: Story) -> None:
    story.keep(lambda sent: sent.time < 0.9)


def until_the_second_move(story: Story) -> None:
    story.keep(lambda sent: sent.time < 6.0)


def until_home(story: Story) -> None:
    story.keep(lambda sent: sent.time < 11.0)


def without_tests(story: Story) -> None:
    story.drop(*[name for name in story.sent if name.startswith(("hot-", "coti-", "cot-"))])


def without_announcements(story: Story) -> None:
    story.drop("home-announced-1", "home-announced-2", "mobile-answers")


def tunnelled_on(story: Story) -> None:
    packet = handover.data(handover.CORRESPONDENT, handover.HOME_ADDRESS, 80)
    outer = handover.tunnelled(handover.HOME_AGENT, handover.CARE_OF_2, packet)
    story.add("tunnelled-on", 11.9, outer, *handover.TO_VISITED2)


def left_behind(story: Story) -> None:
    packet = handover.data(handover.CORRESPONDENT, handover.HOME_ADDRESS, 81)
    outer = handover.tunnelled(handover.HOME_AGENT, handover.CARE_OF_1, packet)
    story.add("left-behind", 9.6, outer, *handover.TO_VISITED1)


def refused(story: Story) -> None:
    for name in [name for name, sent in story.sent.items() if inet6.MIP6MH_BA in sent.packet]:
        story.alter(name, inet6.MIP6MH_BA, status=129)


@pytest.mark.parametrize(
    ("lesson", "story", "answers"),
    [
        ("home-address", by_tunnel, {}),
        ("home-address", straight, {}),
        ("tunnel", by_tunnel, {"overhead": 40}),
        ("registration", sealed, {}),
        ("handover", straight, {}),
        ("route-optimisation", straight, {}),
        ("returning-home", by_tunnel, {}),
        ("returning-home", straight, {}),
    ],
)
def test_a_good_story_meets_the_lesson(
    lesson: str, story: Callable[[], Story], answers: dict[str, float], tmp_path: Path
) -> None:
    assert failing(lesson, story(), tmp_path, **answers) == set()


@pytest.mark.parametrize(
    ("lesson", "story", "doctor", "fails"),
    [
        ("home-address", by_tunnel, until_the_second_move, {"changes-its-care-of-address"}),
        ("home-address", by_tunnel, refused, {"goes-away", "keeps-its-address", "is-reached"}),
        ("tunnel", straight, until_home, {"no-shortcut"}),
        ("registration", straight, until_home, {"sealed"}),
        ("registration", sealed, without_keys, {"asks", "sealed", "tested-first", "accepted", "renewed"}),
        ("registration", sealed, one_without_esp, {"sealed"}),
        ("registration", sealed, never_renewed, {"renewed"}),
        ("registration", by_tunnel, refused, {"tested-first", "accepted", "renewed"}),
        ("handover", straight, until_the_second_move, {"moved", "tunnel-follows", "nothing-left-behind"}),
        ("handover", straight, left_behind, {"nothing-left-behind", "rules-hold"}),
        ("route-optimisation", by_tunnel, until_home, {"home-test", "care-of-test", "registered", "straight"}),
        ("route-optimisation", straight, without_tests, {"home-test", "care-of-test", "registered"}),
        ("returning-home", by_tunnel, until_home, {"asks-at-home", "ended", "tunnel-ended", "reached-plainly"}),
        ("returning-home", by_tunnel, tunnelled_on, {"tunnel-ended"}),
        ("returning-home", by_tunnel, without_announcements, {"claims-its-address"}),
    ],
)
def test_what_is_missing_is_named(
    lesson: str, story: Callable[[], Story], doctor: Doctor, fails: set[str], tmp_path: Path
) -> None:
    told = story()
    doctor(told)
    found = failing(lesson, told, tmp_path, overhead=40)
    assert fails <= found
    if len(fails) == 1:
        assert found == fails


@pytest.mark.parametrize("lesson", [lesson.name for lesson in COURSE if lesson.kind is Kind.CAPTURES])
def test_who_never_leaves_meets_no_lesson(lesson: str, tmp_path: Path) -> None:
    story = straight()
    never_away(story)
    assert len(failing(lesson, story, tmp_path)) >= 3


@pytest.mark.parametrize("answers", [{}, {"overhead": 48.0}, {"overhead": 40.5}])
def test_a_figure_has_to_be_told_and_right(answers: dict[str, float], tmp_path: Path) -> None:
    assert failing("tunnel", by_tunnel(), tmp_path, **answers) == {"overhead"}


def test_captures_of_some_links_are_not_all(tmp_path: Path) -> None:
    (home,) = (path for path in straight().write(tmp_path) if path.stem == "home")
    lesson = find_lesson("route-optimisation")
    grades = grade(lesson, open_work(lesson, [home], {}))
    assert not any(one.holds for one in grades if one.name in ("home-test", "care-of-test", "straight"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_tunnel().write(tmp_path)
    assert main(["grade", "tunnel", str(tmp_path), "--answer", "overhead=40"]) == 0
    assert "passed: 5 of 5 checks hold" in capsys.readouterr().out
    assert main(["grade", "lesson/tunnel", str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["lesson"], told["ok"]) == ("tunnel", False)
    assert [one["name"] for one in told["checks"] if not one["holds"]] == ["overhead"]
    assert main(["grade", "tunnel", str(tmp_path)]) == 1
    assert "look at the same packet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["none", "."], "no lesson none; known: home-address, tunnel"),
        (["tunnel", ".", "--answer", "colour=1"], "does not ask for colour; it asks for overhead: by how many"),
        (["tunnel", ".", "--answer", "overhead=much"], "a number is wanted, as in overhead=12.5"),
        (["tunnel", ".", "--answer", "overhead=nan"], "a number is wanted"),
        (["measuring", "a.py"], "the lesson measuring asks for the folder of a run"),
        (["own-topology", "."], "the lesson own-topology asks for a file of Python"),
        (["own-topology", "none.py"], "none.py: there is no such file"),
        (["measuring", "."], "is . the folder of a run?"),
    ],
)
def test_what_cannot_be_graded(
    words: list[str], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["grade", *words]) == 2
    assert fault in capsys.readouterr().err


def test_what_is_no_capture(tmp_path: Path) -> None:
    file = tmp_path / "broken.pcapng"
    file.write_bytes(b"nothing")
    with pytest.raises(CaptureError, match="not a capture"):
        open_work(find_lesson("tunnel"), [file], {})
