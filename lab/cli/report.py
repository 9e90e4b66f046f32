"""Rebuild report.html from what a run left in its folder; captures and streams that are missing are left out."""

import argparse
import webbrowser
from pathlib import Path

from lab.report import html
from lab.report.model import load
from lab.verify import open_session

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
    result, records = load(args.directory), html.read_events(args.directory)
    captures = [args.directory / path for path in result.captures.values()]
    frames = open_session([path for path in captures if path.is_file()]).frames
    path = html.write(args.directory, result, records, frames)
    print(path)
    if args.open:
        webbrowser.open(path.resolve().as_uri())
    return 0
