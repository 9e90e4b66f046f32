"""Sheets of exercises and lessons for a class, made of their pages in `docs` and of what the code says of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markdown_it import MarkdownIt

from lab.errors import ConfigError
from lab.templating import render, shared

EXERCISES, LESSONS = "docs/exercises", "docs/lessons"
"""Folders of pages."""
LOOK_FOR, QUESTIONS, ANSWERS = "What to look for", "Questions", "Answers"
PLAY = "Play it"
GOALS, STEPS, CAPTURES = "Goals", "Steps", "Expected captures"
HEADINGS = {
    EXERCISES: (PLAY, LOOK_FOR, QUESTIONS, ANSWERS),
    LESSONS: (GOALS, STEPS, CAPTURES, QUESTIONS, ANSWERS),
}
"""Of every page of a folder, in this order."""
FENCE = "```"
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?://)[^)]*\)")
"""A link to another document, which is not there on a desk."""


class Audience(StrEnum):
    """For whom a sheet is."""

    STUDENT = "student"
    TEACHER = "teacher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the code says of an exercise."""

    name: str
    summary: str
    section: str
    protection: str | None
    sentence: str
    """What the protection does; empty without one."""
    network: str
    """A drawing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the code says of a lesson."""

    name: str
    network: str
    """A drawing of it; empty if it is to be the student's."""
    wanted: Sequence[str]
    """What is checked."""
    asks: Mapping[str, str]
    """Figures that are asked for, by their names."""
    work: str
    """What is handed in, as a word of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: its title, the story, and what is under each heading, all in Markdown."""

    title: str
    story: str
    parts: dict[str, str]


def page_of(name: str, folder: str = EXERCISES) -> Page:
    """Read the page of an exercise or a lesson, whose name is given without what is before its /.

    Raises `ConfigError`.
    """
    path = shared(folder) / f"{name}.md"
    try:
        return read_page(path.read_text(encoding="utf-8"), str(path), HEADINGS[folder])
    except OSError as error:
        raise ConfigError(f"{path}: {name} has no page: {error.strerror}") from error


def read_page(text: str, source: str, headings: Sequence[str] = HEADINGS[EXERCISES]) -> Page:
    """Take a page apart; raises `ConfigError` that names what is missing, with `source`."""
    title, parts, fenced = "", {"": ""}, False
    heading = ""
    for line in text.splitlines():
        fenced ^= line.startswith(FENCE)
        if line.startswith("# ") and not fenced:
            title = line.removeprefix("# ")
        elif line.startswith("## ") and not fenced:
            heading = line.removeprefix("## ")
            parts[heading] = ""
        else:
            parts[heading] += line + "\n"
    parts = {heading: part.strip() for heading, part in parts.items()}
    story = parts.pop("")
    if not title or not story:
        raise ConfigError(f"{source}: a page begins with its title and the story")
    if tuple(parts) != tuple(headings):
        raise ConfigError(f"{source}: its headings are {', '.join(parts)}; wanted: {', '.join(headings)}")
    return Page(title=title, story=story, parts=parts)


def sheet(page: Page, facts: Facts | Task, audience: Audience) -> str:
    """Give a sheet in Markdown; only that of a teacher has the answers, and what comes out of an exercise."""
    parts = {heading: text for heading, text in page.parts.items() if heading != ANSWERS}
    answers = page.parts[ANSWERS] if audience is Audience.TEACHER else ""
    template = "lesson.md.j2" if isinstance(facts, Task) else "sheet.md.j2"
    return _LINK.sub(r"\1", render(template, page=page, parts=parts, facts=facts, answers=answers))


def as_html(markdown: str, title: str) -> str:
    """Give a sheet as one self-contained page."""
    body = MarkdownIt("commonmark").enable("table").render(markdown)
    return render("sheet.html.j2", title=title, body=body)
