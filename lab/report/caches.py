"""Binding caches and Binding Update Lists of this moment, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

PLACES = {"athome": "at home"}
"""Places of a mobile node that are more than one word."""


def described(node: str, bindings: Sequence[Mapping[str, Any]], drops: Mapping[str, int] | None = None) -> list[str]:
    """Say in aligned lines what a node answers to `bindings` (docs/configuration.md), and how much it dropped why."""
    return lines(node, place(bindings), [cells(entry) for entry in bindings], drops or {})


def lines(node: str, where: str, rows: Sequence[Sequence[str]], drops: Mapping[str, int]) -> list[str]:
    """Put in aligned lines what `place` and `cells` say of a node's bindings, and how much it dropped why."""
    head = f"{node}: {where}".rstrip()
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(drops.items()))
    dropped = [f"  dropped: {counts}"] if counts else []
    if not rows:
        return [f"{head} no bindings", *dropped]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [head, *(f"  {line.rstrip()}" for line in aligned), *dropped]


def place(bindings: Sequence[Mapping[str, Any]]) -> str:
    """Say where a mobile node takes itself to be; empty for any other node."""
    told = next((str(entry["place"]) for entry in bindings if "place" in entry), "")
    return PLACES.get(told, told)


def way(entry: Mapping[str, Any]) -> str | None:
    """Tell by which way an entry of a binding cache has packets sent, `tunnel` or `direct`; None if it has not."""
    if "peer" in entry or "place" in entry:
        return None  # of a Binding Update List
    return {"registered": "tunnel", "bound": "direct"}.get(entry["state"])


def cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what a binding is, with or of whom, where that is, its state and sequence number, and how long it stays."""
    registers = "peer" in entry
    home = "place" in entry or not (registers or entry["state"] in ("bound", "ended"))
    return (
        "home" if home else "correspondent",
        f"with {entry['peer']}" if registers else f"of {entry['home_address']}",
        f"at {entry.get('care_of_address') or '–'}",
        entry["state"],
        f"#{entry['sequence']}" if "sequence" in entry else "",
        _prospect(entry, home=home),
    )


def _prospect(entry: Mapping[str, Any], *, home: bool) -> str:
    remaining, granted = entry.get("remaining", 0.0), entry.get("lifetime")
    left = "" if not remaining else f"{remaining:.0f} {'' if granted is None else f'of {granted} '}s left"
    if home:
        return left
    if "peer" not in entry:
        return f"direct path, {left}" if entry["state"] == "bound" else f"sequence number kept, {left}"
    path = f"direct path, {left}" if left else "no direct path"
    ages = {"home": entry["home_token_age"], "care-of": entry["care_of_token_age"]}
    tokens = " and ".join(f"{age:.0f} s ({kind})" for kind, age in ages.items() if age is not None)
    return f"{path}; tokens {tokens} old" if tokens else path
