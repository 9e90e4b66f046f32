"""`docs/lessons.md`, and the page of each lesson, say what the code says."""

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.utils import RawPcapWriter

from lab.cli.main import main
from lab.cli.sheets import task_of
from lab.lessons.course import COURSE
from lab.lessons.lesson import PREFIX, Grade, Lesson
from lab.report.sheets import ANSWERS, CAPTURES, LESSONS, QUESTIONS, STEPS, Audience, as_html, page_of, sheet
from tests.docs.markdown import ROOT, Document, code, document, name

DOCUMENT = document("docs/lessons.md")
EVERY = pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.name)


def test_every_lesson_has_its_row() -> None:
    rows = DOCUMENT.table("lesson", "handed in", "figures told", "what it is about").rows
    documented = [(code(link)[0], kind, code(figures), told) for link, kind, figures, told in rows]
    assert documented == [(it.name, it.kind, [*it.asks], it.summary) for it in COURSE]
    assert all(f"(lessons/{code(link)[0]}.md)" in link for link, *_ in rows)


def test_every_field_has_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, grades = (table.rows for table in DOCUMENT.tables if table.header == ("field", "type", "meaning"))
    file = tmp_path / "empty.py"
    file.write_text("", encoding="utf-8")
    assert main(["grade", "own-topology", str(file), "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert [name(field) for field, *_ in answer] == [*printed]
    assert [name(field) for field, *_ in grades] == [field.name for field in dataclasses.fields(Grade)]
    assert {*printed["checks"][0]} == {name(field) for field, *_ in grades}


def test_every_page_is_of_a_lesson() -> None:
    assert {path.stem for path in (ROOT / LESSONS).glob("*.md")} == {lesson.name for lesson in COURSE}


@EVERY
def test_a_page(lesson: Lesson) -> None:
    """It answers three questions, and says how its work is made."""
    page = page_of(lesson.name, LESSONS)
    numbered = [re.findall(r"^(\d)\. ", page.parts[heading], re.MULTILINE) for heading in (QUESTIONS, ANSWERS)]
    assert numbered == [["1", "2", "3"]] * 2
    assert "mip6lab " in page.parts[STEPS]
    assert "pcapng" in page.parts[CAPTURES]


@EVERY
def test_sheets(lesson: Lesson) -> None:
    """A student's has no answers; both have what is checked, and are read as HTML."""
    page, task = page_of(lesson.name, LESSONS), task_of(lesson)
    teacher, student = (sheet(page, task, audience) for audience in (Audience.TEACHER, Audience.STUDENT))
    first = page.parts[ANSWERS].splitlines()[0]
    assert (first in teacher, first in student) == (True, False)
    for text in (teacher, student):
        assert f"mip6lab grade {lesson.name} " in text
        assert [criterion.wanted for criterion in lesson.criteria if f"\n- {criterion.wanted}\n" not in text] == []
        assert ("## The network" in text) == (lesson.topology is not None)
        html = as_html(text, page.title)
        assert "<h2>Check</h2>" in html
        assert "```" not in html


def test_the_list_tells_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["lessons"]
    assert listed == [{"name": it.name, "summary": it.summary, "handed_in": it.kind} for it in COURSE]
    assert main(["list"]) == 0
    assert f"  {PREFIX}{COURSE[0].name} " in capsys.readouterr().out
    assert main(["list", str(ROOT / "topologies" / "campus.py")]) == 0
    assert PREFIX not in capsys.readouterr().out


def test_the_command_writes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sheets", f"{PREFIX}tunnel", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"tunnel.teacher.md", "tunnel.teacher.html"}
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_filters_for_captures(tmp_path: Path) -> None:
    """Those of pages and criteria name fields that there are, and are put as tshark wants them."""
    empty = tmp_path / "empty.pcap"
    RawPcapWriter(str(empty), linktype=1).write(b"")
    pages = [Document(path).path.read_text(encoding="utf-8") for path in (ROOT / LESSONS).glob("*.md")]
    text = "\n".join([*pages, *(criterion.look_at for lesson in COURSE for criterion in lesson.criteria)])
    filters = [f"({quoted or bare})" for quoted, bare in re.findall(r"-Y (?:'([^']+)'|(\w+))", text)]
    fields = [word for found in re.findall(r"-e ([\w.]+)", text) for word in ("-e", found)]
    assert len(filters) > len(COURSE)
    command = ["tshark", "-r", str(empty), "-Y", " || ".join(filters), "-T", "fields", *fields]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
