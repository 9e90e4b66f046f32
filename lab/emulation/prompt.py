"""Mininet's prompt with what a mobile network needs: moving nodes, looking at bindings and events."""

import contextlib
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mininet.cli import CLI
from mininet.log import output
from rich.console import Console
from rich.text import Text

from lab.emulation.impairment import parse, parse_seconds
from lab.emulation.operations import EVERY, Operations
from lab.errors import Mip6LabError
from lab.report.caches import described
from lab.report.timeline import timeline

SHOWN_EVENTS = 20
SILENT = "--no-carrier-loss"
IMPAIRMENTS = ("delay=", "jitter=", "loss=", "rate=")
HELP = """
Commands of the lab (help COMMAND tells more, with an example; Tab completes commands, nodes and links):

{commands}

`mn ping -c 3 cn` runs a command on a node; names of nodes stand for their addresses. Commands of Mininet:
"""


class Prompt(CLI):  # type: ignore[misc] # Mininet has no types
    """Mininet's command line, in our networks and in those that plain `mn --custom` made."""

    prompt = "mip6lab> "
    helpStr = ""  # noqa: N815 - Mininet's name; ours is before its commands

    def __init__(self, mininet: Any, *args: Any, operations: Operations | None = None, **kwargs: Any) -> None:
        self.mn = mininet
        self._operations = operations or Operations(mininet)
        self._out = Console(highlight=False, soft_wrap=True)  # colours on a terminal alone, unless NO_COLOR is set
        self._wait_settled()
        super().__init__(mininet, *args, **kwargs)

    @classmethod
    def initReadline(cls) -> None:  # noqa: N802 - Mininet's name
        """Have words end at spaces alone, since names of links and streams have hyphens."""
        super().initReadline()
        with contextlib.suppress(ImportError):
            import readline  # noqa: PLC0415 - some Pythons are without

            readline.set_completer_delims(" \t\n")

    def _wait_settled(self) -> None:
        """Wait for the daemons and their mobile nodes: what is asked first should work."""
        try:
            for node in self._operations.nodes:
                node.wait_ready()
            for node in self._operations.nodes:
                node.wait_settled()
        except Mip6LabError as error:
            self._complain(str(error))

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
        self._answer(line, lambda words: self._operations.kill(_one(words)), "kill NODE")

    def do_restart(self, line: str) -> None:
        """Start the daemon of a node anew, also one that was killed: restart NODE.

        Example: restart ha
        """
        self._answer(line, lambda words: self._operations.restart(_one(words)), "restart NODE")

    def do_cutoff(self, line: str) -> None:
        """Have a mobile node served no more by the home agents of its home link: cutoff NODE.

        Its binding ends, and its Binding Updates are refused with status 129.
        Example: cutoff mn
        """
        self._answer(line, lambda words: self._operations.cut_off(_one(words)), "cutoff NODE")

    def do_readmit(self, line: str) -> None:
        """Let a mobile node that was cut off register again: readmit NODE.

        Example: readmit mn
        """
        self._answer(line, lambda words: self._operations.readmit(_one(words)), "readmit NODE")

    def do_stream(self, line: str) -> None:
        """Send numbered packets from one node to another: stream SOURCE DESTINATION [every=10ms].

        The live page and `mip6lab watch` show their way, delay and loss. Without names: those that run.
        Example: stream cn mn
        """
        self._answer(line, self._stream, "stream SOURCE DESTINATION [every=10ms]")

    def do_endstream(self, line: str) -> None:
        """End a stream, and say how many of its packets arrived: endstream NAME.

        Example: endstream cn-mn
        """
        self._answer(line, self._end_stream, "endstream NAME")

    def do_capture(self, line: str) -> None:
        """Copy to a file what was captured on a link so far, from its first packet on: capture LINK FILE.

        Example: capture home /tmp/home.pcapng
        """
        self._answer(line, self._capture, "capture LINK FILE")

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

    def do_help(self, line: str) -> None:
        """Say what there is, or all about one command: help [COMMAND].

        Example: help move
        """
        if line:
            super().do_help(line)
            return
        rows = [f"  {name:<10} {_summary(getattr(self, f'do_{name}'))}" for name in _own_commands()]
        print(HELP.format(commands="\n".join(rows)).strip("\n"))
        super().do_help("")

    def completenames(self, text: str, *ignored: Any) -> list[str]:
        """Complete the first word: a command, or a node that is to run one."""
        commands: list[str] = super().completenames(text, *ignored)
        return commands + _beginning(text, self._names("nodes"))

    def completedefault(self, text: str, *_: Any) -> list[str]:
        """Complete a word of a command on a node, or of Mininet's: names of nodes stand for addresses."""
        return _beginning(text, self._names("nodes"))

    def complete_move(self, text: str, line: str, begin: int, _end: int) -> list[str]:
        """Complete a mobile node, then a link."""
        links = [*self._names("links"), SILENT]
        return _beginning(text, links if _place(line, begin) > 1 else self._operations.places())

    def complete_impair(self, text: str, line: str, begin: int, _end: int) -> list[str]:
        """Complete a link, then what can be done to it."""
        return _beginning(text, IMPAIRMENTS if _place(line, begin) > 1 else self._names("links"))

    def complete_kill(self, text: str, *_: Any) -> list[str]:
        """Complete a node that has a daemon."""
        return _beginning(text, [node.name for node in self._operations.nodes if node.serves])

    complete_restart = complete_bindings = complete_kill

    def complete_cutoff(self, text: str, *_: Any) -> list[str]:
        """Complete a mobile node."""
        return _beginning(text, self._operations.places())

    complete_readmit = complete_cutoff

    def complete_endstream(self, text: str, *_: Any) -> list[str]:
        """Complete a stream that runs."""
        return _beginning(text, self._operations.streams)

    def complete_capture(self, text: str, line: str, begin: int, _end: int) -> list[str]:
        """Complete a link; files are the user's own affair."""
        return [] if _place(line, begin) > 1 else _beginning(text, self._names("links"))

    def _names(self, of: str) -> list[str]:
        return [each.name for each in getattr(self._operations, of)]

    def _answer(self, line: str, command: Callable[[Sequence[str]], None], usage: str) -> None:
        """Run a command of ours; whatever is wrong with its words is told and the prompt goes on."""
        try:
            command(shlex.split(line))
        except Mip6LabError as error:
            self._complain(str(error))
        except ValueError as error:
            self._complain(f"{error}; usage: {usage}")

    def _complain(self, text: str) -> None:
        self._out.print(Text(f"*** {text}", style="bold red"))

    def _move(self, words: Sequence[str]) -> None:
        names = [word for word in words if word != SILENT]
        if len(names) != 2:
            raise ValueError("a node and a link are needed")
        self._operations.move(*names, hint=SILENT in words)

    def _impair(self, words: Sequence[str]) -> None:
        if not words:
            raise ValueError("a link is needed")
        self._operations.impair(words[0], parse(words[1:]))

    def _stream(self, words: Sequence[str]) -> None:
        if not words:
            self._out.print(", ".join(self._operations.streams) or "no stream runs")
            return
        names = [word for word in words if not word.startswith("every=")]
        intervals = [parse_seconds(word) for word in words if word.startswith("every=")] or [EVERY]
        if len(names) != 2 or len(intervals) > 1:
            raise ValueError("two nodes are needed")
        self._out.print(f"stream {self._operations.stream(*names, every=intervals[0])}", markup=False)

    def _end_stream(self, words: Sequence[str]) -> None:
        if len(words) != 1:
            raise ValueError("a stream is needed")
        ended = self._operations.end_stream(words[0])
        self._out.print(f"{words[0]}: {ended['sent']} sent, {ended['received']} received", markup=False)

    def _capture(self, words: Sequence[str]) -> None:
        if len(words) != 2:
            raise ValueError("a link and a file are needed")
        self._operations.capture(words[0], Path(words[1]))

    def _bindings(self, words: Sequence[str]) -> None:
        if len(words) > 1:
            raise ValueError("one node at most")
        for name, held in self._operations.bindings(*words).items():
            if held is not None:
                self._show_bindings(described(name, held["bindings"], held["drops"]))

    def _show_bindings(self, lines: Sequence[str]) -> None:
        for number, line in enumerate(lines):
            self._out.print(Text(line, style="" if number else "bold cyan"))

    def _events(self, words: Sequence[str]) -> None:
        counts = [int(word) for word in words if word.isdecimal()] or [SHOWN_EVENTS]
        names = [word for word in words if not word.isdecimal()]
        if len(names) > 1 or len(counts) > 1:
            raise ValueError("one node and one number at most")
        records = self._operations.context.collector.records()
        start = records[0].time if records else 0.0
        chosen = [record for record in records if not names or record.node == self._operations.node(names[0]).name]
        lines = list(timeline(chosen, start))
        for line in lines[max(len(lines) - counts[0], 0) :]:
            self._out.print(
                Text.assemble(
                    (f"{line.time:9.3f}", "dim"),
                    "  ",
                    (f"{line.node:<5}", "cyan"),
                    f" {line.text}  ",
                    (line.section, "dim"),
                )
            )


def _one(words: Sequence[str]) -> str:
    if len(words) != 1:
        raise ValueError("a node is needed")
    return words[0]


def _own_commands() -> list[str]:
    return [name.removeprefix("do_") for name in vars(Prompt) if name.startswith("do_")]


def _summary(command: Callable[[str], None]) -> str:
    return (command.__doc__ or "").strip().partition("\n")[0].partition(":")[0].rstrip(".")


def _place(line: str, begin: int) -> int:
    """Count the words before the one that is completed."""
    return len(line[:begin].split())


def _beginning(text: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(text)]
