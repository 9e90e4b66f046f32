"""The identifiers that tests may name: requirements and conformance cases, as `docs/` lists them."""

import re
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


@cache
def requirements() -> frozenset[str]:
    """Give the identifiers of the requirements of RFC 6275."""
    text = (DOCS / "rfc6275-requirements.md").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^- (\S+) · ", text, re.MULTILINE))


@cache
def cases() -> frozenset[str]:
    """Give the numbers of the conformance cases; a line can stand for several, as in `HA-012/016`."""
    found = set()
    for path in DOCS.glob("checklist-*.md"):
        for role, numbers in re.findall(r"^- ([A-Z]+)-([\d/]+) · ", path.read_text(encoding="utf-8"), re.MULTILINE):
            found |= {f"{role}-{number}" for number in numbers.split("/")}
    return frozenset(found)


def unknown(kind: str, ids: tuple[object, ...]) -> list[object]:
    """Give those that no list has; `kind` is the name of the marker."""
    known = {"rfc6275": requirements, "case": cases}[kind]()
    return [given for given in ids if given not in known]
