"""Sheets of exercises for a class, made of their pages in `docs/exercises` and of what the code says of them."""

import re
from dataclasses import dataclass
from enum import StrEnum

from markdown_it import MarkdownIt

from lab.errors import ConfigError
from lab.templating import render, shared

PAGES = "docs/exercises"
LOOK_FOR, QUESTIONS, ANSWERS = "What to look for", "Questions", "Answers"
PLAY = "Play it"
HEADINGS = (PLAY, LOOK_FOR, QUESTIONS, ANSWERS)
"""Of every page, in this order."""
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
class Page:
    """A page: its title, the story, and what is under each heading, all in Markdown."""

    title: str
    story: str
    parts: dict[str, str]


def page_of(name: str) -> Page:
    """Read the page of an exercise, whose name is given without `exercise/`; raises `ConfigError`."""
    path = shared(PAGES) / f"{name}.md"
    try:
        return read_page(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: the exercise has no page: {error.strerror}") from error


def read_page(text: str, source: str) -> Page:
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
    if tuple(parts) != HEADINGS:
        raise ConfigError(f"{source}: its headings are {', '.join(parts)}; wanted: {', '.join(HEADINGS)}")
    return Page(title=title, story=story, parts=parts)


def sheet(page: Page, facts: Facts, audience: Audience) -> str:
    """Give a sheet in Markdown; only that of a teacher has the answers, and what comes out."""
    parts = {heading: text for heading, text in page.parts.items() if heading != ANSWERS}
    answers = page.parts[ANSWERS] if audience is Audience.TEACHER else ""
    return _LINK.sub(r"\1", render("sheet.md.j2", page=page, parts=parts, facts=facts, answers=answers))


def as_html(markdown: str, title: str) -> str:
    """Give a sheet as one self-contained page."""
    body = MarkdownIt("commonmark").enable("table").render(markdown)
    return render("sheet.html.j2", title=title, body=body)
