"""Mininet's prompt with what a mobile network needs: moving nodes, looking at bindings and events."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mininet.cli import CLI
from mininet.log import output

from lab.emulation.administrator import cut_off, readmit
from lab.emulation.context import Context
from lab.emulation.impairment import parse
from lab.emulation.mover import move
from lab.emulation.node import LabBridge, LabNode
from lab.errors import Mip6LabError, TopologyError
from lab.report.timeline import timeline

SHOWN_EVENTS = 20
PLACES = {"athome": "at home"}
"""Places of a mobile node that are more than one word."""


class Prompt(CLI):  # type: ignore[misc] # Mininet has no types
    """Mininet's command line, in our networks and in those that plain `mn --custom` made."""

    prompt = "mip6lab> "

    def __init__(self, mininet: Any, *args: Any, **kwargs: Any) -> None:
        self.mn = mininet
        self._wait_settled()
        super().__init__(mininet, *args, **kwargs)

    def _wait_settled(self) -> None:
        """Wait for the daemons and their mobile nodes: what is asked first should work."""
        try:
            for node in self._nodes():
                node.wait_ready()
            for node in self._nodes():
                node.wait_settled()
        except Mip6LabError as error:
            print(f"*** {error}")

    def waitForNode(self, node: Any) -> None:  # noqa: N802 - Mininet's name
        """Wait for a command on a node; from a file or a pipe, what stands behind it is not its input."""
        if self.isatty():
            super().waitForNode(node)
            return
        while node.waiting:
            try:
                output(node.monitor())
            except KeyboardInterrupt:
                node.sendInt()

    def do_move(self, line: str) -> None:
        """Move a mobile node to a link: move NODE LINK [--no-carrier-loss].

        Without carrier loss the node's link layer hints at the new link.
        Example: move mn visited1
        """
        self._answer(line, self._move, "move NODE LINK [--no-carrier-loss]")

    def do_impair(self, line: str) -> None:
        """Have a link delay or lose packets: impair LINK [delay=…] [jitter=…] [loss=…] [rate=…].

        What is not named ends, so that `impair LINK` alone mends it.
        Example: impair visited1 delay=20ms loss=1%
        """
        self._answer(line, self._impair, "impair LINK [delay=20ms] [jitter=5ms] [loss=1%] [rate=2mbit]")

    def do_kill(self, line: str) -> None:
        """End the daemon of a node as a crash would: kill NODE.

        Example: kill ha
        """
        self._answer(line, lambda words: self._one(words).kill(), "kill NODE")

    def do_restart(self, line: str) -> None:
        """Start the daemon of a node anew, also one that was killed: restart NODE.

        Example: restart ha
        """
        self._answer(line, lambda words: self._one(words).restart(), "restart NODE")

    def do_cutoff(self, line: str) -> None:
        """Have a mobile node served no more by the home agents of its home link: cutoff NODE.

        Its binding ends, and its Binding Updates are refused with status 129.
        Example: cutoff mn
        """
        self._answer(line, lambda words: cut_off(self._one(words), self._nodes()), "cutoff NODE")

    def do_readmit(self, line: str) -> None:
        """Let a mobile node that was cut off register again: readmit NODE.

        Example: readmit mn
        """
        self._answer(line, lambda words: readmit(self._one(words), self._nodes()), "readmit NODE")

    def do_bindings(self, line: str) -> None:
        """Show the binding caches and Binding Update Lists: bindings [NODE].

        Below are packets that were dropped, by reason (docs/events.md).
        `of` a home address: a binding that others registered here; `with` a peer: one that this node registers.
        Example: bindings ha
        """
        self._answer(line, self._bindings, "bindings [NODE]")

    def do_events(self, line: str) -> None:
        """Show the last events: events [NODE] [COUNT].

        Example: events mn 5
        """
        self._answer(line, self._events, "events [NODE] [COUNT]")

    def _answer(self, line: str, command: Callable[[Sequence[str]], None], usage: str) -> None:
        """Run a command of ours; whatever is wrong with its words is told and the prompt goes on."""
        try:
            command(shlex.split(line))
        except Mip6LabError as error:
            print(f"*** {error}")
        except ValueError as error:
            print(f"*** {error}; usage: {usage}")

    def _move(self, words: Sequence[str]) -> None:
        settings = self._context().settings
        silent = settings.hint or "--no-carrier-loss" in words
        names = [word for word in words if word != "--no-carrier-loss"]
        if len(names) != 2:
            raise ValueError("a node and a link are needed")
        node, link = self._node(names[0]), self._link(names[1])
        move(node, link, outage=None if silent else settings.outage, hint=silent)

    def _impair(self, words: Sequence[str]) -> None:
        if not words:
            raise ValueError("a link is needed")
        self._link(words[0]).impair(parse(words[1:]), self._nodes())

    def _bindings(self, words: Sequence[str]) -> None:
        if len(words) > 1:
            raise ValueError("one node at most")
        nodes = [self._node(words[0])] if words else self._nodes()
        for node in nodes:
            if node.daemon is None:
                continue
            for line in described(node.name, node.control("bindings"), node.control("counters")["drops"]):
                print(line)

    def _events(self, words: Sequence[str]) -> None:
        counts = [int(word) for word in words if word.isdecimal()] or [SHOWN_EVENTS]
        names = [word for word in words if not word.isdecimal()]
        if len(names) > 1 or len(counts) > 1:
            raise ValueError("one node and one number at most")
        records = self._context().collector.records()
        start = records[0].time if records else 0.0
        chosen = [record for record in records if not names or record.node == self._node(names[0]).name]
        lines = list(timeline(chosen, start))
        for line in lines[max(len(lines) - counts[0], 0) :]:
            print(f"{line.time:9.3f}  {line.node:<5} {line.text}  {line.section}")

    def _one(self, words: Sequence[str]) -> LabNode:
        if len(words) != 1:
            raise ValueError("a node is needed")
        return self._node(words[0])

    def _nodes(self) -> list[LabNode]:
        return [node for node in self.mn.hosts if isinstance(node, LabNode)]

    def _node(self, name: str) -> LabNode:
        for node in self._nodes():
            if node.name == name:
                return node
        raise TopologyError(f"no node {name}; nodes: {', '.join(node.name for node in self._nodes())}")

    def _link(self, name: str) -> LabBridge:
        found = self.mn.nameToNode.get(name)
        if not isinstance(found, LabBridge):
            raise TopologyError(f"no link {name}; links: {', '.join(self._nodes()[0].topology.link_specs)}")
        return found

    def _context(self) -> Context:
        context: Any = self._nodes()[0].context
        assert isinstance(context, Context)
        return context


def described(node: str, bindings: Sequence[Mapping[str, Any]], drops: Mapping[str, int] | None = None) -> list[str]:
    """Say in aligned lines what a node answers to `bindings` (docs/configuration.md), and how much it dropped why."""
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted((drops or {}).items()))
    return _described(node, bindings) + ([f"  dropped: {counts}"] if counts else [])


def _described(node: str, bindings: Sequence[Mapping[str, Any]]) -> list[str]:
    place = next((entry["place"] for entry in bindings if "place" in entry), None)
    head = f"{node}:" if place is None else f"{node}: {PLACES.get(place, place)}"
    if not bindings:
        return [f"{head} no bindings"]
    rows = [_cells(entry) for entry in bindings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [head, *(f"  {line.rstrip()}" for line in lines)]


def _cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
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
