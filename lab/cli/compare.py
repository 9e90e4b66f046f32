"""Put runs side by side: what each move cost where something was set otherwise, with medians and spreads.

Runs of the same scenario, plane, kernel and settings are one line for each of their moves. What all of them have in
common is not told.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.common import console
from lab.report.comparison import Line, Run, Spread, compare, find, write_table

EXAMPLES = """examples:
  mip6lab compare results/handover results/ro-handover
  mip6lab compare results/sweep                           all runs below a folder
  mip6lab compare results/sweep --table moves.parquet     each move of each run, for other programs; .csv as well
  mip6lab compare results/sweep --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("directories", type=Path, nargs="+", metavar="DIR", help="folder of a run, or of several")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write each move of each run to a .csv or .parquet")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare; 0 only if all checks of all runs hold."""
    runs = find(args.directories)
    if args.table is not None:
        write_table(runs, args.table)
    lines = compare(runs)
    if args.json:
        sys.stdout.write(json.dumps([dataclasses.asdict(line) for line in lines], indent=2) + "\n")
    else:
        show(lines, console())
        tell_failures(runs, console())
    return 0 if all(run.result.ok for run in runs) else 1


def show(lines: Sequence[Line], out: Console) -> None:
    """Print a comparison."""
    names = [*lines[0].conditions] if lines else []
    parts = [*dict.fromkeys(name for line in lines for name in line.parts)]
    table = Table(
        *names, "move", "runs", "hold", "interruption, ms", "lost", *[part.replace("_", " ") for part in parts]
    )
    for number in range(len(names) + 1, len(table.columns)):
        table.columns[number].justify = "right"
    for line in lines:
        own = [escape(value) for value in line.conditions.values()]
        spreads = [_written(line.interruption_ms), _written(line.lost)]
        medians = [f"{line.parts[part]:.1f}" if part in line.parts else "" for part in parts]
        table.add_row(*own, line.move, str(line.runs), str(line.held), *spreads, *medians)
    out.print(table)


def tell_failures(runs: Sequence[Run], out: Console) -> None:
    """Name the runs in which not all checks hold, and why."""
    for run in runs:
        result = run.result
        if not result.ok:
            why = result.error or ", ".join(check.id for check in result.failed()) or "see its report"
            out.print(f"[bold red]✗[/] {escape(str(run.directory))}: {escape(why)}", soft_wrap=True)


def _written(spread: Spread | None) -> str:
    """Write a median, and from where to where the figures go unless there is one alone."""
    if spread is None:
        return ""
    if spread.count == 1:
        return f"{spread.median:.1f}"
    return f"{spread.median:.1f} ({spread.least:.1f} to {spread.most:.1f})"
