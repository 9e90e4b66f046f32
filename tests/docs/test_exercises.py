"""`docs/exercises.md`, and the page of each exercise, say what the code says."""

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.utils import RawPcapWriter

from lab.cli.main import main
from lab.cli.sheets import facts_of
from lab.emulation.exercise import PREFIX, SHOWN, Exercise
from lab.emulation.scenario import library
from lab.errors import ConfigError
from lab.lessons.course import COURSE
from lab.report.sheets import ANSWERS, PLAY, QUESTIONS, Audience, as_html, page_of, read_page, sheet
from lab.safeguards import Safeguard
from tests.docs.markdown import ROOT, Document, code, document, name
from topologies.attack_range import AttackRange

DOCUMENT = document("docs/exercises.md")
EXERCISES = {it.name.removeprefix(PREFIX): it for it in library().scenarios.values() if isinstance(it, Exercise)}
EVERY = pytest.mark.parametrize("exercise", EXERCISES)


def test_every_exercise_has_its_row() -> None:
    rows = DOCUMENT.table("exercise", "§", "withstood by", "the attack").rows
    documented = {code(link)[0]: (section, "".join(code(by)), told) for link, section, by, told in rows}
    assert documented == {name: (it.section, it.withstood_by or "", it.summary) for name, it in EXERCISES.items()}
    assert len(rows) == len(documented)
    assert all(f"(exercises/{code(link)[0]}.md)" in link for link, *_ in rows)


def test_every_protection_has_its_row_and_an_exercise() -> None:
    rows = DOCUMENT.table("protection", "what it does").rows
    assert [(name(safeguard), told) for safeguard, told in rows] == [(it, it.sentence) for it in Safeguard]


def test_the_drawing_is_that_of_the_topology() -> None:
    drawing = inspect.cleandoc(AttackRange.__doc__ or "").partition("\n\n")[2]
    assert DOCUMENT.block("text", "The attack range").strip("\n") == drawing.strip("\n")


def test_the_example_is_an_exercise(tmp_path: Path) -> None:
    file = tmp_path / "guest.py"
    file.write_text(DOCUMENT.block("python", "An exercise of your own"), encoding="utf-8")
    found = library(file)
    assert found.broken == {}
    assert [*found.scenarios] == ["exercise/taken-by-the-guest"]
    assert "exercise/taken-by-the-guest" in DOCUMENT.prose


def test_so_much_is_evidence() -> None:
    assert SHOWN == 4
    assert document("docs/results.md").prose.count("up to four") == 2


def test_every_page_is_of_an_exercise() -> None:
    assert {path.stem for path in (ROOT / "docs" / "exercises").glob("*.md")} == {*EXERCISES}


@EVERY
def test_a_page(exercise: str) -> None:
    """It is played as it says, names its section, and answers three questions."""
    page, it = page_of(exercise), EXERCISES[exercise]
    told = [*Document(ROOT / "docs" / "exercises" / f"{exercise}.md").commands()]
    without = [] if it.withstood_by is None else [["run", it.name, "--without", it.withstood_by]]
    assert told[: 1 + len(without)] == [["run", it.name], *without]
    assert [command for command in told if command[0] == "run" and command[1] != it.name] == []
    assert f"§{it.section}" in page.story
    assert [numbers(page.parts[heading]) for heading in (QUESTIONS, ANSWERS)] == [[1, 2, 3], [1, 2, 3]]
    if it.withstood_by is None:
        assert "no protection" in page.story


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"^(\d)\. ", text, re.MULTILINE)]


@EVERY
def test_sheets(exercise: str) -> None:
    """A student's has no answers; both have the network, and are read as HTML."""
    page, facts = page_of(exercise), facts_of(EXERCISES[exercise])
    teacher, student = (sheet(page, facts, audience) for audience in (Audience.TEACHER, Audience.STUDENT))
    first = page.parts[ANSWERS].splitlines()[0]
    assert (first in teacher, first in student) == (True, False)
    assert "What comes out" not in student
    for text in (teacher, student):
        assert facts.network in text
        html = as_html(text, page.title)
        assert "<h2>Questions</h2>" in html
        assert html.count("<li>") >= 3
        assert "```" not in html


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sheets", "--for", "student", "--out", str(tmp_path)]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    names = [*EXERCISES, *(lesson.name for lesson in COURSE)]
    assert written == {f"{name}.student.{ending}" for name in names for ending in ("md", "html")}
    assert len(capsys.readouterr().out.splitlines()) == len(written)
    assert main(["sheets", "exercise/none", "--out", str(tmp_path)]) == 2
    assert "no exercise/none; known: exercise/" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("no title", "begins with its title"),
        ("# Title\n\n## Play it\n", "begins with its title and the story"),
        ("# Title\n\nstory\n\n## Play it\n", "its headings are Play it; wanted: Play it, What to look for"),
    ],
)
def test_what_is_no_page(text: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=f"page.md: .*{re.escape(fault)}"):
        read_page(text, "page.md")


def test_headings_in_code_are_none() -> None:
    text = "# Title\n\nstory\n\n## Play it\n\n```sh\n# nothing\n## neither\n```\n\n"
    page = read_page(text + "## What to look for\n\n## Questions\n\n## Answers\n", "page.md")
    assert page.parts[PLAY] == "```sh\n# nothing\n## neither\n```"


def test_an_exercise_without_a_page() -> None:
    with pytest.raises(ConfigError, match=r"none\.md: none has no page"):
        page_of("none")


def test_the_list_tells_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert [name for name in EXERCISES if f"  {PREFIX}{name} " not in told] == []
    assert main(["list", "--json"]) == 0
    (listed,) = (entries for kind, entries in json.loads(capsys.readouterr().out).items() if kind == "exercises")
    assert {entry["name"]: (entry["section"], entry["protection"], entry["summary"]) for entry in listed} == {
        it.name: (it.section, it.withstood_by, it.summary) for it in EXERCISES.values()
    }


@EVERY
@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_filters_for_captures(exercise: str, tmp_path: Path) -> None:
    """Those of a page name fields that there are, and are put as tshark wants them."""
    empty = tmp_path / "empty.pcap"
    RawPcapWriter(str(empty), linktype=1).write(b"")
    text = (ROOT / "docs" / "exercises" / f"{exercise}.md").read_text(encoding="utf-8")
    filters = [f"({found or bare})" for found, bare in re.findall(r"-Y (?:'([^']+)'|(\w+))", text)]
    fields = [word for found in re.findall(r"-e ([\w.]+)", text) for word in ("-e", found)]
    assert filters
    command = ["tshark", "-r", str(empty), "-Y", " || ".join(filters)] + (["-T", "fields", *fields] if fields else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
