"""Rebuild report.html from what a run left in its folder: result.json and events.jsonl."""

import argparse
import webbrowser
from pathlib import Path

from lab.report import html
from lab.report.model import load

EXAMPLES = """examples:
  mip6lab report results/handover
  mip6lab report results/handover --open
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder of a run")
    parser.add_argument("--open", action="store_true", help="show it in a browser")


def run(args: argparse.Namespace) -> int:
    """Rebuild the report."""
    path = html.write(args.directory, load(args.directory), html.read_events(args.directory))
    print(path)
    if args.open:
        webbrowser.open(path.resolve().as_uri())
    return 0
