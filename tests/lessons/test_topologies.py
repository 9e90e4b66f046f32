"""The lesson on topologies: what a student's file declares is counted; a file may be wrong in any way."""

from pathlib import Path

import pytest

from lab.cli.main import main
from lab.lessons.course import find_lesson
from lab.lessons.lesson import grade
from lab.lessons.work import open_work
from tests.docs.markdown import ROOT, document

OURS = '''"""Mine."""

from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology


class Mine(Topology):
    """Two roamers.

    cn ── core ── ha ══ home ── mn1, mn2
            └─ r1 ══ near
               └─ r2 ══ middle
                  └─ r3 ══ far
    """

    def declare(self) -> None:
        names = ("home", "near", "middle", "far", "cn-core", "core-ha", "core-r1", "r1-r2", "r2-r3")
        links = {name: self.link(name, f"2001:db8:{n}::/64") for n, name in enumerate(names, start=1)}
        self.router("core", on=[links["cn-core"], links["core-ha"], links["core-r1"]])
        self.home_agent("ha", home=links["home"], on=[links["core-ha"]])
        self.access_router("r1", serves=links["near"], on=[links["core-r1"], links["r1-r2"]])
        self.access_router("r2", serves=links["middle"], on=[links["r1-r2"], links["r2-r3"]])
        self.access_router("r3", serves=links["far"], on=[links["r2-r3"]])
        self.correspondent("cn", on=[links["cn-core"]])
        self.mobile_node("mn1", home=links["home"], home_agent="ha")
        self.mobile_node("mn2", home=links["home"], home_agent="ha")


topos = {"mine": Mine}


@scenario(Mine)
def far_away(stage: Stage) -> None:
    """The mobile node goes far away."""
    stage.move("mn1", "far")
'''
MN2 = '        self.mobile_node("mn2", home=links["home"], home_agent="ha")\n'
FAR = '        self.access_router("r3", serves=links["far"], on=[links["r2-r3"]])\n'
PLAIN = FAR.replace("access_router", "router").replace('serves=links["far"], on=[', 'on=[links["far"], ')
CN = '        self.correspondent("cn", on=[links["cn-core"]])\n'


def failing(source: str, folder: Path) -> set[str]:
    """Give the criteria that a file does not meet."""
    file, lesson = folder / "mine.py", find_lesson("own-topology")
    file.write_text(source, encoding="utf-8")
    return {one.name for one in grade(lesson, open_work(lesson, [file], {})) if not one.holds}


def test_a_whole_topology_meets_it(tmp_path: Path) -> None:
    assert failing(OURS, tmp_path) == set()


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        ("mn1, mn2\n", "mn1\n", {"drawn"}),
        (MN2, "", {"homes"}),
        (FAR, PLAIN, {"links-to-visit"}),
        (CN, CN.replace("cn-core", "home"), {"correspondent"}),
        (CN, CN.replace("correspondent", "host"), {"correspondent"}),
        ('    """The mobile node goes far away."""\n', "", {"scenario"}),
        ("@scenario(Mine)\n", "", {"scenario"}),
    ],
)
def test_what_is_missing_is_named(old: str, new: str, fails: set[str], tmp_path: Path) -> None:
    assert old in OURS
    assert failing(OURS.replace(old, new), tmp_path) - {"far"} == fails


def test_a_link_to_visit_that_is_near(tmp_path: Path) -> None:
    lines = OURS.replace(', links["r1-r2"]]', "]").replace('[links["r1-r2"], links["r2-r3"]]', '[links["core-r1"]]')
    near = lines.replace('[links["r2-r3"]]', '[links["core-r1"]]').replace(', "r1-r2", "r2-r3")', ")")
    assert failing(near, tmp_path) == {"far"}


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def",
        "raise SystemExit",
        "topos = 7",
        "topos = {'mine': int}",
        OURS.replace("2001:db8:{n}::/64", "nothing"),
        OURS.replace("def declare", "def other"),
        OURS.replace('links["home"]', 'links["none"]'),
        OURS.replace('on=[links["core-ha"]]', "on=7"),
    ],
)
def test_what_is_no_topology(source: str, tmp_path: Path) -> None:
    assert {"laid-out", "drawn", "homes", "links-to-visit", "far", "correspondent"} <= failing(source, tmp_path)


@pytest.mark.parametrize("topology", ["two_visited_links", "two_mobile_nodes", "attack_range"])
def test_those_of_the_lab_are_none_of_the_student(topology: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", "own-topology", str(ROOT / "topologies" / f"{topology}.py")]) == 1
    assert "not yet" in capsys.readouterr().out


def test_the_example_of_the_readme_is_a_beginning(tmp_path: Path) -> None:
    (block,) = (block for block in document("README.md").blocks if "@scenario" in block.text)
    assert failing(block.text, tmp_path) == {"homes", "links-to-visit", "far"}
