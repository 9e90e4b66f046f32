"""List the topologies and scenarios that `up` and `run` know."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from lab.cli.common import console
from lab.emulation.scenario import Library, library

EXAMPLES = """examples:
  mip6lab list
  mip6lab list my_campus.py    what a file of your own holds
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files to look into (default: ours)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List; 1 if a file could not be read."""
    found = library(*args.files)
    if args.json:
        print(json.dumps(as_data(found), indent=2))
    else:
        out = console()
        table = Table("", "", "", box=None, show_header=False, padding=(0, 1))
        for kind, entries in as_data(found).items():
            if kind != "broken":
                for number, entry in enumerate(entries):
                    name, summary = escape(entry["name"]), escape(entry["summary"])
                    table.add_row(f"[bold]{kind if number == 0 else ''}[/]", f"[cyan]{name}[/]", summary)
        out.print(table)
    for path, reason in found.broken.items():
        print(f"mip6lab: {path} cannot be read: {reason}", file=sys.stderr)
    return 1 if found.broken else 0


def as_data(found: Library) -> dict[str, list[dict[str, Any]]]:
    """Turn a library into plain data."""
    return {
        "topologies": [
            {"name": name, "summary": topology.summary} for name, topology in sorted(found.topologies.items())
        ],
        "scenarios": [
            {"name": name, "summary": scenario.summary, "topology": scenario.topology.__name__}
            for name, scenario in sorted(found.scenarios.items())
        ],
        "broken": [{"file": str(path), "error": reason} for path, reason in found.broken.items()],
    }
