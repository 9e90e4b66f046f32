"""Documents as data: tables, blocks of code, links and anchors, command lines."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table under its heading."""

    heading: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code under its heading."""

    heading: str
    language: str
    text: str


class Document:
    """A Markdown file of this project."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks: list[Block] = []
        self.tables: list[Table] = []
        self.anchors: set[str] = set()
        self.prose = ""
        """All lines outside of blocks."""
        self._read(path.read_text(encoding="utf-8").splitlines())

    def table(self, *header: str, heading: str | None = None) -> Table:
        """Find the one table with a header (and, if that is not enough, a heading)."""
        (found,) = [t for t in self.tables if t.header == header and heading in (None, t.heading)]
        return found

    def block(self, language: str, heading: str) -> str:
        """Find the one block of a language under a heading."""
        (found,) = [b.text for b in self.blocks if (b.language, b.heading) == (language, heading)]
        return found

    def spans(self) -> list[str]:
        """Give what is set as code within the prose."""
        return SPAN.findall(self.prose)

    def links(self) -> list[str]:
        """Give the targets of links and pictures."""
        return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", SPAN.sub("", self.prose))

    def commands(self) -> Iterator[list[str]]:
        """Give the words behind each `mip6lab` of a shell block or of the prose."""
        for block in self.blocks:
            if block.language == "sh":
                yield from commands_of(block.text)
        for span in self.spans():
            if re.match(r"(lab/bootstrap )?mip6lab \S", span):
                yield from commands_of(span)

    def _read(self, lines: list[str]) -> None:
        heading, fence, inside = "", "", list[str]()
        header: tuple[str, ...] | None = None
        prose: list[str] = []
        for line in lines:
            if line.startswith("```"):
                if fence:
                    self.blocks.append(Block(heading=heading, language=fence, text="\n".join(inside) + "\n"))
                    fence, inside = "", []
                else:
                    fence = line.removeprefix("```") or "text"
                continue
            if fence:
                inside.append(line)
                continue
            prose.append(line)
            if found := re.match(r"#+ (.*)", line):
                heading = found[1].replace("`", "")
                self.anchors.add(slug(heading))
            if not line.startswith("|"):
                header = None
            elif header is None:
                header = cells(line)
                self.tables.append(Table(heading=heading, header=header, rows=[]))
            elif not re.fullmatch(r"[|:\- ]+", line):
                row = cells(line)
                assert len(row) == len(header), f"{self.path.name}: not as many cells as the header has: {line}"
                self.tables[-1].rows.append(row)
        assert not fence, f"{self.path.name}: a block of code that does not end"
        self.prose = "\n".join(prose)


def document(name: str) -> Document:
    """Read a document by its path below the root."""
    return Document(ROOT / name)


def cells(line: str) -> tuple[str, ...]:
    """Split a row of a table."""
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))


def code(cell: str) -> list[str]:
    """Give what is set as code in a cell."""
    return SPAN.findall(cell)


def name(cell: str) -> str:
    """Give the one word that is set as code and is all of a cell."""
    found = SPAN.fullmatch(cell)
    assert found, f"not a name set as code: {cell}"
    return str(found[1])


def slug(heading: str) -> str:
    """Make the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands_of(text: str) -> Iterator[list[str]]:
    """Give the words behind each `mip6lab` of some lines of shell, up to the end of that command."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.replace("…", ""), posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = [*lexer]
        while "mip6lab" in words:
            words = words[words.index("mip6lab") + 1 :]
            end = next((at for at, word in enumerate(words) if set(word) <= set("|&;<>")), len(words))
            yield words[:end]


def run(source: str, **given: Any) -> dict[str, Any]:
    """Execute an example; give the names that it defined."""
    scope: dict[str, Any] = {"__name__": "example", **given}
    exec(compile(source, "<example>", "exec"), scope)
    return scope
